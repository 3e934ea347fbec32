import json
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from clients.webcam import text
from clients.webcam.drawing import Painter, status_lines
from clients.webcam.frames import Frame, Shot
from clients.webcam.geometry import Box
from clients.webcam.loop import _writable
from clients.webcam.recording import SUFFIXES, Recorder
from clients.webcam.status import Rate, Status
from clients.webcam.summary import Summary
from clients.webcam.text import Writer
from clients.webcam.tracking import Face
from pipeline.errors import UserError
from tests.clients.webcam.fakes import LABELS
from tests.clients.webcam.scenes import backdrop, read_video, room_for, with_face

CHINESE = json.loads((Path(__file__).parents[3] / "clients/webcam/names/zh.json").read_text())


def face(box: Box, happy: float = 0.8, track: int = 1) -> Face:
    row = np.array([1 - happy, happy, 0], np.float32)
    return Face(track, box, row, LABELS, "1")


def shot(time: float, *faces: Face) -> Shot:
    return Shot(Frame(backdrop(), 0, time, 0.0), faces)


@pytest.mark.parametrize("mirrored", [False, True])
def test_a_face_gets_a_box_where_it_is_seen(mirrored: bool) -> None:
    image = backdrop()
    Painter(Writer()).faces(image, [face(Box(100, 150, 120, 120))], mirrored=mirrored)
    left = 640 - 100 - 120 if mirrored else 100
    changed = (image != backdrop()).any(axis=2)
    assert changed[150:270, left].all()
    assert changed[150:270, left + 120].all()
    assert not changed[290:, :].any()


@pytest.mark.parametrize(
    "box",
    [Box(-80, -80, 120, 120), Box(600, 440, 120, 120), Box(-10, -10, 900, 900), Box(0, 0, 1, 1)],
)
def test_faces_at_the_edges_are_drawn_as_far_as_they_are_seen(box: Box) -> None:
    image = backdrop()
    Painter(Writer()).faces(image, [face(box)])
    assert image.shape == (480, 640, 3)


def test_thirty_faces_and_tiny_frames_are_drawn() -> None:
    Painter(Writer()).faces(backdrop(), [face(Box(20 * i, 100, 50, 50)) for i in range(30)])
    tiny = np.zeros((8, 8, 3), np.uint8)
    Painter(Writer()).faces(tiny, [face(Box(1, 1, 4, 4))])
    Painter(Writer()).panel(tiny, [("a long line of text", True)])


@pytest.fixture
def latin_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without fonts; Pillow's own has Latin letters."""
    monkeypatch.setattr("clients.webcam.text._machine_fonts", tuple)
    text._font_for.cache_clear()


@pytest.fixture(autouse=True)
def fonts_are_looked_up_anew() -> Iterator[None]:
    yield
    text._font_for.cache_clear()


@pytest.fixture(scope="module")
def chinese_font() -> Path:
    """A font with Chinese characters."""
    for path in text._machine_fonts():
        if all(text._has(path, one) for name in CHINESE.values() for one in name):
            return Path(path)
    pytest.skip("no font with Chinese characters on this machine")


