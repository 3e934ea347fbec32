"""The thread that finds and follows faces."""

import threading
from collections.abc import Callable

from clients.webcam.detection import Detector
from clients.webcam.frames import END, LAST, Frame, Shot
from clients.webcam.slot import Slot
from clients.webcam.tracking import Tracker


class Analyst:
    """Turns frames into shots."""

    def __init__(
        self,
        frames: Slot[Frame],
        shown: Slot[Shot],
        asked: Slot[Shot],
        detector: Detector,
        tracker: Tracker,
        stop: threading.Event,
        searched: Callable[[Shot], None],
        *,
        lossless: bool,
        max_faces: int,
    ) -> None:
        """Joins the slots.

        Args:
          frames: Where frames come from.
          shown: Where shots go to be shown at once; not used when `lossless`.
          asked: Where shots go to be asked about.
          detector: Finds faces.
          tracker: Follows them.
          stop: Ends the thread.
          searched: Told of each shot, in this thread.
          lossless: Whether every frame is asked about, and shown only with its answer.
          max_faces: The largest so many are looked at.
        """
        self._frames, self._shown, self._asked = frames, shown, asked
        self._detector, self._tracker = detector, tracker
        self._stop, self._searched = stop, searched
        self._lossless = lossless
        self._max_faces = max_faces

    def run(self) -> None:
        """Works until the frames end or `stop` is set."""
        while not self._stop.is_set():
            frame = self._frames.take(timeout=0.1)
            if frame is None:
                continue
            if frame is END:
                break
            boxes = self._detector.detect(frame.image)[: self._max_faces]
            shot = Shot(frame, tuple(self._tracker.update(boxes, frame.time)))
            self._searched(shot)
            if self._lossless:
                self._asked.put(shot, wait=True)
            else:
                self._shown.put(shot)
                if shot.faces:
                    self._asked.put(shot)
        self._asked.put(LAST, wait=True)
