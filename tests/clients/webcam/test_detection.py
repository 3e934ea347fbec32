from pathlib import Path

import numpy as np
import pytest

from clients.webcam.detection import Detector, make_detector
from clients.webcam.geometry import Box, overlap
from pipeline.drawn_sample import EXPRESSIONS
from pipeline.errors import UserError
from tests.clients.webcam.scenes import ASTRONAUT_FACE, astronaut, backdrop, crowd, with_face


@pytest.fixture(scope="module", params=["blazeface", "haar"])
def detector(request: pytest.FixtureRequest) -> Detector:
    return make_detector(request.param)


@pytest.fixture(scope="module")
def blazeface() -> Detector:
    return make_detector("blazeface")


def test_a_photographed_face_is_found_once_and_framed(detector: Detector) -> None:
    [face] = detector.detect(astronaut())
    assert overlap(face, ASTRONAUT_FACE) > 0.6
    assert face.width == face.height


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_drawn_faces_are_framed_as_they_were_drawn(blazeface: Detector, expression: str) -> None:
    boxes = blazeface.detect(with_face(expression=expression))
    assert overlap(boxes[0], Box(200, 100, 240, 240)) > 0.5


def test_a_picture_without_faces_has_none(detector: Detector) -> None:
    assert detector.detect(backdrop()) == []


def test_faces_are_found_in_thirty(blazeface: Detector) -> None:
    boxes = blazeface.detect(crowd(5, 6))
    cells = {(int(box.centre[0] // 160), int(box.centre[1] // 160)) for box in boxes}
    assert len(cells) >= 27
    assert len(boxes) <= 31


def test_the_largest_face_comes_first(blazeface: Detector) -> None:
    scene = np.hstack([with_face(200, 100, 240), with_face(100, 100, 320)])
    sides = [box.width for box in blazeface.detect(scene)]
    assert len(sides) == 2
    assert sides == sorted(sides, reverse=True)


@pytest.mark.parametrize("shape", [(1, 1, 3), (2, 300, 3), (300, 2, 3), (37, 53, 3)])
def test_odd_pictures_do_no_harm(detector: Detector, shape: tuple[int, ...]) -> None:
    assert detector.detect(np.zeros(shape, np.uint8)) == []


def test_yunet_needs_its_model(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--detector-model"):
        make_detector("yunet")
    with pytest.raises(UserError, match="no such file"):
        make_detector("yunet", tmp_path / "none.onnx")
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"no network")
    with pytest.raises(UserError, match="cannot read YuNet"):
        make_detector("yunet", broken)
