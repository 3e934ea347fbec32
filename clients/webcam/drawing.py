"""What is drawn over a frame."""

from collections.abc import Mapping, Sequence

import cv2
import numpy as np

from clients.webcam.geometry import Image
from clients.webcam.status import Status
from clients.webcam.text import Writer
from clients.webcam.tracking import Face

# Okabe and Ito's colours, which stay apart for colour-blind eyes; blue, green, red.
PALETTE = (
    (66, 228, 240),
    (0, 159, 230),
    (115, 158, 0),
    (233, 180, 86),
    (178, 114, 0),
    (0, 94, 213),
    (167, 121, 204),
)
_WHITE = (255, 255, 255)
_GREY = (190, 190, 190)
_WARNING = (80, 190, 255)
_TEXT = 17
_SMALL = 14
_BARS_WIDTH = 170
_MOST_BARS = 3

HELP = (
    "h  this help",
    "p  pause",
    "s  snapshot",
    "r  record",
    "m  mirror",
    "n  next source",
    "q  quit",
)


class Painter:
    """Draws faces, what is known of the program, and help."""

    def __init__(self, writer: Writer, names: Mapping[str, str] | None = None) -> None:
        """Takes the means of writing.

        Args:
          writer: Writes text.
          names: What to show for a class rather than its own name.
        """
        self._writer = writer
        self._names = dict(names or {})

    def faces(self, image: Image, faces: Sequence[Face], *, mirrored: bool = False) -> None:
        """Draws a box and a label for each face, and bars for the largest ones.

        Args:
          image: uint8[h, w, 3], changed in place.
          faces: Largest first.
          mirrored: Whether the image was flipped after the faces were found.
        """
        for index, face in enumerate(faces):
            box = face.box
            left = image.shape[1] - box.left - box.width if mirrored else box.left
            corner = (round(left), round(box.top))
            side = round(box.width)
            colour = self._colour(face)
            cv2.rectangle(
                image, corner, (corner[0] + side, corner[1] + side), colour, 2, cv2.LINE_AA
            )
            self._label(image, face, corner, colour)
            if index < _MOST_BARS and face.probabilities is not None:
                self._bars(image, face.labels, face.probabilities, corner, side)

    def panel(
        self, image: Image, lines: Sequence[tuple[str, bool]], *, bottom: bool = False
    ) -> None:
        """Writes lines on a darkened corner, at the top left or bottom left.

        Args:
          image: uint8[h, w, 3], changed in place.
          lines: Each with whether it is a warning.
          bottom: Whether at the bottom.
        """
        if not lines:
            return
        sizes = [self._writer.size(text, _TEXT) for text, _ in lines]
        width, height = max(size[0] for size in sizes) + 16, sum(size[1] for size in sizes) + 10
        top = image.shape[0] - height - 6 if bottom else 6
        _darken(image, 6, top, width, height)
        y = top + 5
        for (text, warning), size in zip(lines, sizes, strict=True):
            self._writer.write(image, text, (14, y), _TEXT, _WARNING if warning else _WHITE)
            y += size[1]

    def _label(
        self, image: Image, face: Face, corner: tuple[int, int], colour: tuple[int, int, int]
    ) -> None:
        label = face.label
        if label is None or face.probabilities is None:
            text = "…"
        else:
            text = f"{self._names.get(label, label)} {100 * face.probabilities.max():.0f}%"
        width, height = self._writer.size(text, _TEXT)
        # Above the box; inside it where there is no room.
        top = corner[1] - height if corner[1] >= height else max(corner[1], 0)
        left = min(max(corner[0], 0), max(image.shape[1] - width - 8, 0))
        cv2.rectangle(image, (left, top), (left + width + 8, top + height), colour, -1)
        self._writer.write(image, text, (left + 4, top), _TEXT, (0, 0, 0))

    def _bars(
        self,
        image: Image,
        labels: Sequence[str],
        probabilities: np.ndarray,
        corner: tuple[int, int],
        side: int,
    ) -> None:
        shown = [self._names.get(label, label) for label in labels]
        rows = [self._writer.size(name, _SMALL) for name in shown]
        names_width = max(row[0] for row in rows)
        height = max(row[1] for row in rows) + 2
        width = max(_BARS_WIDTH, names_width + 80)
        left = corner[0] + side + 6
        if left + width > image.shape[1]:
            left = corner[0] - width - 6
        if left < 0:
            return
        top = min(max(corner[1], 0), max(image.shape[0] - height * len(shown) - 8, 0))
        _darken(image, left, top, width, height * len(shown) + 8)
        start, room = left + names_width + 14, width - names_width - 20
        for index, (name, probability) in enumerate(zip(shown, probabilities, strict=True)):
            y = top + 4 + index * height
            self._writer.write(image, name, (left + 6, y), _SMALL, _WHITE)
            end = start + max(round(room * float(probability)), 1)
            cv2.rectangle(
                image, (start, y + 3), (end, y + height - 5), PALETTE[index % len(PALETTE)], -1
            )

    @staticmethod
    def _colour(face: Face) -> tuple[int, int, int]:
        if face.probabilities is None:
            return _GREY
        return PALETTE[int(np.argmax(face.probabilities)) % len(PALETTE)]


def status_lines(
    status: Status, dropped: int, *, recording: bool, paused: bool
) -> list[tuple[str, bool]]:
    """Returns the lines of the panel, each with whether it is a warning."""
    version = f", version {status.version}" if status.version else ""
    lines = [
        (
            f"{status.frames.value():.0f} fps   {1000 * status.latency:.0f} ms   {dropped} dropped",
            False,
        ),
        (f"{status.model}{version}", False),
        (status.source, False),
    ]
    if paused:
        lines.append(("paused", True))
    if recording:
        lines.append(("● recording", True))
    for trouble in (status.model_trouble, status.source_trouble):
        if trouble:
            lines.append((trouble, True))
    return [line for line in lines if line[0]]


def _darken(image: Image, left: int, top: int, width: int, height: int) -> None:
    area = image[max(top, 0) : max(top + height, 0), max(left, 0) : max(left + width, 0)]
    area //= 4
