from pathlib import Path

import cv2
import pytest

from clients.webcam.sources import open_source
from pipeline.errors import UserError
from tests.clients.webcam.scenes import backdrop, with_face, write_video


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        ("97", "Camera 97 gives no picture"),
        ("99999999999", "Camera 99999999999 gives no picture"),
        pytest.param("9" * 5000, "Camera 9+ gives no picture", id="5000 digits"),
        ("none.mp4", "no such file, folder or camera"),
        ("http://127.0.0.1:9/video", "nothing answers there"),
    ],
)
def test_what_is_not_there_is_told(spec: str, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        open_source(spec)


@pytest.mark.parametrize("content", [b"", b"not a video at all" * 100])
def test_an_empty_or_broken_video_is_told(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "video.mp4"
    path.write_bytes(content)
    with pytest.raises(UserError, match="empty or not a video"):
        open_source(str(path))


def test_a_broken_image_and_an_empty_folder_are_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="has no images"):
        open_source(str(tmp_path))
    (tmp_path / "face.png").write_bytes(b"\x89PNG")
    with pytest.raises(UserError, match="not an image"):
        open_source(str(tmp_path / "face.png"))


def test_a_folder_of_broken_images_alone_is_told_in_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(b"no image")
    with pytest.raises(UserError, match="the folder has no image that OpenCV can read"):
        open_source(str(tmp_path))
    assert capsys.readouterr().err == ""


def test_a_video_cut_short_ends_where_it_is_cut(tmp_path: Path) -> None:
    whole = write_video(tmp_path / "whole.avi", [backdrop()] * 20)
    content = whole.read_bytes()
    cut = tmp_path / "cut.avi"
    cut.write_bytes(content[: len(content) // 2])
    try:
        source = open_source(str(cut))
    except UserError:
        return
    frames = 0
    while source.read() is not None:
        frames += 1
    assert frames <= 20


def test_a_video_gives_its_frames_at_its_rate(tmp_path: Path) -> None:
    source = open_source(str(write_video(tmp_path / "v.mp4", [backdrop()] * 5, rate=25)))
    frames = [source.read() for _ in range(6)]
    assert [frame is not None for frame in frames] == [True] * 5 + [False]
    assert source.interval == pytest.approx(1 / 25)
    assert not source.live


def test_a_folder_gives_its_images_in_order_and_passes_over_broken_ones(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("d.png", "c.jpg"):
        cv2.imwrite(str(tmp_path / name), with_face())
    broken = ("a.png", "b.png", "e.png")
    for name in broken:
        (tmp_path / name).write_bytes(b"no image")
    source = open_source(str(tmp_path))
    names = []
    while source.read() is not None:
        names.append(source.name)
    assert names == ["c.jpg", "d.png"]
    told = capsys.readouterr().err.splitlines()
    assert [Path(line.split()[0]).name for line in told] == list(broken)
