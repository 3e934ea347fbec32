"""How long to wait before trying again."""


class Backoff:
    """Doubles from try to try, so that what is gone is neither hammered nor forgotten."""

    def __init__(self, first: float = 0.25, most: float = 4.0) -> None:
        """Starts over; both in seconds."""
        self._first, self._most = first, most
        self._next = first

    def delay(self) -> float:
        """Returns the seconds to wait after another failure."""
        delay = self._next
        self._next = min(2 * delay, self._most)
        return delay

    def reset(self) -> None:
        """Starts over, after a success."""
        self._next = self._first
