"""How many processor cores there are to use."""

import os
from collections.abc import Callable


def available() -> int:
    """Cores that this process may run on, at least 1; macOS tells all that there are alone."""
    affinity: Callable[[int], set[int]] | None = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity is not None else os.cpu_count() or 1
