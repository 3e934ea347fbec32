"""The thread that asks the model, with shots that the test hands it."""

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from clients.webcam.frames import LAST, Frame, Shot
from clients.webcam.geometry import Box
from clients.webcam.inference import Asker
from clients.webcam.slot import Slot
from clients.webcam.status import Status
from clients.webcam.tracking import Face, Tracker
from tests.clients.webcam.fakes import FakeBackend
from tests.clients.webcam.scenes import backdrop


def until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)


def shot(number: int, faces: int) -> Shot:
    found = (Face(track, Box(100 * track, 100, 80, 80)) for track in range(1, faces + 1))
    return Shot(Frame(backdrop(), number, number / 30, time.monotonic()), tuple(found))


class Asking:
    """An asker of whatever is newest, at work."""

    def __init__(self) -> None:
        self.backend, self.status = FakeBackend(), Status()
        self.asked: Slot[Shot] = Slot()
        self.answered: list[int] = []
        self.stop = threading.Event()
        asker = Asker(
            self.asked,
            Slot(),
            self.backend,
            Tracker(),
            self.status,
            self.stop,
            lambda shot, _: self.answered.append(shot.frame.number),
            margin=1.0,
            lossless=False,
            give_up=30.0,
        )
        self.thread = threading.Thread(target=asker.run)
        self.thread.start()


@pytest.fixture
def asking() -> Iterator[Asking]:
    made = Asking()
    yield made
    made.stop.set()
    made.backend.hold.set()
    made.thread.join(20)
    assert not made.thread.is_alive()


def test_a_shot_that_no_newer_one_follows_is_asked_about_until_it_is_answered(
    asking: Asking,
) -> None:
    asking.backend.gone.set()
    asking.asked.put(shot(0, faces=1))
    until(lambda: len(asking.backend.batches) >= 3)
    assert "not there" in asking.status.model_trouble
    asking.backend.gone.clear()
    until(lambda: asking.answered)
    assert asking.answered == [0]
    assert asking.status.model_trouble == ""


def test_a_newer_shot_takes_the_place_of_one_without_an_answer(asking: Asking) -> None:
    asking.backend.gone.set()
    asking.backend.hold.clear()
    asking.asked.put(shot(0, faces=1))
    assert asking.backend.asked.wait(20)
    asking.asked.put(shot(1, faces=2))
    asking.backend.hold.set()
    until(lambda: len(asking.backend.batches) >= 2)
    asking.backend.gone.clear()
    until(lambda: asking.answered)
    assert asking.answered == [1]
    assert asking.backend.batches[:2] == [1, 2]


def test_the_last_shot_ends_the_asking_though_one_has_no_answer(asking: Asking) -> None:
    asking.backend.gone.set()
    asking.asked.put(shot(0, faces=1))
    until(lambda: asking.status.model_trouble)
    asking.asked.put(LAST, wait=True)
    asking.thread.join(20)
    assert not asking.thread.is_alive()
    assert asking.answered == []
