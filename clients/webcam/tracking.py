"""Faces followed from frame to frame, and what the model says of each, smoothed over time."""

import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import count

import numpy as np

from clients.webcam.geometry import Box, overlap

_MIN_OVERLAP = 0.2
# Detections in frames running until a face is believed, as in SORT (Bewley et al., 2016): what a
# detector takes for a face by mistake seldom lasts.
_MIN_HITS = 3


@dataclass(frozen=True)
class Face:
    """One face at one moment.

    Attributes:
      track: Number of the face; it stays while the face does.
      box: Its square in the frame.
      probabilities: float32[c], smoothed; None until the model has answered.
      labels: Class names, in the order of the probabilities.
      version: The model version that answered last.
    """

    track: int
    box: Box
    probabilities: np.ndarray | None = None
    labels: tuple[str, ...] = ()
    version: str = ""

    @property
    def label(self) -> str | None:
        """The likeliest class; None until the model has answered."""
        if self.probabilities is None:
            return None
        return self.labels[int(np.argmax(self.probabilities))]


@dataclass
class _Track:
    face: Face
    seen: float
    hits: int = 1
    answered: float = field(default=-math.inf)


def decay(seconds: float, time_constant: float) -> float:
    """Returns the weight that a new value gets in a first-order low-pass filter, 0 to 1.

    It is 1 - exp(-dt / tau), so that smoothing does not depend on the frame rate.
    """
    if time_constant <= 0:
        return 1.0
    return 1.0 - math.exp(-max(seconds, 0.0) / time_constant)


class Tracker:
    """Matches faces with those of the frame before; safe to use from several threads."""

    def __init__(
        self, smoothing: float = 0.4, box_smoothing: float = 0.05, patience: float = 0.5
    ) -> None:
        """Starts without faces.

        Args:
          smoothing: Time constant of the probabilities in seconds; 0 takes each as it comes.
          box_smoothing: Time constant of the drawn squares in seconds.
          patience: Seconds that a face may be missed before its track ends.
        """
        self._smoothing = smoothing
        self._box_smoothing = box_smoothing
        self._patience = patience
        self._tracks: dict[int, _Track] = {}
        self._updated = -math.inf
        self._numbers = count(1)
        self._lock = threading.Lock()

    def update(self, boxes: Sequence[Box], time: float) -> list[Face]:
        """Takes the squares of a frame and returns its faces, in the order of `boxes`.

        A new face is returned from the third frame running in which it is found. Those of a frame
        that comes first, or longer than `patience` after the one before, are returned at once.

        Args:
          boxes: One for each face.
          time: When the frame was taken, in seconds; must not go back.
        """
        with self._lock:
            first = time - self._updated > self._patience
            self._updated = time
            self._forget(time)
            matches = self._match(boxes)
            faces = []
            for index, box in enumerate(boxes):
                track = self._tracks.get(matches.get(index, 0))
                if track is None:
                    hits = _MIN_HITS if first else 1
                    track = _Track(Face(next(self._numbers), box), time, hits)
                    self._tracks[track.face.track] = track
                else:
                    weight = decay(time - track.seen, self._box_smoothing)
                    track.face = replace(track.face, box=_blend(track.face.box, box, weight))
                    track.seen = time
                    track.hits += 1
                if track.hits >= _MIN_HITS:
                    faces.append(track.face)
            self._tracks = {
                number: track
                for number, track in self._tracks.items()
                if track.seen == time or track.hits >= _MIN_HITS
            }
            return faces

    def answer(
        self,
        faces: Sequence[Face],
        probabilities: np.ndarray,
        labels: tuple[str, ...],
        version: str,
        time: float,
    ) -> list[Face]:
        """Takes what the model said and returns the faces with smoothed probabilities.

        Args:
          faces: The faces that were asked about.
          probabilities: float32[n, c] for them.
          labels: c class names.
          version: The model version that answered.
          time: When their frame was taken.
        """
        with self._lock:
            return [
                self._answer_one(face, row, labels, version, time)
                for face, row in zip(faces, probabilities, strict=True)
            ]

    def current(self, faces: Sequence[Face]) -> list[Face]:
        """Returns faces of a frame with the newest that is known of their tracks."""
        with self._lock:
            return [
                replace(self._tracks[face.track].face, box=face.box)
                if face.track in self._tracks
                else face
                for face in faces
            ]

    def _answer_one(
        self, face: Face, row: np.ndarray, labels: tuple[str, ...], version: str, time: float
    ) -> Face:
        track = self._tracks.get(face.track) or _Track(face, time)
        before = track.face.probabilities
        if before is not None and track.face.labels == labels:
            row = before + decay(time - track.answered, self._smoothing) * (row - before)
        track.face = replace(
            track.face, probabilities=row.astype(np.float32), labels=labels, version=version
        )
        track.answered = max(track.answered, time)
        return replace(track.face, box=face.box)

    def _forget(self, time: float) -> None:
        self._tracks = {
            number: track
            for number, track in self._tracks.items()
            if time - track.seen <= self._patience
        }

    def _match(self, boxes: Sequence[Box]) -> dict[int, int]:
        """Returns the track of each box that has one, most overlapping pairs first."""
        pairs = sorted(
            (
                (overlap(box, track.face.box), index, number)
                for index, box in enumerate(boxes)
                for number, track in self._tracks.items()
            ),
            key=lambda pair: (-pair[0], pair[1], pair[2]),
        )
        matches: dict[int, int] = {}
        for shared, index, number in pairs:
            if shared < _MIN_OVERLAP:
                break
            if index not in matches and number not in matches.values():
                matches[index] = number
        return matches


def _blend(old: Box, new: Box, weight: float) -> Box:
    # Sub-pixel jitter is smoothed; a face that jumps is followed at once.
    if overlap(old, new) < 0.6:
        return new
    return Box(*(a + weight * (b - a) for a, b in zip(old, new, strict=True)))
