"""What the program knows of itself, for the screen."""

import threading
from collections import deque
from collections.abc import Callable
from time import monotonic

_WINDOW_SECONDS = 2.0


class Rate:
    """Events a second over the last two seconds."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._times: deque[float] = deque()
        self._lock = threading.Lock()

    def count(self) -> None:
        """Counts an event."""
        with self._lock:
            self._times.append(self._clock())
            self._trim()

    def value(self) -> float:
        """Returns events a second; 0 before the second event."""
        with self._lock:
            self._trim()
            if len(self._times) < 2:
                return 0.0
            return (len(self._times) - 1) / max(self._times[-1] - self._times[0], 1e-6)

    def _trim(self) -> None:
        while self._times and self._clock() - self._times[0] > _WINDOW_SECONDS:
            self._times.popleft()


class Status:
    """Written by the threads, read by the screen; each attribute is replaced whole.

    Attributes:
      source: Name of the source.
      source_trouble: One sentence while the source fails, else empty.
      model: Name of the backend.
      model_trouble: One sentence while the model does not answer, else empty.
      version: The version that answered last.
      latency: Seconds from a frame's capture to its answer, smoothed.
      latencies: The last thousand of them.
    """

    def __init__(self, model: str = "") -> None:
        self.source = ""
        self.source_trouble = ""
        self.model = model
        self.model_trouble = ""
        self.version = ""
        self.latency = 0.0
        self.latencies: deque[float] = deque(maxlen=1000)
        self.frames = Rate()

    def answered(self, latency: float, version: str) -> None:
        """Notes an answer.

        Args:
          latency: Seconds since its frame was captured.
          version: The version that answered.
        """
        self.latencies.append(latency)
        self.latency += (latency - self.latency) * (0.1 if self.latency else 1.0)
        self.version = version
        self.model_trouble = ""
