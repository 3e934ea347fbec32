"""What each change does to pixels, whatever the images."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from components.robustness_report.perturbations import (
    PERTURBATIONS,
    Perturbation,
    blur,
    brighten,
    fade,
    occlude,
    rotate,
    translate,
)

SETTINGS = [
    pytest.param(perturbation, strength, id=f"{perturbation.name} {strength}")
    for perturbation in PERTURBATIONS
    for strength in perturbation.strengths
]


def apply(perturbation: Perturbation, strength: float, pixels: np.ndarray) -> np.ndarray:
    return perturbation.apply(pixels, strength, np.random.default_rng(0))


def ramp(count: int = 4, side: int = 20) -> np.ndarray:
    """Images whose rows and columns can be told apart, uint8[count, side, side, 1]."""
    rows, columns = np.mgrid[:side, :side]
    return np.repeat((10 + 6 * rows + columns).astype(np.uint8)[None, ..., None], count, axis=0)


@pytest.mark.parametrize(("perturbation", "strength"), SETTINGS)
@settings(max_examples=10, deadline=None)
@given(
    pixels=arrays.arrays(
        np.uint8, st.tuples(st.integers(1, 5), st.just(24), st.just(24), st.just(1))
    )
)
def test_any_image_stays_an_image_of_its_size_and_the_original_is_left_alone(
    perturbation: Perturbation, strength: float, pixels: np.ndarray
) -> None:
    before = pixels.copy()
    changed = apply(perturbation, strength, pixels)
    assert changed.shape == pixels.shape
    assert changed.dtype == np.uint8
    np.testing.assert_array_equal(pixels, before)
    np.testing.assert_array_equal(changed, apply(perturbation, strength, pixels))


@pytest.mark.parametrize(("perturbation", "strength"), SETTINGS)
def test_every_strength_changes_an_image(perturbation: Perturbation, strength: float) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (4, 24, 24, 1), np.uint8)
    changed = apply(perturbation, strength, pixels)
    assert (changed != pixels).any(axis=(1, 2, 3)).all()


@pytest.mark.parametrize("perturbation", PERTURBATIONS, ids=lambda one: one.name)
def test_strengths_go_from_mild_to_strong(perturbation: Perturbation) -> None:
    pixels = ramp()
    distances = [
        np.abs(apply(perturbation, strength, pixels).astype(int) - pixels).mean()
        for strength in perturbation.strengths
        if strength > 0
    ]
    assert distances == sorted(distances)


def test_brightness_is_clipped() -> None:
    pixels = np.array([0, 100, 250], np.uint8).reshape(3, 1, 1, 1)
    generator = np.random.default_rng(0)
    assert brighten(pixels, 40, generator).ravel().tolist() == [40, 140, 255]
    assert brighten(pixels, -40, generator).ravel().tolist() == [0, 60, 210]


def test_contrast_is_lost_about_the_mean() -> None:
    pixels = np.array([50, 150], np.uint8).reshape(1, 1, 2, 1)
    assert fade(pixels, 0.5, np.random.default_rng(0)).ravel().tolist() == [75, 125]


def test_blur_goes_over_rows_and_columns_and_never_from_image_to_image() -> None:
    pixels = np.zeros((3, 21, 21, 1), np.uint8)
    pixels[1, 10, 10] = 255
    blurred = blur(pixels, 0.05, np.random.default_rng(0))
    assert blurred[0].max() == blurred[2].max() == 0
    assert blurred[1, 9, 10] == blurred[1, 10, 9] > 0


def test_images_are_turned_both_ways_in_turn() -> None:
    pixels = ramp(2)
    turned = rotate(pixels, 90, np.random.default_rng(0))
    np.testing.assert_array_equal(turned[0], np.rot90(pixels[0]))
    np.testing.assert_array_equal(turned[1], np.rot90(pixels[1], -1))


def test_images_are_shifted_up_down_left_and_right_in_turn() -> None:
    pixels = ramp()
    shifted = translate(pixels, 0.1, np.random.default_rng(0))  # 2 of 20 pixels
    np.testing.assert_array_equal(shifted[0][:-2], pixels[0][2:])
    np.testing.assert_array_equal(shifted[1][2:], pixels[1][:-2])
    np.testing.assert_array_equal(shifted[2][:, :-2], pixels[2][:, 2:])
    np.testing.assert_array_equal(shifted[3][:, 2:], pixels[3][:, :-2])
    np.testing.assert_array_equal(shifted[0][-1], pixels[0][-1])  # the edge, repeated


def test_one_square_of_the_size_is_covered_with_the_mean() -> None:
    pixels = np.zeros((500, 20, 20, 1), np.uint8)
    pixels[:, ::2] = 200
    covered = occlude(pixels, 0.25, np.random.default_rng(0)) == 100
    assert (covered.sum(axis=(1, 2, 3)) == 5 * 5).all()
    assert covered.any(axis=0).mean() > 0.9  # anywhere, over the images
