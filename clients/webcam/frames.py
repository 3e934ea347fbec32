"""What flows through the pipeline."""

from dataclasses import dataclass

import numpy as np

from clients.webcam.geometry import Image
from clients.webcam.tracking import Face


@dataclass(frozen=True)
class Frame:
    """A picture and when it was taken.

    Attributes:
      image: uint8[h, w, 3], blue, green, red.
      number: Counts the frames that were read, from 0.
      time: Seconds since the program began; in a file, by its own frame rate. It never goes back.
      captured: `time.monotonic()` when it was read, for latency.
    """

    image: Image
    number: int
    time: float
    captured: float


@dataclass(frozen=True)
class Shot:
    """A frame with its faces."""

    frame: Frame
    faces: tuple[Face, ...] = ()


# After the last frame, and after the last shot.
END = Frame(np.empty((0, 0, 3), np.uint8), -1, 0.0, 0.0)
LAST = Shot(END)
