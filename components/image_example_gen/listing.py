"""The files of a source, before any of them is opened, and the fingerprint over them."""

import os
import stat
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from components.image_example_gen.rejections import Rejection
from pipeline.errors import UserError

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".dib", ".webp"})

_SYSTEM_NAMES = frozenset({".ds_store", "thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r"})
_SYSTEM_FOLDERS = frozenset({"__macosx", ".git", ".ipynb_checkpoints", "@eadir", "$recycle.bin"})


class SourceFile(NamedTuple):
    """A file of the source.

    Attributes:
      name: Path inside the source with `/` between folders, valid as UTF-8.
      path: File on disk that holds its bytes, `os.fsencode`d; empty if they are not needed.
      offset: Where in that file they start.
      size: How many they are; -1 for all that follow.
      rejection: Why it is not looked at any further, or None.
    """

    name: str
    path: bytes = b""
    offset: int = 0
    size: int = -1
    rejection: Rejection | None = None


def rejection_by_name(name: str) -> Rejection | None:
    """Judges a file by its name alone; a name without a suffix gets the benefit of the doubt."""
    *folders, file_name = name.casefold().split("/")
    if file_name in _SYSTEM_NAMES or file_name.startswith("._"):
        return Rejection.SYSTEM_FILE
    if not _SYSTEM_FOLDERS.isdisjoint(folders):
        return Rejection.SYSTEM_FILE
    suffix = os.path.splitext(file_name)[1]  # noqa: PTH122
    return None if suffix in IMAGE_SUFFIXES or not suffix else Rejection.NOT_AN_IMAGE


def list_folder(root: Path, max_files: int) -> list[SourceFile]:
    """Lists a folder and all below it, sorted by name.

    A link to a file counts as that file. A linked folder is not entered: it could lead in a circle.

    Args:
      root: The folder.
      max_files: Most files accepted.

    Raises:
      UserError: More files than `max_files`, or a folder that can't be read.
    """
    files = []
    for entry in _walk(os.fsencode(root)):
        name = os.path.relpath(entry.path, os.fsencode(root)).decode("utf-8", "replace")
        rejection = rejection_by_name(name) if _is_file(entry) else Rejection.NOT_A_FILE
        files.append(SourceFile(name, entry.path, rejection=rejection))
        if len(files) > max_files:
            raise UserError(f"The data folder {root} holds more than {max_files:,} files.")
    return sorted(files, key=lambda file: file.name)


def fingerprint(path: Path) -> str:
    """Fingerprint of a file, or of all files of a folder, from names, sizes and times of change.

    TFX's `generate_fingerprint` sums sizes and whole seconds of the files that one glob matches.
    A glob has no "everything below", and without names a picture that is moved to
    another class folder goes unseen; hence this one, in the same form.
    """
    if path.is_dir():
        root = os.fsencode(path)
        entries = [(os.path.relpath(e.path, root), _stat(e)) for e in _walk(root)]
    else:
        entries = [(os.fsencode(path.name), path.stat())]
    checksum = 0
    total_bytes = 0
    for name, status in sorted(entries, key=lambda entry: entry[0]):
        total_bytes += status.st_size
        said = f"\0{status.st_size}\0{status.st_mtime_ns}\0"
        checksum = zlib.crc32(name + said.encode(), checksum)
    return f"num_files:{len(entries)},total_bytes:{total_bytes},checksum:{checksum:08x}"


def _walk(folder: bytes) -> Iterator[os.DirEntry[bytes]]:
    folders = [folder]
    while folders:
        current = folders.pop()
        try:
            with os.scandir(current) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
                    else:
                        yield entry
        except OSError as error:
            raise UserError(
                f"The folder {os.fsdecode(current)} can't be read: {error.strerror}."
            ) from None


def _is_file(entry: os.DirEntry[bytes]) -> bool:
    return stat.S_ISREG(_stat(entry).st_mode)


def _stat(entry: os.DirEntry[bytes]) -> os.stat_result:
    try:
        return entry.stat()
    except OSError:  # A link that is broken, leads to itself or into a closed folder.
        return entry.stat(follow_symlinks=False)
