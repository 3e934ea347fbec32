"""The whole pipeline of threads, with sources and models that the test commands."""

import json
import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from clients.webcam import capture
from clients.webcam.detection import make_detector
from clients.webcam.loop import Program
from clients.webcam.options import Options
from clients.webcam.sources import open_source
from clients.webcam.window import Window
from pipeline.errors import UserError
from tests.clients.webcam.fakes import FakeBackend, FakeSource
from tests.clients.webcam.scenes import (
    astronaut,
    backdrop,
    crowd,
    read_video,
    room_for,
    with_face,
    write_video,
)

HEADLESS = Options(headless=True)


@pytest.fixture
def backend() -> Iterator[FakeBackend]:
    fake = FakeBackend()
    yield fake
    fake.hold.set()


@pytest.fixture
def video(tmp_path: Path) -> Path:
    """Twelve frames, a face in ten of them."""
    frames = [with_face(left=200 + 2 * step) for step in range(10)]
    return write_video(tmp_path / "face.mp4", [backdrop(), *frames, backdrop()])


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """A face."""
    path = tmp_path / "face.png"
    cv2.imwrite(str(path), with_face())
    return path


class Screen:
    """A window without a screen: keeps what is shown and presses keys."""

    def __init__(self) -> None:
        self.images: list[np.ndarray] = []
        self.shown = threading.Condition()
        self.keys: list[str] = []
        self.closed = False

    def show(self, image: np.ndarray) -> None:
        with self.shown:
            self.images = [*self.images[-50:], image]
            self.shown.notify_all()

    def key(self) -> str:
        return self.keys.pop(0) if self.keys else ""

    def close(self) -> None:
        self.closed = True

    def next_image(self) -> np.ndarray:
        with self.shown:
            assert self.shown.wait(20), "the picture stands still"
            return self.images[-1]


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Screen:
    made = Screen()
    monkeypatch.setattr("clients.webcam.loop.Window", lambda: made)
    return made


