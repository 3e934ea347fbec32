"""Augmentation: reproducible, switched off at zero, always a batch of finite images."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from pipeline.augmentation import augment, mixup
from pipeline.config import AugmentSettings

_OFF = AugmentSettings(
    flip=False, rotate=0.0, shift=0.0, zoom=0.0, brightness=0.0, contrast=0.0, erase=0.0
)
_SIDE = 24


def _off_but(**strengths: float | bool) -> AugmentSettings:
    return _OFF.model_copy(update=strengths)


def _images(count: int = 32, side: int = _SIDE) -> np.ndarray:
    """Noise of mean 0 and variance 1, so that no image is its own mirror."""
    return np.random.default_rng(2).normal(size=(count, side, side, 1)).astype(np.float32)


def _augment(images: np.ndarray, strengths: AugmentSettings, seed: int = 1) -> np.ndarray:
    augmented: np.ndarray = augment(
        tf.constant(images), strengths, tf.constant([seed, 9], tf.int64)
    ).numpy()
    return augmented


def test_the_same_seed_gives_the_same_images() -> None:
    strengths = AugmentSettings(erase=0.3)
    assert np.array_equal(_augment(_images(), strengths), _augment(_images(), strengths))


def test_another_seed_gives_other_images() -> None:
    first, second = (_augment(_images(), AugmentSettings(), seed) for seed in (1, 2))
    assert all(not np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def test_images_of_a_batch_are_changed_each_in_its_own_way() -> None:
    same = np.repeat(_images(1), 8, axis=0)
    augmented = _augment(same, AugmentSettings())
    assert len({image.tobytes() for image in augmented}) == 8


def test_zero_strengths_leave_images_as_they_are() -> None:
    assert np.abs(_augment(_images(), _OFF) - _images()).max() < 1e-4


def test_a_flip_alone_gives_the_image_or_its_mirror() -> None:
    images = _images(64)
    flipped = _augment(images, _off_but(flip=True))
    kept = np.abs(flipped - images).max(axis=(1, 2, 3)) < 1e-4
    mirrored = np.abs(flipped - images[:, :, ::-1]).max(axis=(1, 2, 3)) < 1e-4
    assert np.array_equal(kept, ~mirrored)
    assert 16 < kept.sum() < 48


def test_a_shift_moves_the_image_by_no_more_than_its_share() -> None:
    image = np.zeros((64, _SIDE, _SIDE, 1), np.float32)
    centre = _SIDE // 2
    image[:, centre, centre] = 1.0
    shifted = _augment(image, _off_but(shift=0.25))
    index, row, column, _ = np.nonzero(shifted > 0.2)
    assert len(set(index)) == 64
    assert max(np.abs(row - centre).max(), np.abs(column - centre).max()) <= 0.25 * _SIDE + 1
    assert np.abs(row - centre).max() > 1


def test_a_border_that_is_uncovered_repeats_the_edge() -> None:
    flat = np.full((16, _SIDE, _SIDE, 1), 0.75, np.float32)
    moved = _augment(flat, _off_but(rotate=45.0, shift=0.3, zoom=0.5))
    assert np.allclose(moved, 0.75, atol=1e-4)


def test_brightness_shifts_an_image_as_a_whole_and_within_bounds() -> None:
    images = _images(64)
    shift = _augment(images, _off_but(brightness=0.5)) - images
    assert np.ptp(shift, axis=(1, 2, 3)).max() < 1e-4
    assert np.abs(shift).max() <= 0.5 + 1e-4
    assert np.abs(shift).max() > 0.3


def test_contrast_scales_about_the_images_own_mean() -> None:
    images = _images(64)
    changed = _augment(images, _off_but(contrast=0.5))
    assert np.allclose(changed.mean(axis=(1, 2, 3)), images.mean(axis=(1, 2, 3)), atol=1e-4)
    ratio = changed.std(axis=(1, 2, 3)) / images.std(axis=(1, 2, 3))
    assert 0.5 - 1e-3 <= ratio.min() < 0.8
    assert 1.2 < ratio.max() <= 1.5 + 1e-3


def test_an_erased_square_is_the_mean_of_the_train_pixels_and_of_bounded_size() -> None:
    images = np.full((64, _SIDE, _SIDE, 1), 0.5, np.float32)
    erased = _augment(images, _off_but(erase=0.5))
    assert set(np.unique(erased)) == {0.0, 0.5}
    holes = erased[..., 0] == 0.0
    assert holes.any(axis=2).sum(axis=1).max() <= 0.5 * _SIDE + 1
    assert holes.any(axis=1).sum(axis=1).max() <= 0.5 * _SIDE + 1
    for hole in holes[holes.any(axis=(1, 2))]:
        rows, columns = np.nonzero(hole)
        assert hole[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1].all()


@pytest.mark.parametrize(("count", "side"), [(1, 16), (3, 48), (2, 17)])
def test_shape_and_type_are_kept(count: int, side: int) -> None:
    augmented = _augment(_images(count, side), AugmentSettings(erase=0.2))
    assert augmented.shape == (count, side, side, 1)
    assert augmented.dtype == np.float32


@settings(max_examples=40, deadline=None)
@given(
    st.builds(
        AugmentSettings,
        flip=st.booleans(),
        rotate=st.floats(0, 180),
        shift=st.floats(0, 0.5),
        zoom=st.floats(0, 0.999),
        brightness=st.floats(0, 3),
        contrast=st.floats(0, 0.999),
        erase=st.floats(0, 0.5),
    ),
    st.integers(0, 2**31),
)
def test_any_strengths_give_finite_images(strengths: AugmentSettings, seed: int) -> None:
    augmented = _augment(_images(4), strengths, seed)
    assert augmented.shape == (4, _SIDE, _SIDE, 1)
    assert np.isfinite(augmented).all()


def _mixup(alpha: float, seed: int = 1, count: int = 32) -> tuple[np.ndarray, np.ndarray]:
    labels = np.eye(count, dtype=np.float32)
    images, mixed = mixup(
        tf.constant(_images(count)), tf.constant(labels), alpha, tf.constant([seed, 9], tf.int64)
    )
    return images.numpy(), mixed.numpy()


def test_mixup_at_zero_leaves_images_and_labels_as_they_are() -> None:
    images, labels = _mixup(0.0)
    assert np.array_equal(images, _images(32))
    assert np.array_equal(labels, np.eye(32, dtype=np.float32))


@given(alpha=st.floats(0.01, 10.0), seed=st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_mixup_blends_images_and_labels_by_the_same_shares(alpha: float, seed: int) -> None:
    images, labels = _mixup(alpha, seed)
    assert np.allclose(labels.sum(axis=1), 1.0, atol=1e-5)
    assert (labels >= 0.0).all()
    own = np.diag(labels)
    assert (own >= 0.5 - 1e-5).all()
    assert np.allclose(images, np.einsum("ij,jhwc->ihwc", labels, _images(32)), atol=1e-4)


@pytest.mark.parametrize("alpha", [0.01, 0.1, 0.4, 2.0])
def test_mixup_keeps_the_larger_share_of_a_beta_draw(alpha: float) -> None:
    count = 20_000
    labels = np.tile(np.eye(2, dtype=np.float32), (count // 2, 1))
    _, mixed = mixup(tf.zeros([count, 1, 1, 1]), tf.constant(labels), alpha, tf.constant([1, 9]))
    drawn = np.random.default_rng(3).beta(alpha, alpha, count).astype(np.float32)
    expected = np.maximum(drawn, 1.0 - drawn)
    assert stats.ks_2samp((mixed.numpy() * labels).sum(axis=1), expected).statistic < 0.02


def test_more_alpha_blends_more() -> None:
    shares = [np.diag(_mixup(alpha, count=256)[1]).mean() for alpha in (0.01, 0.05, 0.5, 5.0)]
    assert shares == sorted(shares, reverse=True)
