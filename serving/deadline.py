"""Until when somebody waits for the answer to a request."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from serving.errors import ServingError, StatusCode


@dataclass(frozen=True)
class Deadline:
    """End of a client's patience.

    Attributes:
      at: moment, by `time.monotonic()`; infinity for none.
      is_waiting: whether the client is still there.
    """

    at: float = math.inf
    is_waiting: Callable[[], bool] = lambda: True

    @classmethod
    def after(
        cls, seconds: float | None, is_waiting: Callable[[], bool] = lambda: True
    ) -> Deadline:
        """The deadline this many seconds from now; None for no deadline."""
        return cls(math.inf if seconds is None else time.monotonic() + seconds, is_waiting)

    def seconds_left(self) -> float:
        """Seconds until the deadline; infinity without one.

        Raises:
          ServingError: DEADLINE_EXCEEDED once it has passed, CANCELLED when the client has gone.
        """
        left = self.at - time.monotonic()
        if left <= 0:
            raise ServingError(
                StatusCode.DEADLINE_EXCEEDED, "The deadline passed before the answer was ready"
            )
        if not self.is_waiting():
            raise ServingError(StatusCode.CANCELLED, "The client cancelled the request")
        return left


NO_DEADLINE = Deadline()
