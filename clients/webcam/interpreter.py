"""LiteRT's interpreter, as both networks of the program use it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ai_edge_litert.interpreter import Interpreter


def load(path: Path) -> Interpreter:
    """Loads a model, ready for its tensors; one thread, for the stages overlap already.

    Raises:
      ValueError, RuntimeError: LiteRT cannot read the file.
    """
    with _without_native_messages():
        interpreter = Interpreter(model_path=str(path), num_threads=1)
        interpreter.allocate_tensors()
    return interpreter


@contextmanager
def _without_native_messages() -> Iterator[None]:
    # LiteRT tells that it made its CPU delegate, and no setting keeps it from that.
    error = os.dup(2)
    with Path(os.devnull).open("w") as nothing:
        os.dup2(nothing.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(error, 2)
        os.close(error)
