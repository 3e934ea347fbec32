"""Faces cut out of a frame, as the training images were: square, grey, the whole face."""

from collections.abc import Sequence

import cv2
import numpy as np

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
    """Resizes faces to the model's input, uint8[n, size, size, 1].

    Args:
      faces: Grey uint8[k, k], each of its own size.
      size: Side of the model's image.
    """
    pixels = np.empty((len(faces), size, size, 1), np.uint8)
    for row, face in zip(pixels, faces, strict=True):
        shrink = face.shape[0] > size
        row[:, :, 0] = cv2.resize(
            face, (size, size), interpolation=cv2.INTER_AREA if shrink else cv2.INTER_LINEAR
        )
    return pixels
