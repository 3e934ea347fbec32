"""The thread that asks the model."""

import threading
from collections.abc import Callable
from time import monotonic

from clients.webcam.backends import Backend, BackendUnavailableError, Prediction
from clients.webcam.backoff import Backoff
from clients.webcam.crops import cut
from clients.webcam.frames import LAST, Shot
from clients.webcam.slot import Slot
from clients.webcam.status import Status
from clients.webcam.tracking import Tracker
from pipeline.errors import UserError

# Told of each shot that was asked about, with faces that carry smoothed probabilities; the
# prediction is None if it had no faces.
Answered = Callable[[Shot, Prediction | None], None]


class Asker:
    """Asks about the faces of a shot in one batch; a model that does not answer is asked again."""

    def __init__(
        self,
        asked: Slot[Shot],
        shown: Slot[Shot],
        backend: Backend,
        tracker: Tracker,
        status: Status,
        stop: threading.Event,
        answered: Answered,
        *,
        margin: float,
        lossless: bool,
        give_up: float,
    ) -> None:
        """Joins the slots.

        Args:
          asked: Where shots come from.
          shown: Where they go when `lossless`.
          backend: The model.
          tracker: Smooths its answers.
          status: Told of latency and trouble.
          stop: Ends the thread.
          answered: Called in this thread.
          margin: Side of a crop over that of the face's square.
          lossless: Whether a shot is asked about until answered; else until a newer one waits.
          give_up: Seconds after which a lossless run ends without an answer.
        """
        self._asked, self._shown = asked, shown
        self._backend, self._tracker = backend, tracker
        self._status, self._stop, self._answered = status, stop, answered
        self._margin, self._lossless, self._give_up = margin, lossless, give_up
        self._backoff = Backoff()

    def run(self) -> None:
        """Works until the shots end or `stop` is set.

        Raises:
          UserError: the model cannot be asked at all, or gave no answer for too long.
        """
        try:
            while not self._stop.is_set():
                shot = self._asked.take(timeout=0.1)
                if shot is None:
                    continue
                if shot is LAST:
                    break
                self._handle(shot)
        finally:
            self._backend.close()
        self._shown.put(LAST, wait=True)

    def _handle(self, shot: Shot) -> None:
        prediction = self._ask(shot) if shot.faces else None
        if prediction is not None:
            faces = self._tracker.answer(
                shot.faces,
                prediction.probabilities,
                prediction.labels,
                prediction.version,
                shot.frame.time,
            )
            shot = Shot(shot.frame, tuple(faces))
            self._status.answered(monotonic() - shot.frame.captured, prediction.version)
            self._status.model = self._backend.name
        if prediction is not None or not shot.faces:
            self._answered(shot, prediction)
        if self._lossless:
            self._shown.put(shot, wait=True)

    def _ask(self, shot: Shot) -> Prediction | None:
        """Returns the answer; None if there is none and a newer shot waits, or `stop` is set."""
        crops = [cut(shot.frame.image, face.box.squared(self._margin)) for face in shot.faces]
        began = monotonic()
        while not self._stop.is_set():
            try:
                prediction = self._backend.predict(crops)
            except BackendUnavailableError as error:
                self._status.model_trouble = f"{self._backend.name}: {error}; trying again."
                if self._lossless and monotonic() - began >= self._give_up:
                    raise UserError(
                        f"{self._backend.name}: {error}; gave up after {self._give_up:g} seconds."
                    ) from None
                self._stop.wait(self._backoff.delay())
                # A still, or a video that is paused, has no newer shot to ask about instead.
                if not self._lossless and self._asked.filled:
                    return None
            else:
                self._backoff.reset()
                return prediction
        return None
