"""How a running component tells the screen how far it is, when there is one to tell."""

import logging
from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol, TypeVar

_Item = TypeVar("_Item")
_LOGGER = logging.getLogger(__name__)


class ProgressListener(Protocol):
    """What a screen takes; see `listen`."""

    def on_progress(self, fraction: float, text: str) -> None:
        """A share in [0, 1] of the current stage is done."""

    def on_epoch(
        self, epoch: int, epochs: int, metrics: Mapping[str, float], whose: str = ""
    ) -> None:
        """Epoch `epoch` of `epochs`, counted from 1, has ended; `whose` goes before the word."""


_listener: ProgressListener | None = None


def listen(listener: ProgressListener | None) -> None:
    """Sends the progress of this process to a listener; None stops it.

    A component under an orchestrator has no listener, and its progress goes to the log alone.
    """
    global _listener  # noqa: PLW0603  (one screen a process)
    _listener = listener


def report(fraction: float, text: str) -> None:
    """Reports the share of the current stage that is done, in [0, 1]."""
    if _listener is not None:
        _listener.on_progress(fraction, text)


def reported(items: Iterable[_Item], count: int, text: str) -> Iterator[_Item]:
    """The items as they are, about `count` of them, with a report before each."""
    for index, item in enumerate(items):
        report(min(index / count, 1.0), text)
        yield item


def epoch_done(epoch: int, epochs: int, metrics: Mapping[str, float], whose: str = "") -> None:
    """Reports the end of an epoch, counted from 1, of the exported network or `whose`."""
    told = ", ".join(f"{key} {value:.4f}" for key, value in metrics.items())
    _LOGGER.info("%sepoch %d/%d: %s", whose, epoch, epochs, told)
    if _listener is not None:
        _listener.on_epoch(epoch, epochs, metrics, whose)
