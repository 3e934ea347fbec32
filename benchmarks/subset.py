"""Smaller archives out of one, with the same classes and splits in the same shares."""

import zipfile
from collections import defaultdict
from fractions import Fraction
from pathlib import Path, PurePosixPath

from pipeline.errors import UserError


def write_subset(archive: Path, fraction: Fraction, path: Path) -> int:
    """Writes the zip with an even share of the files of each folder, by name.

    Args:
      archive: A zip of `split/class/file`, perhaps with folders above.
      fraction: Share of the files, in (0, 1]. A folder keeps at least one.
      path: The zip to write; its folder exists.

    Returns:
      The number of files written.

    Raises:
      UserError: The archive can't be read or holds no files.
    """
    try:
        with zipfile.ZipFile(archive) as source, zipfile.ZipFile(path, "w") as target:
            chosen = choose(source.namelist(), fraction)
            for name in chosen:
                # The entry's own compression method is kept.
                target.writestr(source.getinfo(name), source.read(name))
    except (OSError, zipfile.BadZipFile) as error:
        raise UserError(f"The archive {archive} can't be read: {error}.") from None
    if not chosen:
        raise UserError(f"The archive {archive} holds no files.")
    return len(chosen)


def choose(names: list[str], fraction: Fraction) -> list[str]:
    """Takes an even share of the files of each folder; a folder keeps at least its first."""
    folders: dict[PurePosixPath, list[str]] = defaultdict(list)
    for name in sorted(names):
        if not name.endswith("/"):
            folders[PurePosixPath(name).parent].append(name)
    step, every = fraction.numerator, fraction.denominator
    return [
        name
        for _, files in sorted(folders.items())
        for index, name in enumerate(files)
        if index * step % every < step
    ]
