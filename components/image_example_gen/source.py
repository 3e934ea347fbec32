"""What a data path names: a zip, a folder or a CSV, perhaps one per span and version."""

import glob
import os
import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, NamedTuple

from pipeline.errors import UserError

Kind = Literal["zip", "folder", "csv"]

_SPEC = re.compile(r"\{(SPAN|VERSION)(:\d+)?\}|\{(YYYY|MM|DD)\}")


class DataSource(NamedTuple):
    """A source in the terms of TFX's file-based ExampleGen.

    Attributes:
      kind: What the path is.
      input_base: Existing folder that holds everything the pattern can match.
      pattern: Path below `input_base`, with TFX's `{SPAN}`, `{VERSION}` and date specs if the
        data come in spans. It names one zip, folder or CSV for each span and version.
    """

    kind: Kind
    input_base: str
    pattern: str


def resolve_source(path: str) -> DataSource:
    """Checks that a path names readable data.

    Args:
      path: A zip, a folder or a CSV. It may hold `{SPAN}` and `{VERSION}` (`{SPAN:2}` for
        zero-padded numbers), as in `faces/span-{SPAN}/v{VERSION}/archive.zip`; the newest is then
        taken.

    Raises:
      UserError: The path is missing, unreadable or of another kind.
    """
    whole = absolute(path)
    parts = whole.parts
    spec_at = next((i for i, part in enumerate(parts) if has_spec(part)), None)
    if spec_at is None:
        kind = check_data(whole)
        return DataSource(kind, str(whole.parent), whole.name)
    base = Path(*parts[:spec_at])
    with _readable(path):
        if not base.is_dir():
            raise UserError(f"The folder {base} of the data path {path} does not exist.")
    return DataSource(_kind_by_name(whole), str(base), str(Path(*parts[spec_at:])))


def absolute(path: str) -> Path:
    """The path that a data path means, whatever the working directory.

    Raises:
      UserError: It is empty, or of a home folder that is not known.
    """
    if not path.strip():
        raise UserError("The data path is empty; name a zip, a folder or a CSV file.")
    try:
        return Path(path).expanduser().absolute()
    except RuntimeError:
        raise UserError(
            f"The data path {path} begins with {Path(path).parts[0]}, which is nobody's home "
            "folder here; write that folder out."
        ) from None


def has_spec(pattern: str) -> bool:
    """Whether a pattern holds one of TFX's span, version or date specs."""
    return _SPEC.search(pattern) is not None


def any_span(path: str) -> str:
    """A glob of every span and version of a data path."""
    parts = _SPEC.split(path)
    # The groups of the pattern come between the parts.
    return "*".join(glob.escape(part) for part in parts[:: _SPEC.groups + 1])


def check_data(path: Path) -> Kind:
    """Tells the kind of the data at a concrete path.

    Raises:
      UserError: There is nothing, or nothing that can be ingested.
    """
    with _readable(path):
        return _kind_of(path)


def _kind_of(path: Path) -> Kind:
    if path.is_dir():
        if not os.access(path, os.R_OK | os.X_OK):
            raise UserError(f"The data folder {path} can't be read; check its permissions.")
        if next(path.iterdir(), None) is None:
            raise UserError(f"The data folder {path} is empty.")
        return "folder"
    if not path.exists():
        raise UserError(f"The data path {path} does not exist; name a zip, a folder or a CSV file.")
    if not path.is_file():
        raise UserError(f"The data path {path} is neither a file nor a folder.")
    if not os.access(path, os.R_OK):
        raise UserError(f"The data file {path} can't be read; check its permissions.")
    if path.stat().st_size == 0:
        raise UserError(f"The data file {path} is empty.")
    if path.suffix.lower() == ".csv":
        return "csv"
    if zipfile.is_zipfile(path):
        return "zip"
    if path.suffix.lower() == ".zip":
        raise UserError(
            f"The data file {path} is not a zip archive, or was cut short; fetch it again."
        )
    raise UserError(f"The data file {path} is not a zip archive, a folder or a .csv file.")


@contextmanager
def _readable(path: Path | str) -> Iterator[None]:
    """Tells what keeps the system from looking at a path, such as a closed folder."""
    try:
        yield
    except OSError as error:
        raise UserError(f"The data path {path} can't be read: {error.strerror}.") from None


def _kind_by_name(path: Path) -> Kind:
    if path.suffix.lower() == ".csv":
        return "csv"
    return "zip" if path.suffix.lower() == ".zip" else "folder"
