"""Viola and Jones's cascade of Haar features, as OpenCV trained it on frontal faces."""

from pathlib import Path

import cv2

from clients.webcam.geometry import Box, Image
from pipeline.errors import UserError

_SCALE = 1.0
_LIFT = 0.0


class HaarCascade:
    """OpenCV's `haarcascade_frontalface_default.xml`, which OpenCV 4's wheel carries."""

    name = "haar"

    def __init__(self, smallest: float = 0.08) -> None:
        """Loads the cascade.

        Args:
          smallest: Side of the smallest face over the frame's shorter side.

        Raises:
          UserError: OpenCV came without it.
        """
        self._smallest = smallest
        path = Path(cv2.__file__).parent / "data" / "haarcascade_frontalface_default.xml"
        self._cascade = cv2.CascadeClassifier()
        if not path.is_file() or not self._cascade.load(str(path)):
            raise UserError(
                f"{path} is missing: this OpenCV has no Haar cascades; take another --detector."
            )

    def detect(self, image: Image) -> list[Box]:
        """See `Detector`."""
        grey = cv2.equalizeHist(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY))
        side = max(24, round(self._smallest * min(grey.shape)))
        found = self._cascade.detectMultiScale(
            grey, scaleFactor=1.1, minNeighbors=5, minSize=(side, side)
        )
        boxes = [Box(*map(float, row)).squared(_SCALE, _LIFT) for row in found]
        return sorted(boxes, key=lambda box: -box.area)
