"""A line of JSON for each face and frame."""

import json
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import TextIO

import numpy as np

from clients.webcam.backends import Prediction
from clients.webcam.frames import Shot
from clients.webcam.recording import check_writable
from pipeline.errors import UserError

STANDARD_OUTPUT = Path("-")


class Journal:
    """Writes what the model said; whole lines, at once, so that another program may follow."""

    def __init__(self, path: Path) -> None:
        """Looks at a file and leaves it as it is; `-` is standard output.

        Raises:
          UserError: it cannot be written.
        """
        self._path = path
        self._file: TextIO | None = sys.stdout if path == STANDARD_OUTPUT else None
        if self._file is None:
            if not path.exists() or path.is_dir():
                check_writable(path, "--jsonl")
            # Emptied in place, it needs nothing of its folder, which may be /dev.
            elif not os.access(path, os.W_OK):
                raise UserError(f"--jsonl {path}: it cannot be written.")

    def open(self) -> TextIO:
        """Empties the file and returns it; apart, so that a run that cannot start empties none.

        Raises:
          UserError: it cannot be written.
        """
        if self._file is None:
            try:
                self._file = self._path.open("w", encoding="utf-8")
            except OSError as error:
                raise self._trouble(error) from None
        return self._file

    def write(self, shot: Shot, prediction: Prediction | None, latency: float) -> None:
        """Adds a line for each face of a shot.

        Args:
          shot: Its faces carry smoothed probabilities.
          prediction: The answer they come from; None if there were no faces.
          latency: Seconds from capture to answer.

        Raises:
          UserError: the disk is full, or nobody reads standard output any more.
        """
        if prediction is None:
            return
        file = self.open()
        lines = []
        for face, raw in zip(shot.faces, prediction.probabilities, strict=True):
            if face.probabilities is None:
                continue
            line = {
                "frame": shot.frame.number,
                "time": round(shot.frame.time, 4),
                "latency": round(latency, 4),
                "track": face.track,
                "box": [round(value, 1) for value in face.box],
                "label": face.label,
                "probabilities": _named(prediction.labels, raw),
                "smoothed": _named(prediction.labels, face.probabilities),
                "version": prediction.version,
            }
            lines.append(json.dumps(line, ensure_ascii=False) + "\n")
        try:
            file.write("".join(lines))
            file.flush()
        except OSError as error:
            raise self._trouble(error) from None

    def close(self) -> None:
        """Closes the file."""
        if self._file is not None and self._path != STANDARD_OUTPUT:
            # What could not be written was told by `write`.
            with suppress(OSError):
                self._file.close()

    def _trouble(self, error: OSError) -> UserError:
        return UserError(f"--jsonl {self._path} cannot be written: {error.strerror}.")


def _named(labels: tuple[str, ...], row: np.ndarray) -> dict[str, float]:
    return {name: round(float(value), 6) for name, value in zip(labels, row, strict=True)}