@pytest.mark.usefixtures("latin_only")
def test_names_that_no_font_has_fall_back_on_the_classes_own(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert _writable({**CHINESE, "happy": "glad"}, Writer()) == {"happy": "glad"}
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert "生气" in told
    assert "--font" in told


@pytest.mark.usefixtures("latin_only")
def test_no_character_is_drawn_as_a_box(capsys: pytest.CaptureFixture[str]) -> None:
    writer = Writer()
    np.testing.assert_array_equal(writer.mask("高兴 87%", 20), writer.mask("?? 87%", 20))
    for percent in range(3):
        writer.write(backdrop(), f"高兴 {percent}%", (0, 0), 18, (255, 255, 255))
    assert capsys.readouterr().err.count("\n") == 2, "each character is told once"


def test_chinese_is_drawn_by_the_fonts_of_the_machine(
    chinese_font: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert chinese_font.exists()
    writer = Writer()
    assert _writable(CHINESE, writer) == CHINESE
    masks = [writer.mask(f"{name} 87%", 20) for name in CHINESE.values()]
    assert len({mask.tobytes() for mask in masks}) == len(CHINESE)
    assert capsys.readouterr().err == ""


@pytest.mark.usefixtures("latin_only")
def test_chinese_is_drawn_by_the_font_that_is_named(chinese_font: Path) -> None:
    assert _writable(CHINESE, Writer(chinese_font)) == CHINESE


def test_the_panel_tells_rate_latency_version_and_trouble() -> None:
    status = Status("gRPC host:8500")
    status.answered(0.02, "7")
    status.model_trouble = "gRPC host:8500: the server is not there; trying again."
    lines = status_lines(status, 3, recording=True, paused=True)
    assert ("gRPC host:8500, version 7", False) in lines
    assert "20 ms" in lines[0][0]
    assert "3 dropped" in lines[0][0]
    assert [text for text, warning in lines if warning] == [
        "paused",
        "● recording",
        status.model_trouble,
    ]


def test_a_rate_counts_the_last_two_seconds() -> None:
    time = [0.0]
    rate = Rate(clock=lambda: time[0])
    assert rate.value() == 0
    for _ in range(100):
        time[0] += 0.04
        rate.count()
    assert rate.value() == pytest.approx(25)
    time[0] += 10
    assert rate.value() == 0


def test_time_per_expression_is_added_up_over_faces_but_not_over_absences() -> None:
    summary = Summary()
    box = Box(0, 0, 9, 9)
    for time in (0.0, 0.2, 0.4, 5.0, 5.2):
        summary.add(shot(time, face(box), face(box, happy=0.1, track=2)))
    assert summary.seconds == pytest.approx({"happy": 0.6, "angry": 0.6})
    assert summary.answers == {"happy": 5, "angry": 5}


def test_the_summary_counts_frames_that_were_searched_answered_or_not() -> None:
    summary = Summary()
    assert summary.lines({}) == ["No frame was looked at."]
    for time in (0.0, 0.2):
        summary.searched(shot(time))
    assert summary.lines({}) == ["No face in 2 frames."]
    with_face = shot(0.4, face(Box(0, 0, 9, 9)))
    summary.searched(with_face)
    assert summary.lines({}) == ["Faces in 1 of 3 frames, and no answer about any."]
    summary.add(with_face)
    assert summary.lines({})[0] == "1 face(s) in 3 frames"


def test_columns_of_the_table_are_straight_with_chinese_names() -> None:
    summary = Summary()
    for time in (0.0, 0.2):
        summary.add(shot(time, face(Box(0, 0, 9, 9)), face(Box(0, 0, 9, 9), happy=0.1, track=2)))
    _, *rows = summary.lines({"happy": "高兴", "angry": "mad"})
    assert len({len(row) + 2 * row.count("高兴") for row in rows}) == 1


def test_the_chart_is_a_png_with_a_bar_for_each_class(tmp_path: Path) -> None:
    summary = Summary()
    for time in (0.0, 0.3):
        summary.add(shot(time, face(Box(0, 0, 9, 9))))
    path = tmp_path / "chart.png"
    summary.chart(path, Writer(), CHINESE)
    image = cv2.imread(str(path))
    assert image is not None
    assert len(np.unique(image.reshape(-1, 3), axis=0)) > 3
    assert [one.name for one in tmp_path.iterdir()] == ["chart.png"]


def test_an_empty_summary_has_a_chart_too(tmp_path: Path) -> None:
    Summary().chart(tmp_path / "chart.png", Writer(), {})
    assert (tmp_path / "chart.png").is_file()


def test_a_recording_of_irregular_frames_plays_as_long_as_they_took(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    recorder = Recorder(path)
    for time in (10.0, 10.01, 10.5, 11.0, 12.0):
        recorder.write(backdrop(), time)
    assert not path.exists(), "it must appear when it is complete"
    recorder.close()
    assert read_video(path) == (61, 30, (640, 480))


def test_a_recording_keeps_its_size_when_the_source_changes(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "out.mp4")
    recorder.write(backdrop(), 0.0)
    recorder.write(np.zeros((100, 100, 3), np.uint8), 1 / 30)
    recorder.close()
    assert read_video(tmp_path / "out.mp4") == (2, 30, (640, 480))


def test_a_recording_without_frames_leaves_nothing(tmp_path: Path) -> None:
    assert not Recorder(tmp_path / "out.mp4").close()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_recording_that_the_disk_has_no_room_for_leaves_the_file_before_it(
    tmp_path: Path, suffix: str
) -> None:
    path = tmp_path / f"out{suffix}"
    path.write_text("the recording before")
    recorder = Recorder(path)
    with room_for(8192):
        for step in range(12):
            recorder.write(with_face(left=200 + step), step / 30)
        with pytest.raises(UserError, match=r"out\.\w+ cannot be written: .* room"):
            recorder.close()
    assert path.read_text() == "the recording before"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_recording_is_whole_though_a_long_pause_is_shortened(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"out{suffix}"
    recorder = Recorder(path)
    for time in (0.0, 3600.0, 3601.0):
        recorder.write(backdrop(), time)
    assert recorder.close()
    assert read_video(path) == (181, 30, (640, 480))


def test_a_recording_whose_name_was_taken_meanwhile_is_told_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    recorder = Recorder(path)
    recorder.write(backdrop(), 0.0)
    path.mkdir()
    with pytest.raises(
        UserError, match=r"cannot be written: Is a directory; .*partial\.mp4"
    ) as told:
        recorder.close()
    kept = Path(str(told.value).split()[-1].rstrip("."))
    assert read_video(kept) == (1, 30, (640, 480))


def test_a_recording_of_a_kind_that_is_not_known_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="must end in"):
        Recorder(tmp_path / "out.gif")
