"""What stands between two threads of the pipeline: room for one thing."""

import threading
from typing import Generic, TypeVar

T = TypeVar("T")


class Slot(Generic[T]):
    """Holds the newest thing put into it until it is taken.

    Attributes:
      dropped: How many things a newer one took the place of.
    """

    def __init__(self) -> None:
        self._item: T | None = None
        self._condition = threading.Condition()
        self._closed = False
        self.dropped = 0

    @property
    def filled(self) -> bool:
        """Whether something waits to be taken."""
        return self._item is not None

    def put(self, item: T, *, wait: bool = False) -> None:
        """Puts a thing in.

        Args:
          item: The thing.
          wait: Whether to wait until the one before is taken rather than take its place.
        """
        with self._condition:
            if wait:
                self._condition.wait_for(lambda: self._item is None or self._closed)
            elif self._item is not None:
                self.dropped += 1
            self._item = item
            self._condition.notify_all()

    def take(self, timeout: float) -> T | None:
        """Takes what is there; waits up to `timeout` seconds for it, then returns None."""
        with self._condition:
            self._condition.wait_for(lambda: self._item is not None or self._closed, timeout)
            item, self._item = self._item, None
            self._condition.notify_all()
            return item

    def close(self) -> None:
        """Lets every waiting thread go on."""
        with self._condition:
            self._closed = True
            self._condition.notify_all()
