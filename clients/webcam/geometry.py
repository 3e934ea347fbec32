"""Boxes around faces."""

from typing import NamedTuple

import numpy as np

Image = np.ndarray
"""uint8[h, w, 3], blue, green, red, as OpenCV has it; or uint8[h, w] where said so."""


class Box(NamedTuple):
    """A rectangle in pixels of the frame; it may reach beyond the frame's edges."""

    left: float
    top: float
    width: float
    height: float

    @property
    def centre(self) -> tuple[float, float]:
        """Its middle, x and y."""
        return self.left + self.width / 2, self.top + self.height / 2

    @property
    def area(self) -> float:
        """In square pixels."""
        return max(self.width, 0.0) * max(self.height, 0.0)

    def squared(self, scale: float = 1.0, lift: float = 0.0) -> "Box":
        """Returns a square about the box.

        Args:
          scale: Its side over the longer side of the box.
          lift: How far its centre lies above the box's, in longer sides of the box.
        """
        longer = max(self.width, self.height)
        side = longer * scale
        x, y = self.centre
        return Box(x - side / 2, y - lift * longer - side / 2, side, side)


def overlap(a: Box, b: Box) -> float:
    """Returns intersection over union, 0 to 1."""
    width = min(a.left + a.width, b.left + b.width) - max(a.left, b.left)
    height = min(a.top + a.height, b.top + b.height) - max(a.top, b.top)
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    return shared / (a.area + b.area - shared)
