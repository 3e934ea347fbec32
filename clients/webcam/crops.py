"""Faces cut out of a frame, as the training images were: square, grey, the whole face."""

from collections.abc import Sequence

import cv2
import numpy as np
from PIL import Image as PillowImage

from clients.webcam.geometry import Box, Image


def cut(image: Image, box: Box) -> np.ndarray:
    """Cuts a square out of a frame; what lies beyond the frame repeats its edge.

    Args:
      image: uint8[h, w, 3].
      box: A square.

    Returns:
      Grey uint8[n, n], n at least 1.
    """
    side = max(round(box.width), 1)
    left, top = round(box.left), round(box.top)
    height, width = image.shape[:2]
    rows = np.clip(np.arange(top, top + side), 0, height - 1)
    columns = np.clip(np.arange(left, left + side), 0, width - 1)
    inside = image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    grey = cv2.cvtColor(inside, cv2.COLOR_BGR2GRAY)
    return grey[np.ix_(rows - rows[0], columns - columns[0])]


def batch(faces: Sequence[np.ndarray], size: int) -> np.ndarray:
    """Resizes faces as `pipeline/preprocessing.py` does, uint8[n, size, size, 1].

    Args:
      faces: Grey uint8[k, k], each of its own size.
      size: Side of the model's image.
    """
    return np.stack([_resize(face, size) for face in faces])[..., np.newaxis]


def _resize(face: np.ndarray, size: int) -> np.ndarray:
    # Pillow's bilinear filter widens where the image shrinks, as that of tf.image.resize with
    # antialias does and none of OpenCV's; in floating point it is rounded once, as there.
    exact = PillowImage.fromarray(face.astype(np.float32)).resize(
        (size, size), PillowImage.Resampling.BILINEAR
    )
    return np.rint(np.asarray(exact)).astype(np.uint8)
