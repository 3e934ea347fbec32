"""Unpacks a zip that nobody vouches for.

No name of the archive becomes a path: image candidates are written one after another into numbered
packs, so that slips, device names, over-long or colliding names have nothing to act on. An archive
that tries is refused all the same, before a byte is written. Packs hold many images each because
making a file takes the kernel longer than everything else about a small image.
"""

import hashlib
import os
import re
import uuid
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from components.image_example_gen.archive_limits import (
    ArchiveLimits,
    check_members,
    check_sizes,
)
from components.image_example_gen.listing import SourceFile, rejection_by_name
from components.image_example_gen.rejections import Rejection
from pipeline.errors import UserError

_MEMBERS_PER_PACK = 1000
_BYTES_PER_PACK = 256 << 20
_PARTIAL = ".partial"


class _Pack(NamedTuple):
    """Members whose contents stand back to back in one file."""

    name: str
    members: list[zipfile.ZipInfo]
    bytes: int


def extract(archive: Path, folder: Path, key: str, limits: ArchiveLimits) -> list[SourceFile]:
    """Unpacks the image candidates of a zip below a folder.

    Packs are written to `<folder>/<archive>-<digest of key>.partial/`, which is renamed when all
    are there: an extraction is seen whole or not at all. One that was killed goes on where it was:
    a pack there whose size and CRC-32s are right is kept. A finished one is reused as it stands.

    Args:
      archive: The zip.
      folder: Where extractions are kept; made if missing.
      key: Identity of the archive's content, its fingerprint; another key gets another folder.
      limits: Bounds of the extraction, held against headers first and then against the data.

    Returns:
      Every member that is a file, image candidate or not, sorted by name.

    Raises:
      UserError: The archive is damaged or hostile; the sentence names the member.
    """
    digest = hashlib.blake2b(f"{archive.name}\0{key}".encode(), digest_size=8).hexdigest()
    done = folder / f"{re.sub(r'[^A-Za-z0-9_-]', '_', archive.stem)[:40]}-{digest}"
    with _opened(archive) as opened:
        names = check_members(archive, opened.infolist(), limits)
        files: list[SourceFile] = []
        wanted: list[zipfile.ZipInfo] = []
        for member in opened.infolist():
            name = names[member.header_offset]
            rejection = rejection_by_name(name)
            if rejection is None and member.file_size > limits.max_file_bytes:
                rejection = Rejection.TOO_LARGE
            if member.is_dir():
                continue
            if rejection is None:
                wanted.append(member)
            else:
                files.append(SourceFile(name, rejection=rejection))
        check_sizes(archive, wanted, limits)
        packs = _pack(wanted)
        if not _is_complete(done, packs):
            _write_all(archive, opened, packs, done)
    for pack in packs:
        path = os.fsencode(done / pack.name)
        offset = 0
        for member in pack.members:
            files.append(SourceFile(names[member.header_offset], path, offset, member.file_size))
            offset += member.file_size
    return sorted(files, key=lambda file: file.name)


@contextmanager
def _opened(archive: Path) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(archive) as opened:
            yield opened
    except (zipfile.BadZipFile, ValueError, NotImplementedError, UnicodeDecodeError) as error:
        raise UserError(f"The archive {archive} is damaged ({error}); fetch it again.") from None


def _pack(members: list[zipfile.ZipInfo]) -> list[_Pack]:
    packs: list[_Pack] = []
    for member in members:
        last = packs[-1] if packs else None
        if (
            last is None
            or len(last.members) == _MEMBERS_PER_PACK
            or last.bytes + member.file_size > _BYTES_PER_PACK
        ):
            packs.append(_Pack(f"{len(packs):06d}.pack", [member], member.file_size))
        else:
            last.members.append(member)
            packs[-1] = last._replace(bytes=last.bytes + member.file_size)
    return packs


def _is_complete(done: Path, packs: list[_Pack]) -> bool:
    """Whether a finished extraction still has every pack in full length."""
    if not done.is_dir():
        return False
    if all(_size(done / pack.name) == pack.bytes for pack in packs):
        return True
    with suppress(OSError):
        done.rename(done.with_name(done.name + _PARTIAL))
    return False


def _write_all(archive: Path, opened: zipfile.ZipFile, packs: list[_Pack], done: Path) -> None:
    partial = done.with_name(done.name + _PARTIAL)
    try:
        partial.mkdir(parents=True, exist_ok=True)
        for pack in packs:
            if not _is_intact(partial / pack.name, pack):
                _write(archive, opened, pack, partial / pack.name)
        for left_over in partial.glob("*.tmp"):  # Of a run that was killed.
            left_over.unlink()
        partial.replace(done)
    except OSError as error:
        if done.is_dir():  # Another process has just finished the same extraction.
            return
        raise UserError(
            f"The archive {archive} can't be unpacked to {partial}: {error.strerror}."
        ) from None


def _write(archive: Path, opened: zipfile.ZipFile, pack: _Pack, path: Path) -> None:
    # Process ids repeat across containers that share a volume.
    temporary = path.with_suffix(f".{uuid.uuid4().hex}.tmp")
    try:
        with temporary.open("wb") as file:
            for member in pack.members:
                file.write(_read(archive, opened, member))
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _is_intact(path: Path, pack: _Pack) -> bool:
    if _size(path) != pack.bytes:
        return False
    with path.open("rb") as file:
        return all(zlib.crc32(file.read(m.file_size)) == m.CRC for m in pack.members)


def _read(archive: Path, opened: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    try:
        # At most max_file_bytes are asked for, and zipfile inflates no more than it is asked for.
        with opened.open(member) as stream:
            data = stream.read(member.file_size)
            excess = stream.read(1)  # Reaching the end is what makes zipfile compare the CRC.
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise UserError(
            f"The archive {archive} is damaged at its member {member.filename!r} ({error}); "
            "fetch it again."
        ) from None
    if excess or len(data) != member.file_size:
        raise UserError(
            f"The archive {archive} is refused: its member {member.filename!r} is not of the "
            "size it declares."
        )
    return data


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return None
