"""Finding faces in a frame.

A detector's box is turned into a square the way training images were cut: the whole face, from
forehead to chin. Each detector draws its boxes otherwise, so each has its own scale and lift,
measured by `benchmarks/webcam_detectors.py` as what brings its boxes back to the edges of known
crops.
"""

from pathlib import Path
from typing import Protocol

from clients.webcam.geometry import Box, Image
from pipeline.errors import UserError

DETECTORS = ("blazeface", "haar", "yunet")


class Detector(Protocol):
    """Finds faces."""

    name: str

    def detect(self, image: Image) -> list[Box]:
        """Returns a square for each face, framed as the training images are; largest first.

        Args:
          image: uint8[h, w, 3], any size.
        """
        ...


def make_detector(name: str, model: Path | None = None) -> Detector:
    """Makes a detector; only the one asked for is imported.

    Args:
      name: One of `DETECTORS`.
      model: YuNet's ONNX file; the others bring their weights.

    Raises:
      UserError: no such detector, or its weights are missing or unreadable.
    """
    match name:
        case "blazeface":
            from clients.webcam.detection.blazeface import BlazeFace  # noqa: PLC0415

            return BlazeFace()
        case "haar":
            from clients.webcam.detection.haar import HaarCascade  # noqa: PLC0415

            return HaarCascade()
        case "yunet":
            from clients.webcam.detection.yunet import YuNet  # noqa: PLC0415

            if model is None:
                raise UserError("--detector yunet needs --detector-model, YuNet's .onnx file.")
            return YuNet(model)
    raise UserError(f"--detector {name}: there is no such detector; take {', '.join(DETECTORS)}.")
