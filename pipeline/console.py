"""One stream for people, and a log file for everything that libraries print."""

import faulthandler
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console


@contextmanager
def quiet(log_file: Path) -> Iterator[Console]:
    """Sends standard output and error to a file, down to the file descriptors.

    TensorFlow, XLA and gRPC write from C++ straight to descriptors 1 and 2, so replacing
    `sys.stdout` would not catch them.

    Args:
      log_file: Appended to; its folder is made.

    Yields:
      A console on the terminal as it was before.
    """
    log_file.parent.mkdir(parents=True, exist_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    saved = [os.dup(1), os.dup(2)]
    screen = os.fdopen(os.dup(1), "w", encoding="utf-8", errors="replace")
    log = os.open(log_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        os.dup2(log, 1)
        os.dup2(log, 2)
        logging.basicConfig(
            level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", force=True
        )
        faulthandler.enable()
        # What is no terminal has no width; 80 columns would fold file names.
        yield Console(file=screen, width=None if os.isatty(saved[0]) else 110)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for descriptor, copy in zip((1, 2), saved, strict=True):
            os.dup2(copy, descriptor)
            os.close(copy)
        os.close(log)
        screen.close()


def short_path(path: Path) -> str:
    """The path as people would type it here: relative to the working folder if it is below that."""
    return os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path)
