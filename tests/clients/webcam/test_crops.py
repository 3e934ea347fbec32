import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clients.webcam.crops import batch, cut
from clients.webcam.geometry import Box
from tests.clients.webcam.scenes import ASTRONAUT_FACE, astronaut, with_face


@given(st.floats(-300, 900), st.floats(-300, 900), st.floats(0.1, 900))
def test_a_crop_is_a_grey_square_wherever_it_lies(left: float, top: float, side: float) -> None:
    crop = cut(np.zeros((480, 640, 3), np.uint8), Box(left, top, side, side))
    assert crop.dtype == np.uint8
    assert crop.shape == (max(round(side), 1),) * 2


def test_a_crop_inside_the_frame_is_that_part_of_it() -> None:
    scene = with_face()
    expected = cv2.cvtColor(scene, cv2.COLOR_BGR2GRAY)[100:340, 200:440]
    np.testing.assert_array_equal(cut(scene, Box(200, 100, 240, 240)), expected)


def test_beyond_the_frame_its_edge_is_repeated() -> None:
    scene = np.full((10, 10, 3), 50, np.uint8)
    scene[:, 0] = 200
    crop = cut(scene, Box(-3, 0, 6, 6))
    assert (crop[:, :4] == 200).all()
    assert (crop[:, 4:] == 50).all()


def test_a_square_about_a_box_has_its_centre_and_its_longer_side() -> None:
    assert Box(10, 20, 40, 60).squared() == Box(0, 20, 60, 60)
    assert Box(0, 0, 10, 10).squared(2.0, lift=0.1) == Box(-5, -6, 20, 20)


def test_a_batch_has_the_size_of_the_models_input() -> None:
    faces = [np.full((side, side), side, np.uint8) for side in (1, 48, 200)]
    pixels = batch(faces, 48)
    assert (pixels.shape, pixels.dtype) == ((3, 48, 48, 1), np.uint8)
    assert [int(pixels[i].mean()) for i in range(3)] == [1, 48, 200]


@pytest.mark.parametrize("side", [20, 47, 48, 49, 96, 131, 400])
def test_a_face_is_resized_as_in_training_and_serving(side: int) -> None:
    import tensorflow as tf  # noqa: PLC0415

    from pipeline import preprocessing  # noqa: PLC0415

    centre = ASTRONAUT_FACE.centre
    face = cut(astronaut(), Box(centre[0] - side / 2, centre[1] - side / 2, side, side))
    encoded = tf.io.encode_png(face[:, :, np.newaxis])
    expected = preprocessing.decode_images(tf.stack([encoded]), 48).numpy().astype(int)
    difference = np.abs(batch([face], 48) - expected)
    assert difference.max() <= 1, "but for the rounding of a half"
    assert (difference > 0).mean() < 0.005
