"""The folder of a model's versions: what a poller sees, and what it does not.

A base folder holds one sub-folder per version, named by an integer, which is what TensorFlow
Serving polls. Everything else kept there has a name that starts with a dot, so that no poller
takes it for a version:

- `.staging-<n>`: version n being copied;
- `.retired-<n>`: version n after a rollback, until a newer one is published;
- `.pruned-<n>`: version n on its way out;
- `.lock`: held with `flock` by whoever changes the folder; the kernel lets go of it with its
  holder, so a killed process never leaves a locked folder.

A version enters and leaves sight by one `rename(2)` on one file system, which POSIX makes atomic.
Object stores have no such call: publish to a local folder and copy from there.
"""

import fcntl
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from pipeline.errors import UserError

Hidden = Literal["staging", "retired", "pruned"]

_VERSION = re.compile(r"^[0-9]+$")
_HIDDEN = re.compile(r"^\.(staging|retired|pruned)-([0-9]+)$")


class VersionFolder:
    """The versions below one base folder."""

    def __init__(self, base: Path) -> None:
        self.base = base

    def visible(self) -> list[int]:
        """Returns the versions that a poller sees, ascending; empty if there is no folder."""
        if not self.base.is_dir():
            return []
        return sorted(
            int(entry.name)
            for entry in self.base.iterdir()
            if _VERSION.match(entry.name) and entry.is_dir()
        )

    def hidden(self, state: Hidden) -> list[int]:
        """Returns the versions in a hidden state, ascending."""
        matches = (_HIDDEN.match(entry.name) for entry in self.base.iterdir())
        return sorted(int(match[2]) for match in matches if match and match[1] == state)

    def newest(self) -> int:
        """Returns the version that TensorFlow Serving serves by default; 0 if there is none."""
        return max(self.visible(), default=0)

    def highest_used(self) -> int:
        """Returns the highest number ever used; 0 if none was.

        Neither pruning nor superseding deletes the highest number, so it is always still in the
        folder, visible or retired, and no counter has to be kept in step with it.
        """
        return max([0, *self.visible(), *self.hidden("retired")])

    def path(self, version: int) -> Path:
        """Returns the folder of a visible version."""
        return self.base / str(version)

    def hidden_path(self, version: int, state: Hidden) -> Path:
        """Returns the folder of a version in a hidden state."""
        return self.base / f".{state}-{version}"

    def show(self, version: int, state: Hidden) -> None:
        """Makes a hidden version visible, in one step and durably."""
        rename(self.hidden_path(version, state), self.path(version))

    def hide(self, version: int, state: Hidden) -> None:
        """Takes a visible version out of sight, in one step and durably."""
        rename(self.path(version), self.hidden_path(version, state))

    def clear(self, state: Hidden) -> None:
        """Deletes what is in a hidden state; only the holder of the lock may."""
        for version in self.hidden(state):
            shutil.rmtree(self.hidden_path(version, state))

    def prune(self, keep: int) -> None:
        """Leaves the newest `keep` visible versions, and no superseded one."""
        for version in self.visible()[:-keep]:
            self.hide(version, "pruned")
        self.drop_superseded()

    def drop_superseded(self) -> None:
        """Deletes rolled back versions that a newer visible one has taken the place of."""
        newest = self.newest()
        for version in self.hidden("retired"):
            if version < newest:
                rename(self.hidden_path(version, "retired"), self.hidden_path(version, "pruned"))
        self.clear("pruned")

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Waits for and holds the folder's lock.

        Raises:
            UserError: the folder cannot be written to.
        """
        try:
            lock = (self.base / ".lock").open("w")
        except OSError as error:
            raise UserError(f"{self.base} cannot be written to: {error.strerror}.") from None
        with lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def rename(source: Path, target: Path) -> None:
    """Renames a folder atomically and flushes the folder that holds it."""
    source.rename(target)
    flush(target.parent)


def flush(path: Path) -> None:
    """Flushes a file's contents, or a folder's entries, to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
