"""What a published model version is made of: the manifest beside its files.

A manifest answers, without the pipeline's metadata store, which data, code and settings a
model came from, how well it did, and whether its files are still the ones that were published.
"""

import hashlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipeline.errors import UserError

MANIFEST_FILE = "manifest.json"
FORMAT_VERSION = 1
# What the names of drawn samples' archives begin with.
DRAWN_SAMPLE_PREFIX = "drawn-sample-"


class FileRecord(BaseModel):
    """Size and digest of one published file."""

    model_config = ConfigDict(frozen=True)

    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    bytes: int = Field(ge=0)


class DataSource(BaseModel):
    """The data a model was trained on."""

    source: str = Field(
        default="", description="file name of the archive or folder, or the sample's name"
    )
    fingerprint: str = Field(default="", description="fingerprint of the ingested files")
    counts: dict[str, int] = Field(
        default_factory=dict, description="images by ingest outcome and by split"
    )

    @property
    def is_drawn_sample(self) -> bool:
        """Whether the model learned from faces that this project draws."""
        return self.source.startswith(DRAWN_SAMPLE_PREFIX)


class Manifest(BaseModel):
    """Everything that is recorded of one published version; `publish` fills in what is derived."""

    model_config = ConfigDict(extra="forbid")

    format_version: int = Field(default=FORMAT_VERSION, ge=1, le=FORMAT_VERSION)
    model_name: str
    kind: Literal["serving", "edge"] = "serving"
    version: int = Field(default=0, ge=0, description="folder name; 0 until published")
    created: str = Field(default="", description="time of publishing, ISO 8601, UTC")
    labels: list[str] = Field(default_factory=list, description="class names in index order")
    input_shape: list[int] = Field(
        default_factory=list, description="height, width and channels of `pixels`"
    )
    metrics: dict[str, float] = Field(default_factory=dict)
    thresholds: dict[str, float] = Field(default_factory=dict)
    data: DataSource = DataSource()
    code_fingerprint: str = ""
    settings: dict[str, Any] = Field(default_factory=dict)
    settings_fingerprint: str = ""
    model_fingerprint: str = Field(
        default="", description="digest of the names and contents of all files"
    )
    serving_fingerprint: str = Field(
        default="",
        description="of an edge model: the fingerprint of the SavedModel it was made from",
    )
    files: dict[str, FileRecord] = Field(default_factory=dict, description="by relative path")

    def write(self, folder: Path) -> Path:
        """Writes `manifest.json` into the folder, durably and never half.

        Returns:
            Path of the manifest.
        """
        path = folder / MANIFEST_FILE
        temporary = folder / f".{MANIFEST_FILE}.part"
        with temporary.open("w", encoding="utf-8") as file:
            file.write(self.model_dump_json(indent=2) + "\n")
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        return path

    @classmethod
    def read(cls, folder: Path) -> "Manifest":
        """Reads the manifest of a version folder.

        Raises:
            UserError: there is no manifest, it can't be read, or is not one of a known format.
        """
        path = folder / MANIFEST_FILE
        try:
            return cls.model_validate_json(path.read_bytes())
        except (FileNotFoundError, NotADirectoryError):
            raise UserError(f"{folder} has no {MANIFEST_FILE}; publish the model again.") from None
        except OSError as error:
            raise UserError(f"{path} can't be read: {error.strerror}.") from None
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"])) or "the file"
            raise UserError(
                f"{path} is not a manifest of format {FORMAT_VERSION}: {where}: {first['msg']};"
                " publish the model again."
            ) from None

    def verify(self, folder: Path, *, allow_unlisted: bool = False) -> list[str]:
        """Compares a folder's files with this manifest.

        Args:
            folder: the version's folder.
            allow_unlisted: leaves files that are not listed, such as a model card, alone.

        Returns:
            One sentence for each missing, added or changed file; empty if all is as published.
        """
        if not self.files:
            return [f"{MANIFEST_FILE} lists no files"]
        found = {name: path for name, path in _walk(folder) if name != MANIFEST_FILE}
        problems = [f"{name} is missing" for name in sorted(self.files.keys() - found.keys())]
        if not allow_unlisted:
            unlisted = sorted(found.keys() - self.files.keys())
            problems += [f"{name} is not listed" for name in unlisted]
        for name in sorted(found.keys() & self.files.keys()):
            expected = self.files[name]
            size = found[name].stat().st_size
            if size != expected.bytes:
                problems.append(f"{name} has {size} bytes, not {expected.bytes}")
            elif file_digest(found[name]) != expected.sha256:
                problems.append(f"{name} has changed: its sha256 differs")
        return problems


def verify_version(folder: Path) -> list[str]:
    """Returns the problems of a published version folder, a missing manifest among them."""
    try:
        return Manifest.read(folder).verify(folder)
    except UserError as error:
        return [str(error)]


def file_digest(path: Path) -> str:
    """Returns the sha256 of a file as 64 hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def record_files(folder: Path) -> dict[str, FileRecord]:
    """Returns size and digest of every file below a folder, but the manifest, sorted by path."""
    return {
        name: FileRecord(sha256=file_digest(path), bytes=path.stat().st_size)
        for name, path in _walk(folder)
        if name != MANIFEST_FILE
    }


def model_fingerprint(files: Mapping[str, FileRecord]) -> str:
    """Returns one digest, 64 hex digits, of the names and contents of a model's files."""
    digest = hashlib.sha256()
    for name, record in sorted(files.items()):
        digest.update(f"{name}\0{record.sha256}\n".encode())
    return digest.hexdigest()


def _walk(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yields relative POSIX path and path of each file below a folder, sorted."""
    for path in sorted(folder.rglob("*")):
        if not path.is_dir():
            yield path.relative_to(folder).as_posix(), path
