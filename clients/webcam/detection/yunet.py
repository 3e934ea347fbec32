"""YuNet (Wu et al., 2023, "YuNet: A Tiny Millisecond-level Face Detector") through OpenCV."""

from pathlib import Path

import cv2

from clients.webcam.geometry import Box, Image
from pipeline.errors import UserError

_SCALE = 1.0
_LIFT = 0.0
_LONGEST_SIDE = 640


class YuNet:
    """YuNet from a file such as `face_detection_yunet_2023mar.onnx` of the OpenCV model zoo."""

    name = "yunet"

    def __init__(self, path: Path, min_score: float = 0.7) -> None:
        """Loads the network.

        Raises:
          UserError: the file is missing or is not YuNet.
        """
        if not path.is_file():
            raise UserError(f"--detector-model {path}: there is no such file.")
        try:
            self._network = cv2.FaceDetectorYN.create(str(path), "", (320, 320), min_score)
        except cv2.error:
            raise UserError(f"--detector-model {path}: OpenCV cannot read YuNet from it.") from None

    def detect(self, image: Image) -> list[Box]:
        """See `Detector`."""
        height, width = image.shape[:2]
        scale = min(1.0, _LONGEST_SIDE / max(height, width))
        small = cv2.resize(image, None, fx=scale, fy=scale) if scale < 1 else image
        self._network.setInputSize((small.shape[1], small.shape[0]))
        _, found = self._network.detect(small)
        rows = [] if found is None else found[:, :4] / scale
        boxes = [Box(*map(float, row)).squared(_SCALE, _LIFT) for row in rows]
        return sorted(boxes, key=lambda box: -box.area)
