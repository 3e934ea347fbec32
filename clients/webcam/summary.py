"""What was seen, told at the end."""

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from unicodedata import east_asian_width

import cv2
import numpy as np

from clients.webcam.drawing import PALETTE
from clients.webcam.frames import Shot
from clients.webcam.recording import save_image
from clients.webcam.text import Writer

# A face that was away for longer has not shown its last expression all the while.
_LONGEST_GAP = 0.5


class Summary:
    """Adds up time per expression.

    One thread tells of frames, another of answers.

    Attributes:
      frames: Frames that were looked at.
      seconds: Seconds of each class, over all faces.
      answers: Answers of each class, over all faces.
    """

    def __init__(self) -> None:
        self.frames = 0
        self.seconds: dict[str, float] = defaultdict(float)
        self.answers: dict[str, int] = defaultdict(int)
        self._with_faces = 0
        self._labels: tuple[str, ...] = ()
        self._seen: dict[int, float] = {}
        self._tracks = 0

    def searched(self, shot: Shot) -> None:
        """Counts a frame that was searched for faces, whether or not it is asked about."""
        self.frames += 1
        self._with_faces += bool(shot.faces)

    def add(self, shot: Shot) -> None:
        """Takes a shot whose faces were answered."""
        time = shot.frame.time
        for face in shot.faces:
            if face.label is None:
                continue
            self._labels = face.labels
            before = self._seen.get(face.track)
            if before is None:
                self._tracks += 1
            elif 0 <= time - before <= _LONGEST_GAP:
                self.seconds[face.label] += time - before
            self.answers[face.label] += 1
            self._seen[face.track] = time
        self._seen = {
            track: seen for track, seen in self._seen.items() if time - seen <= _LONGEST_GAP
        }

    def lines(self, names: Mapping[str, str]) -> list[str]:
        """Returns the table, a line for each class that was seen, most time first."""
        if not self.answers:
            return [self._without_answers()]
        order = sorted(self.answers, key=lambda label: (-self.seconds[label], -self.answers[label]))
        shown = {label: names.get(label, label) for label in order}
        width = max(_columns(name) for name in shown.values())
        lines = [f"{self._tracks} face(s) in {self.frames} frames"]
        for label in order:
            seconds, answers = self.seconds[label], self.answers[label]
            name = shown[label] + " " * (width - _columns(shown[label]))
            lines.append(f"  {name}  {seconds:8.1f} s  {answers:6d} answers")
        return lines

    def _without_answers(self) -> str:
        if not self.frames:
            return "No frame was looked at."
        if not self._with_faces:
            return f"No face in {self.frames} frames."
        return f"Faces in {self._with_faces} of {self.frames} frames, and no answer about any."

    def chart(self, path: Path, writer: Writer, names: Mapping[str, str]) -> None:
        """Draws time per class as a PNG; where no time passed, as with images, answers.

        Raises:
          UserError: the file cannot be written.
        """
        timed = sum(self.seconds.values()) > 0
        values: Mapping[str, float] = self.seconds if timed else self.answers
        labels = self._labels or ("no face",)
        row, margin, bars = 34, 24, 420
        texts = [names.get(label, label) for label in labels]
        column = max(writer.size(text, 18)[0] for text in texts) + 16
        size = (2 * margin + 30 + row * len(labels), 2 * margin + column + bars + 80, 3)
        image = np.full(size, 255, np.uint8)
        title = "Seconds per expression" if timed else "Faces per expression"
        writer.write(image, title, (margin, margin - 8), 20, (40, 40, 40))
        most = max((values.get(label, 0) for label in labels), default=0) or 1
        for index, (label, text) in enumerate(zip(labels, texts, strict=True)):
            top = margin + 30 + index * row
            value = values.get(label, 0)
            start = margin + column
            end = start + round(bars * value / most)
            writer.write(image, text, (margin, top + 2), 18, (40, 40, 40))
            if end > start:
                cv2.rectangle(
                    image, (start, top), (end, top + row - 10), PALETTE[index % len(PALETTE)], -1
                )
            number = f"{value:.1f}" if timed else f"{value:.0f}"
            writer.write(image, number, (end + 8, top + 2), 18, (40, 40, 40))
        save_image(path, image)


def _columns(text: str) -> int:
    """Columns of a terminal that a text takes; Chinese characters take two."""
    return sum(2 if east_asian_width(character) in "WF" else 1 for character in text)
