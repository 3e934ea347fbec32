"""Refuses archives that were made to do harm, by what their directory declares."""

import re
import stat
import zipfile
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import UserError

_MEBIBYTE = 1 << 20
_ENCRYPTED = 0x1 | 0x40
_SPECIAL_FILES = (stat.S_IFCHR, stat.S_IFBLK, stat.S_IFIFO, stat.S_IFSOCK)


@dataclass(frozen=True)
class ArchiveLimits:
    """Bounds on what an archive may unpack to.

    Attributes:
      max_files: Most members.
      max_file_bytes: Largest image file; a larger one is rejected, not unpacked.
      max_total_bytes: Most bytes over all image files.
      max_ratio: Largest ratio of unpacked to packed size of a member over 1 MiB; smaller ones
        are bounded by `max_total_bytes`, and a plain little bitmap may well shrink a hundredfold.
    """

    max_files: int = 1_000_000
    max_file_bytes: int = 20 * _MEBIBYTE
    max_total_bytes: int = 20_000 * _MEBIBYTE
    max_ratio: int = 200


def check_members(
    archive: Path, members: list[zipfile.ZipInfo], limits: ArchiveLimits
) -> dict[int, str]:
    """Refuses hostile members.

    Returns:
      Each member's name with `/` between folders, by the offset of its header.

    Raises:
      UserError: A member that no honest archive has; the sentence names it.
    """
    if len(members) > limits.max_files:
        raise UserError(
            f"The archive {archive} holds {len(members):,} members; at most "
            f"{limits.max_files:,} are accepted."
        )
    names: dict[int, str] = {}
    seen: set[str] = set()
    for member in members:
        # zipfile cuts a name at NUL, which would hide its end.
        name = member.orig_filename.replace("\\", "/")
        fault = _fault_of(member, name)
        if fault is None and name in seen:
            fault = "stands in it twice"
        if fault is None and member.header_offset in names:
            fault = "shares its bytes with another member"
        if fault is not None:
            raise UserError(
                f"The archive {archive} is refused: its member {member.orig_filename!r} {fault}."
            )
        seen.add(name)
        names[member.header_offset] = name.encode("utf-8", "replace").decode("utf-8")
    return names


def _fault_of(member: zipfile.ZipInfo, name: str) -> str | None:
    kind = stat.S_IFMT(member.external_attr >> 16)
    faults = {
        "has a NUL in its name": "\0" in name,
        "has an absolute path": name.startswith("/") or re.match(r"[A-Za-z]:", name) is not None,
        "leads out of the folder": ".." in name.split("/"),
        "has no name": not name.strip("/ "),
        "is a link": kind == stat.S_IFLNK,
        "is a device, pipe or socket": kind in _SPECIAL_FILES,
        "is encrypted; unpack the archive and pass the folder": member.flag_bits & _ENCRYPTED,
        "is neither stored nor deflated; pack the archive again with a plain zip": (
            member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
        ),
    }
    return next((fault for fault, found in faults.items() if found), None)


def check_sizes(archive: Path, members: list[zipfile.ZipInfo], limits: ArchiveLimits) -> None:
    """Refuses members that together or each unpack to too much.

    Raises:
      UserError: The first member that goes too far.
    """
    total = 0
    for member in members:
        total += member.file_size
        # A deflated member can't outgrow what it declares: reading stops there, and the CRC tells.
        if member.file_size > _MEBIBYTE and (
            member.file_size > limits.max_ratio * max(member.compress_size, 1)
        ):
            raise UserError(
                f"The archive {archive} is refused: its member {member.filename!r} unpacks to more "
                f"than {limits.max_ratio} times its packed size, as a zip bomb does."
            )
        if total > limits.max_total_bytes:
            raise UserError(
                f"The archive {archive} is refused: from its member {member.filename!r} on, its "
                f"images take more than the {limits.max_total_bytes:,} bytes accepted in all."
            )
