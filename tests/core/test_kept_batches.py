"""Batches whose labels a teacher has blended: kept on the disk, and read again and again."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from pipeline.config import TrainSettings
from pipeline.kept_batches import KeptBatches

_SIDE = 12
_COUNT = 8
_BATCH = 4
_STEPS = _COUNT // _BATCH
_MEAN, _SCALE = tf.constant(100.0), tf.constant(0.02)


class KilledError(Exception):
    """Stands for kill -9."""


def _settings(**changed: Any) -> TrainSettings:
    return TrainSettings.model_validate(
        {"batch_size": _BATCH, "taught_epochs": 3, "augment": {"flip": False}} | changed
    )


def _kept(folder: Path, settings: TrainSettings) -> KeptBatches:
    return KeptBatches(folder / "taught", settings, _MEAN, _SCALE)


def _ramps(asked: list[int]) -> Callable[[TrainSettings], tf.data.Dataset]:
    """Makes batches of images whose brightness falls from left to right, normalized.

    The image with the label i starts at the grey value 10 * i; `asked` gets the seeds.
    """
    columns = np.arange(_SIDE, dtype=np.float32)[None, None, :, None]
    starts = 10.0 * np.arange(_COUNT, dtype=np.float32)[:, None, None, None]
    grey = np.broadcast_to(starts + columns, (_COUNT, _SIDE, _SIDE, 1))
    images = (grey - _MEAN.numpy()) * _SCALE.numpy()

    def batches_of(settings: TrainSettings) -> tf.data.Dataset:
        asked.append(settings.seed)
        elements = tf.data.Dataset.from_tensor_slices((images, tf.eye(_COUNT)))
        return elements.repeat().batch(_BATCH, drop_remainder=True)

    return batches_of


def _read(kept: KeptBatches, epochs: int = 1, small: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Images, as grey values, and labels of so many epochs in one array each."""
    batches = list(kept.read(_COUNT, small).take(epochs * _STEPS))
    images = np.concatenate([images for images, _ in batches]) / _SCALE.numpy() + _MEAN.numpy()
    return images, np.concatenate([labels for _, labels in batches])


def test_images_come_back_with_their_labels_in_another_order(tmp_path: Path) -> None:
    kept = _kept(tmp_path, _settings())
    kept.write(_ramps([]), _STEPS)
    images, labels = _read(kept, epochs=6)
    assert images.shape == (6 * _COUNT, _SIDE, _SIDE, 1)
    numbers = labels.argmax(axis=1)
    np.testing.assert_allclose(images[:, 0, 0, 0], 10.0 * numbers, atol=1e-3)
    assert np.bincount(numbers).tolist() == [6] * _COUNT
    assert not np.array_equal(numbers, np.tile(np.arange(_COUNT), 6))


def test_each_epoch_is_augmented_by_a_seed_of_its_own(tmp_path: Path) -> None:
    asked: list[int] = []
    settings = _settings(members=2)
    for index in range(2):
        kept = _kept(tmp_path / str(index), settings.of_member(index))
        kept.folder.parent.mkdir()
        kept.write(_ramps(asked), _STEPS)
    assert len(set(asked)) == 6


def test_they_are_mirrored_by_chance_where_augmentation_may(tmp_path: Path) -> None:
    kept = _kept(tmp_path, _settings(augment={"flip": True}))
    kept.write(_ramps([]), _STEPS)
    images, labels = _read(kept, epochs=6)
    falling = images[:, 0, 0, 0] > images[:, 0, -1, 0]
    assert 0 < falling.sum() < len(images)
    starts = np.where(falling, images[:, 0, -1, 0], images[:, 0, 0, 0])
    np.testing.assert_allclose(starts, 10.0 * labels.argmax(axis=1), atol=1e-3)


def test_the_first_batches_are_shrunk_where_the_settings_say_so(tmp_path: Path) -> None:
    kept = _kept(tmp_path, _settings(small_first=0.5))
    kept.write(_ramps([]), _STEPS)
    sides = [images.shape[1] for images, _ in kept.read(_COUNT, small=3).take(5)]
    assert sides == [8, 8, 8, 12, 12]


def test_light_beyond_black_and_white_is_cut_off(tmp_path: Path) -> None:
    extremes = tf.reshape(tf.constant([-900.0, 900.0] * 2), [_BATCH, 1, 1, 1])
    images = tf.tile(extremes, [1, _SIDE, _SIDE, 1])
    batch = tf.data.Dataset.from_tensors((images, tf.eye(_BATCH))).repeat()
    kept = _kept(tmp_path, _settings())
    kept.write(lambda settings: batch, 1)
    found, _ = _read(kept)
    assert np.unique(found.round(3)).tolist() == [0.0, 255.0]


def test_a_killed_run_asks_only_about_what_it_had_not_written_whole(tmp_path: Path) -> None:
    asked: list[int] = []
    ramps = _ramps(asked)

    def killed(settings: TrainSettings) -> tf.data.Dataset:
        batches = ramps(settings)
        if len(asked) == 2:
            raise KilledError
        return batches

    kept = _kept(tmp_path, _settings())
    with pytest.raises(KilledError):
        kept.write(killed, _STEPS)
    (kept.folder / "epoch2.partial").mkdir()
    (kept.folder / "epoch2.partial" / "half").touch()
    kept.write(ramps, _STEPS)
    assert len(asked) == 4
    assert asked[1] == asked[2]
    assert sorted(path.name for path in kept.folder.iterdir()) == ["epoch1", "epoch2", "epoch3"]


def test_a_training_of_fewer_epochs_asks_about_no_more(tmp_path: Path) -> None:
    asked: list[int] = []
    kept = _kept(tmp_path, _settings(epochs=2))
    kept.write(_ramps(asked), _STEPS)
    assert len(asked) == 2
    assert len(_read(kept, epochs=2)[0]) == 2 * _COUNT


def test_a_second_training_asks_no_more(tmp_path: Path) -> None:
    asked: list[int] = []
    for _ in range(2):
        _kept(tmp_path, _settings()).write(_ramps(asked), _STEPS)
    assert len(asked) == 3
