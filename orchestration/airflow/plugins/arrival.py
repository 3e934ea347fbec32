"""The trigger that tells of new data: another archive in the old one's place, or a new span."""

import asyncio
import contextlib
import glob
import json
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from airflow.triggers.base import BaseEventTrigger, TriggerEvent

Seen = dict[str, list[int]]
"""Path of each file to its size in bytes and its time of change in nanoseconds."""


class ArrivalTrigger(BaseEventTrigger):
    """Fires each time there are data that were not there before, or were others.

    What is there when the watch of a pattern begins is no news. What was last seen is kept in a
    file, so that data that land while Airflow is down are told of when it is up again. A copy that
    goes on while it is looked at is waited for: data have landed when two looks in a row see the
    same.
    """

    def __init__(self, pattern: str, state: str, interval_s: float) -> None:
        """Makes the trigger.

        Args:
          pattern: Glob of zips, folders or CSVs.
          state: File that keeps what was last seen.
          interval_s: Seconds between two looks.
        """
        super().__init__()
        self.pattern, self.state, self.interval_s = pattern, state, interval_s

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """As Airflow's triggerer makes it again."""
        arguments = {"pattern": self.pattern, "state": self.state, "interval_s": self.interval_s}
        return f"{type(self).__module__}.{type(self).__qualname__}", arguments

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Looks, for as long as Airflow runs."""
        known = self._read()
        if known is None:
            known = await asyncio.to_thread(look, self.pattern)
            self._write(known)
        before = known
        while True:
            await asyncio.sleep(self.interval_s)
            seen = await asyncio.to_thread(look, self.pattern)
            if seen and seen == before and seen != known:
                new = sorted(path for path in seen if seen[path] != known.get(path))
                self._write(seen)
                known = seen
                if new:  # Data that are gone are no reason for a run.
                    yield TriggerEvent({"landed": new[:10]})
            before = seen

    def _read(self) -> Seen | None:
        try:
            state = json.loads(Path(self.state).read_text(encoding="utf-8"))
            if state["pattern"] != self.pattern:
                return None
            seen: Seen = state["seen"]
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return seen

    def _write(self, seen: Seen) -> None:
        draft = Path(f"{self.state}.tmp")
        draft.parent.mkdir(parents=True, exist_ok=True)
        state = {"pattern": self.pattern, "seen": seen}
        draft.write_text(json.dumps(state), encoding="utf-8")
        draft.replace(self.state)


def look(pattern: str) -> Seen:
    """What there is now."""
    seen: Seen = {}
    for found in map(Path, glob.iglob(pattern)):  # noqa: PTH207 - the pattern is absolute.
        for file in found.rglob("*") if found.is_dir() else [found]:
            # It may be moved away in the meantime, or be a link that leads to itself.
            with contextlib.suppress(OSError):
                status = file.stat()
                if stat.S_ISREG(status.st_mode):
                    seen[str(file)] = [status.st_size, status.st_mtime_ns]
    return seen
