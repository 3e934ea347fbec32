"""Pictures with faces whose places are known: drawn, or of a public-domain photograph."""

import resource
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from skimage import data

from clients.webcam.geometry import Box
from pipeline.drawn_sample import draw_face

WIDTH, HEIGHT = 640, 480
# The astronaut's face in scikit-image's photograph, forehead to chin.
ASTRONAUT_FACE = Box(170, 62, 108, 108)


@cache
def _astronaut() -> np.ndarray:
    return cv2.cvtColor(data.astronaut(), cv2.COLOR_RGB2BGR)


def astronaut() -> np.ndarray:
    """NASA's portrait of Eileen Collins (public domain), uint8[512, 512, 3]."""
    return _astronaut().copy()


def backdrop() -> np.ndarray:
    """A picture without faces, uint8[480, 640, 3]."""
    return np.full((HEIGHT, WIDTH, 3), (150, 140, 130), np.uint8)


def with_face(
    left: int = 200, top: int = 100, side: int = 240, expression: str = "happy", seed: int = 2
) -> np.ndarray:
    """The backdrop with a drawn face."""
    scene = backdrop()
    face = draw_face(expression, np.random.default_rng(seed), side)
    scene[top : top + side, left : left + side] = face[:, :, np.newaxis]
    return scene


def crowd(rows: int, columns: int) -> np.ndarray:
    """The astronaut's head many times, each 160 pixels high and wide."""
    head = astronaut()[20:220, 120:320]
    return np.tile(cv2.resize(head, (160, 160), interpolation=cv2.INTER_AREA), (rows, columns, 1))


def write_video(path: Path, frames: Iterable[np.ndarray], rate: float = 30.0) -> Path:
    """Writes an MP4."""
    writer = None
    for frame in frames:
        if writer is None:
            size = (frame.shape[1], frame.shape[0])
            writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), rate, size)
        writer.write(frame)
    assert writer is not None
    writer.release()
    return path


def read_video(path: Path) -> tuple[int, float, tuple[int, int]]:
    """Number of frames that decode, frames a second, and width and height."""
    capture = cv2.VideoCapture(str(path))
    rate, count, size = capture.get(cv2.CAP_PROP_FPS), 0, (0, 0)
    while True:
        done, frame = capture.read()
        if not done:
            return count, rate, size
        count, size = count + 1, (frame.shape[1], frame.shape[0])


@contextmanager
def room_for(size: int) -> Iterator[None]:
    """Lets no file that is written meanwhile become larger, as a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
