"""Entry point of a server that another process runs, and that ends with it.

A killed process stops none of its children. The parent of this one holds the other end of its
standard input, which the system closes however the parent ends.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Sequence

from serving import __main__ as server

_STANDARD_INPUT = 0


def main(arguments: Sequence[str]) -> int:
    """Runs the server until it is told to stop or its parent is gone; returns its exit code."""
    threading.Thread(target=_end_with_parent, name="parent", daemon=True).start()
    return server.main(arguments)


def _end_with_parent() -> None:
    # Not by `sys.stdin`, whose lock a thread that still waits would hold at the end of Python.
    while os.read(_STANDARD_INPUT, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
