"""The Trainer's input: a validation part of its own, full shuffled batches, the same for a seed."""

import hashlib
from collections import Counter

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.config import AugmentSettings, TrainSettings
from pipeline.features import CONTENT_HASH_KEY
from pipeline.input_data import (
    evaluation_batches,
    training_batches,
    training_part,
    validation_part,
)

_COUNT = 10
_NO_AUGMENTATION = AugmentSettings(
    flip=False, rotate=0.0, shift=0.0, zoom=0.0, brightness=0.0, contrast=0.0, erase=0.0
)


def _hashes(count: int) -> list[str]:
    return [hashlib.sha256(str(index).encode()).hexdigest() for index in range(count)]


def _raw(hashes: list[str]) -> dict[str, tf.Tensor]:
    return {CONTENT_HASH_KEY: tf.reshape(tf.constant(hashes, tf.string), [-1, 1])}


def _elements() -> tf.data.Dataset:
    """Image i is full of i, and has the label i."""
    numbers = np.arange(_COUNT, dtype=np.float32)
    images = np.broadcast_to(numbers[:, None, None, None], (_COUNT, 16, 16, 1))
    return tf.data.Dataset.from_tensor_slices((images, tf.one_hot(np.arange(_COUNT), _COUNT)))


def _settings(
    batch_size: int = 4,
    seed: int = 1,
    cache: str = "memory",
    augment: AugmentSettings = _NO_AUGMENTATION,
) -> TrainSettings:
    return TrainSettings.model_validate(
        {"batch_size": batch_size, "seed": seed, "cache": cache, "augment": augment}
    )


def _order(train_settings: TrainSettings, steps: int) -> list[int]:
    """Labels of the first batches, after checking that each image is with its own."""
    labels: list[int] = []
    for images, one_hot in training_batches(_elements(), _COUNT, train_settings).take(steps):
        assert images.shape == (train_settings.batch_size, 16, 16, 1)
        assert one_hot.shape == (train_settings.batch_size, _COUNT)
        found = np.argmax(one_hot, axis=1)
        assert np.allclose(images.numpy().mean(axis=(1, 2, 3)), found, atol=1e-4)
        labels += found.tolist()
    return labels


# The validation part.


@settings(max_examples=50, deadline=None)
@given(st.lists(st.text("0123456789abcdef", min_size=1)), st.floats(0.01, 0.49))
def test_an_image_either_trains_or_validates(hashes: list[str], fraction: float) -> None:
    trains = training_part(fraction)(_raw(hashes)).numpy()
    validates = validation_part(fraction)(_raw(hashes)).numpy()
    assert np.array_equal(trains, ~validates)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.text("0123456789abcdef", min_size=1), min_size=1), st.floats(0.01, 0.49))
def test_copies_stand_on_the_same_side_wherever_they_are_read(
    hashes: list[str], fraction: float
) -> None:
    alone = [bool(validation_part(fraction)(_raw([digest])).numpy()[0]) for digest in hashes]
    together = validation_part(fraction)(_raw([*hashes, *hashes])).numpy().tolist()
    assert together == [*alone, *alone]


@pytest.mark.parametrize("fraction", [0.05, 0.1, 0.4])
def test_the_validation_part_has_about_the_share_that_was_asked_for(fraction: float) -> None:
    validates = validation_part(fraction)(_raw(_hashes(4000))).numpy()
    assert abs(validates.mean() - fraction) < 0.02


def test_a_larger_validation_part_holds_the_smaller_one() -> None:
    small, large = (validation_part(share)(_raw(_hashes(500))).numpy() for share in (0.1, 0.2))
    assert not (small & ~large).any()


# Batches to train on.


def test_batches_are_always_full_and_run_on_from_pass_to_pass() -> None:
    labels = _order(_settings(batch_size=4), steps=5)
    assert Counter(labels) == dict.fromkeys(range(_COUNT), 2)
    assert sorted(labels[:_COUNT]) == list(range(_COUNT))


def test_a_batch_larger_than_the_data_takes_images_again() -> None:
    assert Counter(_order(_settings(batch_size=20), steps=1)) == dict.fromkeys(range(_COUNT), 2)


def test_every_pass_has_its_own_order() -> None:
    labels = _order(_settings(batch_size=10), steps=3)
    passes = [tuple(labels[start : start + 10]) for start in (0, 10, 20)]
    assert len(set(passes)) == 3
    assert tuple(range(_COUNT)) not in passes


@pytest.mark.parametrize("cache", ["memory", "none"])
def test_the_order_is_the_same_for_the_same_seed(cache: str) -> None:
    train_settings = _settings(cache=cache)
    assert _order(train_settings, steps=8) == _order(train_settings, steps=8)


def test_the_order_is_another_for_another_seed() -> None:
    assert _order(_settings(seed=1), steps=5) != _order(_settings(seed=2), steps=5)


def test_augmentation_is_the_same_for_the_same_seed_and_new_for_every_batch() -> None:
    lit = _settings(batch_size=10, augment=_NO_AUGMENTATION.model_copy(update={"brightness": 1.0}))

    def shifts() -> list[np.ndarray]:
        """How much brighter each image is, by label, in each of three passes."""
        return [
            images.numpy().mean(axis=(1, 2, 3))[np.argsort(np.argmax(labels, axis=1))]
            - np.arange(_COUNT)
            for images, labels in training_batches(_elements(), _COUNT, lit).take(3)
        ]

    first, again = shifts(), shifts()
    assert np.array_equal(first, again)
    assert not np.allclose(first[0], first[1])
    assert not np.allclose(first[1], first[2])


def test_the_first_batches_are_small_where_a_share_of_the_epochs_asks_for_it() -> None:
    growing = _settings(batch_size=5).model_copy(update={"small_first": 0.5})
    batches = training_batches(_elements(), _COUNT, growing, small=2)
    assert batches.element_spec[0].shape == (5, None, None, 1)
    taken = list(batches.take(4))
    assert [images.shape[1:] for images, _ in taken] == [(10, 10, 1)] * 2 + [(16, 16, 1)] * 2
    for images, one_hot in taken:
        means = images.numpy().mean(axis=(1, 2, 3))
        assert np.allclose(means, np.argmax(one_hot, axis=1), atol=1e-4)


# Batches to judge on.


@pytest.mark.parametrize("cache", ["memory", "none"])
def test_evaluation_keeps_the_order_and_leaves_no_image_out(cache: str) -> None:
    batches = evaluation_batches(_elements(), _settings(batch_size=4, cache=cache))
    for _ in range(2):
        labels = [np.argmax(one_hot, axis=1).tolist() for _, one_hot in batches]
        assert labels == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]


def test_evaluation_images_are_not_augmented() -> None:
    strong = _settings(augment=AugmentSettings(brightness=3.0))
    for images, one_hot in evaluation_batches(_elements(), strong):
        expected = np.broadcast_to(np.argmax(one_hot, axis=1)[:, None, None, None], images.shape)
        assert np.array_equal(images, expected)
