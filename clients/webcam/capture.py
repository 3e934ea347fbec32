"""The thread that reads frames, and gets a lost camera back."""

import sys
import threading
from collections.abc import Callable, Sequence
from time import monotonic

from clients.webcam.backoff import Backoff
from clients.webcam.frames import END, Frame
from clients.webcam.slot import Slot
from clients.webcam.sources import Source, open_source
from clients.webcam.status import Status
from pipeline.errors import UserError


class Reader:
    """Reads one source after another into a slot.

    Live frames take the place of older ones; others come at their own pace, or, `paced` being
    false, as soon as the one before was taken, so that none is lost.
    """

    def __init__(
        self,
        specs: Sequence[str],
        out: Slot[Frame],
        status: Status,
        stop: threading.Event,
        *,
        paced: bool,
        opener: Callable[[str], Source] = open_source,
    ) -> None:
        """Opens the first source.

        Args:
          specs: What `--source` names, in order.
          out: Where frames go; `END` after the last.
          status: Told of trouble.
          stop: Ends the thread.
          paced: Whether frames that are not live come at their own pace, for people to look at.
          opener: Opens a source; tests pass their own.

        Raises:
          UserError: the first source cannot be opened.
        """
        self._specs = list(specs)
        self._out = out
        self._status = status
        self._stop = stop
        self._paced = paced
        self._opener = opener
        self._number = 0
        self._start = monotonic()
        self._time = 0.0
        self._next = threading.Event()
        self.paused = threading.Event()
        self._source: Source | None = opener(self._specs[0])
        self.live = self._source.live

    def next_source(self) -> None:
        """Goes on to the next source, from another thread; after the last comes the first."""
        self._next.set()

    def run(self) -> None:
        """Reads until the last source has ended or `stop` is set."""
        index = 0
        while not self._stop.is_set() and index < len(self._specs):
            source = self._source or self._reopen(self._specs[index])
            self._source = None
            if source is not None:
                self._read(source, last=index == len(self._specs) - 1)
                source.close()
            if self._next.is_set():
                self._next.clear()
                index = (index + 1) % len(self._specs)
            elif source is None or not source.live:
                index += 1
            # Else a live source was lost: the same again.
        self._out.put(END, wait=True)

    def _read(self, source: Source, *, last: bool) -> None:
        """Reads until the source ends, is lost, or is left."""
        self.live = source.live
        began, base = monotonic(), self._time + 1.0
        if source.live and self._number:
            # A file before it may have been gone through faster than it plays.
            self._start = min(self._start, began - base)
        position = 0.0
        while not self._left():
            if self.paused.is_set() and not source.live:
                paused = monotonic()
                self._stop.wait(0.02)
                began += monotonic() - paused
                continue
            image = source.read()
            if image is None:
                break
            if self.paused.is_set():
                continue
            self._status.source = source.name
            self._time = monotonic() - self._start if source.live else base + position
            frame = Frame(image, self._number, self._time, monotonic())
            self._number += 1
            if self._paced or source.live:
                self._out.put(frame)
            else:
                self._out.put(frame, wait=True)
            position += source.interval
            if self._paced and not source.live:
                self._wait(began + position - monotonic())
        if self._paced and last and not source.live and position == source.interval:
            # An image stays until it is left.
            self._wait(float("inf"))

    def _reopen(self, spec: str) -> Source | None:
        """Opens a source that is not the first; tries again until it is there or is left.

        Returns:
          None if it was left, or is a file, which will not come back.
        """
        backoff = Backoff()
        while not self._left():
            try:
                source = self._opener(spec)
                self._status.source_trouble = ""
                return source
            except UserError as error:
                if not (spec.isdecimal() or "://" in spec):
                    print(f"{error} It is passed over.", file=sys.stderr)
                    return None
                self._status.source_trouble = str(error)
                self._wait(backoff.delay())
        return None

    def _left(self) -> bool:
        return self._stop.is_set() or self._next.is_set()

    def _wait(self, seconds: float) -> None:
        end = monotonic() + seconds
        while not self._left() and monotonic() < end:
            self._stop.wait(min(0.05, max(end - monotonic(), 0)))
