"""The thread that reads frames, from sources that the test commands."""

import threading
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from clients.webcam.capture import Reader
from clients.webcam.frames import Frame
from clients.webcam.slot import Slot
from clients.webcam.status import Status
from tests.clients.webcam.fakes import FakeSource

IMAGE = np.zeros((4, 4, 3), np.uint8)


def clip(_: str) -> FakeSource:
    """A minute, read in a moment."""
    return FakeSource(lambda number: IMAGE if number <= 1800 else None, live=False)


def camera(_: str) -> FakeSource:
    def draw(_: int) -> np.ndarray:
        time.sleep(0.01)
        return IMAGE

    return FakeSource(draw)


class Reading:
    """A reader at work whose frames the test takes."""

    def __init__(self, *openers: Callable[[str], FakeSource]) -> None:
        self._frames: Slot[Frame] = Slot()
        self._stop = threading.Event()
        self.reader = Reader(
            [str(number) for number in range(len(openers))],
            self._frames,
            Status(),
            self._stop,
            paced=False,
            opener=lambda spec: openers[int(spec)](spec),
        )
        self._thread = threading.Thread(target=self.reader.run)
        self._thread.start()

    def times(self, count: int) -> list[float]:
        return [self._take().time for _ in range(count)]

    def _take(self) -> Frame:
        frame = self._frames.take(timeout=20)
        assert frame is not None, "there is no frame"
        return frame

    def end(self) -> None:
        self._stop.set()
        self._frames.close()
        self._thread.join(20)
        assert not self._thread.is_alive()


@pytest.fixture
def reading() -> Iterator[Callable[..., Reading]]:
    started: list[Reading] = []

    def start(*openers: Callable[[str], FakeSource]) -> Reading:
        started.append(Reading(*openers))
        return started[-1]

    yield start
    for one in started:
        one.end()


def test_time_goes_on_when_a_camera_follows_a_file(reading: Callable[..., Reading]) -> None:
    reader = reading(clip, camera)
    last = reader.times(1800)[-1]
    first, *others = reader.times(5)
    assert first >= last + 1.0
    assert np.all(np.diff([first, *others]) > 0)
    assert others[-1] - first < 30, "the camera's frames come as time passes"


def test_time_goes_on_when_sources_are_gone_through_with_the_key(
    reading: Callable[..., Reading],
) -> None:
    reader = reading(camera, clip, camera)
    times = reader.times(2)
    for _ in range(6):
        reader.reader.next_source()
        times += reader.times(3)
    assert np.all(np.diff(times) > 0)


def test_a_cameras_time_counts_from_the_start_of_the_program(
    reading: Callable[..., Reading],
) -> None:
    began = time.monotonic()
    [first] = reading(camera).times(1)
    assert first <= time.monotonic() - began


def test_a_camera_that_was_away_comes_back_as_much_later(reading: Callable[..., Reading]) -> None:
    opened: list[str] = []

    def unplugged_for_a_while(spec: str) -> FakeSource:
        opened.append(spec)
        if len(opened) == 1:
            return FakeSource(lambda number: IMAGE if number == 1 else None)
        time.sleep(2.5)
        return camera(spec)

    before, after = reading(unplugged_for_a_while).times(2)
    assert after - before >= 2.5
