"""Where a version stands, and how a failed load is tried again."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from serving.errors import ServingError


class State(enum.IntEnum):
    """Life of a version; the numbers are those of `ModelVersionStatus.State`."""

    START = 10
    LOADING = 20
    AVAILABLE = 30
    UNLOADING = 40
    END = 50


@dataclass
class VersionStatus:
    """Where one version stands; `error` says why it failed, if it did."""

    path: str
    state: State = State.START
    error: ServingError | None = None
    aspired: bool = True
    failures: int = 0
    retry_at: float = 0.0

    def forgo(self) -> None:
        """Wants it no more, which ends the wait for a next attempt to load it."""
        self.aspired = False
        if self.state == State.LOADING and self.retry_at:
            self.state, self.retry_at = State.END, 0.0


@dataclass(frozen=True)
class RetryPolicy:
    """How often a failed load is tried again, and after how many seconds."""

    retries: int = 5
    interval_seconds: float = 60.0