@pytest.fixture
def camera(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Replaces the sources by functions that open them."""

    def use(opener: Callable[[str], Any]) -> None:
        reader = capture.Reader
        monkeypatch.setattr(
            "clients.webcam.loop.Reader",
            lambda *args, **kwargs: reader(*args, **kwargs, opener=opener),
        )

    return use


@pytest.fixture
def running() -> Iterator[Callable[[Program], Program]]:
    """Runs programs beside the test, and ends them with it."""
    started: list[tuple[Program, threading.Thread]] = []

    def start(program: Program) -> Program:
        thread = threading.Thread(target=program.run)
        thread.start()
        started.append((program, thread))
        return program

    yield start
    for program, thread in started:
        program.stop.set()
        thread.join(30)
        assert not thread.is_alive()


def until(condition: Callable[[], Any]) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        threading.Event().wait(0.01)


def moving(number: int) -> np.ndarray:
    return with_face(left=200 + number % 20)


def test_every_frame_of_a_video_is_looked_at_and_written(
    backend: FakeBackend, video: Path, tmp_path: Path
) -> None:
    options = replace(
        HEADLESS,
        sources=(str(video),),
        jsonl=tmp_path / "faces.jsonl",
        record=tmp_path / "out.mp4",
        chart=tmp_path / "chart.png",
    )
    program = Program(options, backend)
    program.run()
    lines = [json.loads(line) for line in options.jsonl.read_text().splitlines()]  # type: ignore[union-attr]
    # The face is new in frame 1, and believed in the third frame running in which it is found.
    assert [line["frame"] for line in lines] == list(range(3, 11))
    assert {line["track"] for line in lines} == {1}
    assert {line["label"] for line in lines} == {"happy"}
    assert lines[0]["probabilities"] == pytest.approx({"angry": 0.1, "happy": 0.7, "neutral": 0.2})
    assert np.diff([line["time"] for line in lines]) == pytest.approx(1 / 30, abs=1e-3)
    assert read_video(tmp_path / "out.mp4") == (12, 30, (640, 480))
    chart = cv2.imread(str(options.chart))
    assert chart is not None
    assert program.summary.frames == 12
    assert program.summary.seconds["happy"] == pytest.approx(7 / 30, abs=0.01)
    assert backend.closed
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "chart.png",
        "face.mp4",
        "faces.jsonl",
        "out.mp4",
    ]


def test_a_recording_that_the_disk_has_no_room_for_is_told_and_nothing_else_is_lost(
    backend: FakeBackend, video: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record, jsonl = tmp_path / "out.mp4", tmp_path / "faces.jsonl"
    record.write_text("the recording before")
    options = replace(HEADLESS, sources=(str(video),), record=record, jsonl=jsonl)
    with room_for(8192), pytest.raises(UserError, match=r"out\.mp4 cannot be written: .* room"):
        Program(options, backend).run()
    assert record.read_text() == "the recording before"
    assert len(jsonl.read_text().splitlines()) == 8
    assert "Wrote" not in capsys.readouterr().out


def test_a_run_that_fails_is_told_rather_than_its_recording(
    backend: FakeBackend, video: Path, tmp_path: Path
) -> None:
    backend.gone.set()
    options = replace(HEADLESS, sources=(str(video),), record=tmp_path / "o.mp4", give_up=0.0)
    with room_for(8192), pytest.raises(UserError, match="gave up after 0 seconds"):
        Program(options, backend).run()


def test_a_recording_without_frames_is_not_said_to_be_written(
    backend: FakeBackend,
    camera: Callable[..., None],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    record = tmp_path / "out.mp4"
    record.write_text("the recording before")
    camera(lambda _: FakeSource(lambda _: None, live=False))
    Program(replace(HEADLESS, sources=("none.mp4",), record=record), backend).run()
    assert "Wrote" not in capsys.readouterr().out


def test_nothing_is_stored_unless_asked(
    backend: FakeBackend, video: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    monkeypatch.chdir(empty)
    Program(replace(HEADLESS, sources=(str(video),)), backend).run()
    assert list(empty.iterdir()) == []


def test_lines_take_the_place_of_an_earlier_runs_even_if_there_are_none(
    backend: FakeBackend, tmp_path: Path
) -> None:
    video = write_video(tmp_path / "empty.mp4", [backdrop()] * 5)
    jsonl = tmp_path / "faces.jsonl"
    jsonl.write_text("an earlier run's\n")
    program = Program(replace(HEADLESS, sources=(str(video),), jsonl=jsonl), backend)
    assert jsonl.read_text() == "an earlier run's\n"
    program.run()
    assert jsonl.read_text() == ""


def test_lines_that_cannot_be_written_are_told_before_the_run(
    backend: FakeBackend, video: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jsonl = tmp_path / "faces.jsonl"
    jsonl.write_text("somebody else's\n")
    # Root may write everything, and tests may be root's.
    monkeypatch.setattr("clients.webcam.journal.os.access", lambda path, _: path != jsonl)
    with pytest.raises(UserError, match="it cannot be written"):
        Program(replace(HEADLESS, sources=(str(video),), jsonl=jsonl), backend)


def test_lines_need_a_file_and_not_its_folder(
    backend: FakeBackend, video: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jsonl = tmp_path / "stdout"
    jsonl.touch()
    monkeypatch.setattr("clients.webcam.journal.os.access", lambda path, _: path == jsonl)
    Program(replace(HEADLESS, sources=(str(video),), jsonl=jsonl), backend).run()
    assert jsonl.read_text()


def test_a_pipe_that_nobody_reads_does_not_keep_the_program(
    backend: FakeBackend, video: Path, tmp_path: Path
) -> None:
    pipe = tmp_path / "lines"
    os.mkfifo(pipe)
    program = Program(replace(HEADLESS, sources=(str(video),), jsonl=pipe), backend)
    thread = threading.Thread(target=program.run)
    thread.start()
    program.interrupt()
    thread.join(20)
    assert not thread.is_alive()
    # Lets the thread go that waits for a reader.
    os.close(os.open(pipe, os.O_RDONLY | os.O_NONBLOCK))


def test_images_of_a_folder_are_not_smoothed_into_each_other(
    backend: FakeBackend, tmp_path: Path
) -> None:
    for index in range(3):
        cv2.imwrite(str(tmp_path / f"{index}.png"), with_face())
    jsonl = tmp_path / "faces.jsonl"
    Program(replace(HEADLESS, sources=(str(tmp_path),), jsonl=jsonl), backend).run()
    assert [json.loads(line)["track"] for line in jsonl.read_text().splitlines()] == [1, 2, 3]


def test_all_faces_of_a_frame_go_in_one_batch(backend: FakeBackend, tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "crowd.png"), crowd(5, 6))
    options = replace(HEADLESS, sources=(str(tmp_path / "crowd.png"),))
    Program(options, backend).run()
    assert len(backend.batches) == 1
    assert backend.batches[0] >= 27
    backend.batches.clear()
    Program(replace(options, max_faces=4), backend).run()
    assert backend.batches == [4]


def test_a_video_without_faces_asks_nothing(backend: FakeBackend, tmp_path: Path) -> None:
    video = write_video(tmp_path / "empty.mp4", [backdrop()] * 5)
    program = Program(replace(HEADLESS, sources=(str(video),)), backend)
    program.run()
    assert backend.batches == []
    assert program.summary.lines({}) == ["No face in 5 frames."]


def test_frames_of_a_camera_that_sees_nobody_count_as_looked_at(
    backend: FakeBackend,
    camera: Callable[..., None],
    running: Callable[[Program], Program],
) -> None:
    camera(lambda _: FakeSource(lambda _: backdrop()))
    program = running(Program(HEADLESS, backend))
    until(lambda: program.summary.frames >= 3)
    [line] = program.summary.lines({})
    assert re.fullmatch(r"No face in \d+ frames\.", line)
    assert backend.batches == []


def test_faces_of_a_camera_whose_server_stays_away_are_told_without_answers(
    backend: FakeBackend,
    camera: Callable[..., None],
    running: Callable[[Program], Program],
) -> None:
    camera(lambda _: FakeSource(moving))
    backend.gone.set()
    program = running(Program(HEADLESS, backend))
    until(lambda: program.status.model_trouble)
    [line] = program.summary.lines({})
    assert re.fullmatch(r"Faces in \d+ of \d+ frames, and no answer about any\.", line)


def test_the_picture_runs_on_while_the_model_takes_its_time(
    backend: FakeBackend,
    screen: Screen,
    camera: Callable[..., None],
    running: Callable[[Program], Program],
) -> None:
    camera(lambda _: FakeSource(moving))
    backend.hold.clear()
    program = running(Program(Options(), backend))
    assert backend.asked.wait(20)
    before = screen.next_image()
    until(lambda: not np.array_equal(screen.next_image(), before))
    until(lambda: program.dropped > 0)
    assert len(backend.batches) == 1
    backend.hold.set()
    until(lambda: program.summary.answers["happy"] > 1)


def test_a_server_that_is_gone_is_told_on_screen_until_it_is_back(
    backend: FakeBackend,
    screen: Screen,
    camera: Callable[..., None],
    running: Callable[[Program], Program],
) -> None:
    camera(lambda _: FakeSource(moving))
    program = running(Program(Options(), backend))
    until(lambda: program.status.version == "1")
    backend.gone.set()
    until(lambda: "not there" in program.status.model_trouble)
    screen.next_image()
    backend.version = "2"
    backend.gone.clear()
    until(lambda: program.status.version == "2")
    assert program.status.model_trouble == ""


def test_a_moving_portrait_shows_one_face_and_no_other(
    backend: FakeBackend, tmp_path: Path
) -> None:
    """In some frames BlazeFace takes the helmet on her chest for another face."""
    portrait = cv2.resize(astronaut(), (480, 480))
    frames = []
    for step in range(30):
        frame = np.full((480, 640, 3), 96, np.uint8)
        frame[:, 60 + step : 540 + step] = portrait
        frames.append(frame)
    detector = make_detector("blazeface")
    assert any(len(detector.detect(frame)) > 1 for frame in frames)
    video = write_video(tmp_path / "portrait.avi", frames)
    program = Program(replace(HEADLESS, sources=(str(video),)), backend)
    program.run()
    assert backend.batches == [1] * 30
    assert program.summary.lines({})[0] == "1 face(s) in 30 frames"


def test_a_video_waits_for_its_server_and_loses_no_frame(
    backend: FakeBackend, video: Path, running: Callable[[Program], Program]
) -> None:
    backend.gone.set()
    program = running(Program(replace(HEADLESS, sources=(str(video),)), backend))
    until(lambda: program.status.model_trouble)
    backend.gone.clear()
    until(lambda: program.summary.answers["happy"] == 8)
    until(lambda: program.summary.frames == 12)


def test_a_video_ends_with_a_sentence_when_its_server_stays_away(
    backend: FakeBackend, video: Path
) -> None:
    backend.gone.set()
    program = Program(replace(HEADLESS, sources=(str(video),), give_up=0.0), backend)
    with pytest.raises(UserError, match="gave up after 0 seconds"):
        program.run()


def test_who_quits_does_not_wait_for_a_slow_server(
    backend: FakeBackend, video: Path, tmp_path: Path
) -> None:
    backend.hold.clear()
    options = replace(HEADLESS, sources=(str(video),), record=tmp_path / "out.mp4")
    program = Program(options, backend)
    thread = threading.Thread(target=program.run)
    thread.start()
    assert backend.asked.wait(20)
    program.interrupt()
    thread.join(6)
    assert not thread.is_alive()
    assert not backend.hold.is_set()
    # Frames before the first that is asked about have no face that is believed.
    assert read_video(tmp_path / "out.mp4")[0] >= 2


def test_an_unplugged_camera_is_told_on_screen_until_it_is_back(
    backend: FakeBackend,
    screen: Screen,
    camera: Callable[..., None],
    running: Callable[[Program], Program],
) -> None:
    plugged = threading.Event()
    plugged.set()
    sources: list[FakeSource] = []

    def open_camera(_: str) -> FakeSource:
        if not plugged.is_set():
            raise UserError("Camera 0 gives no picture.")
        sources.append(FakeSource(lambda number: moving(number) if plugged.is_set() else None))
        return sources[-1]

    camera(open_camera)
    program = running(Program(Options(), backend))
    screen.next_image()
    plugged.clear()
    until(lambda: program.status.source_trouble == "Camera 0 gives no picture.")
    screen.next_image()
    plugged.set()
    until(lambda: len(sources) == 2 and program.status.source_trouble == "")
    assert sources[0].closed


def test_without_a_window_an_unplugged_camera_and_a_lost_server_are_told_once(
    backend: FakeBackend,
    camera: Callable[..., None],
    running: Callable[[Program], Program],
    capsys: pytest.CaptureFixture[str],
) -> None:
    plugged = threading.Event()
    plugged.set()
    opened: list[str] = []

    def open_camera(spec: str) -> FakeSource:
        opened.append(spec)
        if not plugged.is_set():
            raise UserError("Camera 0 gives no picture.")
        return FakeSource(lambda number: moving(number) if plugged.is_set() else None)

    camera(open_camera)
    program = running(Program(HEADLESS, backend))
    until(lambda: program.status.version == "1")
    backend.gone.set()
    until(lambda: program.status.model_trouble)
    backend.gone.clear()
    until(lambda: not program.status.model_trouble)
    plugged.clear()
    until(lambda: len(opened) >= 4)
    plugged.set()
    until(lambda: not program.status.source_trouble)
    told = capsys.readouterr().err.splitlines()
    assert told == ["fake: the server is not there; trying again.", "Camera 0 gives no picture."]


def test_keys_pause_mirror_record_and_quit(
    backend: FakeBackend,
    screen: Screen,
    camera: Callable[..., None],
    running: Callable[[Program], Program],
    tmp_path: Path,
) -> None:
    camera(lambda _: FakeSource(moving))
    program = running(Program(Options(output=tmp_path), backend))
    screen.next_image()
    for key in "hmr":
        screen.keys.append(key)
    until(lambda: program.mirrored and program.recorder is not None)
    for _ in range(5):
        screen.next_image()
    screen.keys += ["r", "s", "p"]
    until(lambda: len(list(tmp_path.glob("[!.]*"))) == 2 and program.reader.paused.is_set())
    [recording], [snapshot] = tmp_path.glob("*.mp4"), tmp_path.glob("*.png")
    assert read_video(recording)[0] > 0
    with Image.open(snapshot) as image:
        assert image.size == (640, 480)
    screen.keys.append("q")
    until(lambda: screen.closed)


def test_the_key_n_goes_to_the_next_source_and_round(
    backend: FakeBackend,
    screen: Screen,
    camera: Callable[..., None],
    running: Callable[[Program], Program],
) -> None:
    opened: list[str] = []

    def open_camera(spec: str) -> FakeSource:
        opened.append(spec)
        return FakeSource(moving)

    camera(open_camera)
    running(Program(Options(sources=("0", "1")), backend))
    for count in (2, 3):
        screen.next_image()
        screen.keys.append("n")
        until(partial(reached, opened, count))
    assert opened == ["0", "1", "0"]


def reached(opened: list[str], count: int) -> bool:
    return len(opened) >= count


def test_an_image_stays_on_screen_until_it_is_left(
    backend: FakeBackend,
    screen: Screen,
    running: Callable[[Program], Program],
    image: Path,
) -> None:
    program = running(Program(Options(sources=(str(image),)), backend))
    until(lambda: program.summary.answers["happy"] == 1)
    for _ in range(5):
        screen.next_image()
    assert not program.stop.is_set()
    screen.keys.append("q")
    until(lambda: screen.closed)


def test_an_image_gets_its_answer_though_the_server_comes_later(
    backend: FakeBackend,
    screen: Screen,
    running: Callable[[Program], Program],
    image: Path,
) -> None:
    backend.gone.set()
    program = running(Program(Options(sources=(str(image),)), backend))
    until(lambda: program.status.model_trouble)
    backend.gone.clear()
    until(lambda: program.summary.answers["happy"] == 1)
    assert program.status.model_trouble == ""
    screen.keys.append("q")
    until(lambda: screen.closed)


def test_no_seconds_are_a_time_that_is_over(
    backend: FakeBackend,
    screen: Screen,
    running: Callable[[Program], Program],
    image: Path,
) -> None:
    running(Program(Options(sources=(str(image),), seconds=0), backend))
    until(lambda: screen.closed)


@pytest.mark.parametrize("gone", [0.0, -1.0, cv2.error("NULL guiReceiver")])
def test_a_window_that_was_closed_quits(
    gone: float | cv2.error, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers: list[float | cv2.error] = [1.0, gone]

    def visible(*_: object) -> float:
        answer = answers.pop(0)
        if isinstance(answer, cv2.error):
            raise answer
        return answer

    monkeypatch.setattr("clients.webcam.window._display", lambda: True)
    for name in ("namedWindow", "resizeWindow", "imshow", "destroyAllWindows"):
        monkeypatch.setattr(cv2, name, lambda *_: None)
    monkeypatch.setattr(cv2, "waitKey", lambda _: -1)
    monkeypatch.setattr(cv2, "getWindowProperty", visible)
    window = Window()
    window.show(backdrop())
    assert [window.key(), window.key()] == ["", "q"]
    window.close()


def test_what_goes_wrong_in_a_thread_ends_the_program(
    backend: FakeBackend, camera: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: object) -> None:
        raise UserError("The server refused the request.")

    monkeypatch.setattr(backend, "predict", refuse)
    camera(lambda _: FakeSource(moving))
    with pytest.raises(UserError, match="refused"):
        Program(HEADLESS, backend).run()


def test_a_second_source_that_is_missing_is_told_and_passed_over(
    backend: FakeBackend,
    video: Path,
    tmp_path: Path,
    camera: Callable[..., None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    missing = str(tmp_path / "none.mp4")
    camera(open_source)
    program = Program(replace(HEADLESS, sources=(str(video), missing, str(video))), backend)
    program.run()
    assert program.summary.frames == 24
    assert capsys.readouterr().err.count("there is no such file") == 1
