"""A line of JSON for each face and frame."""

import json
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
        """Opens a file, anew; `-` is standard output.

        Raises:
          UserError: it cannot be written.
        """
        self._path = path
        if path == STANDARD_OUTPUT:
            self._file: TextIO = sys.stdout
            return
        check_writable(path, "--jsonl")
        try:
            self._file = path.open("w", encoding="utf-8")
        except OSError as error:
            raise self._trouble(error) from None

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
            self._file.write("".join(lines))
            self._file.flush()
        except OSError as error:
            raise self._trouble(error) from None

    def close(self) -> None:
        """Closes the file."""
        if self._file is not sys.stdout:
            # What could not be written was told by `write`.
            with suppress(OSError):
                self._file.close()

    def _trouble(self, error: OSError) -> UserError:
        return UserError(f"--jsonl {self._path} cannot be written: {error.strerror}.")


def _named(labels: tuple[str, ...], row: np.ndarray) -> dict[str, float]:
    return {name: round(float(value), 6) for name, value in zip(labels, row, strict=True)}
