"""Keeps augmented images with a teacher's answers: one that answers slowly is not asked again."""

import functools
import logging
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import tensorflow as tf

from pipeline import input_data, progress
from pipeline.config import TrainSettings
from pipeline.preprocessing import denormalize, normalize, to_uint8

_LOGGER = logging.getLogger(__name__)
# Far from the seeds of other members, which are counted on from the first one's.
_SEEDS = 1_000_003


@dataclass(frozen=True)
class KeptBatches:
    """Batches of some epochs, on the disk.

    Attributes:
      folder: Where they are; what is there belongs to these settings.
      settings: `taught_epochs`, or `epochs` if that is fewer, `batch_size`, `seed`, `augment.flip`
        and what `input_data.changed_batches` takes are used.
      mean: What images are normalized with, in grey values.
      scale: What images are normalized with.
    """

    folder: Path
    settings: TrainSettings
    mean: tf.Tensor
    scale: tf.Tensor

    def write(self, batches_of: Callable[[TrainSettings], tf.data.Dataset], steps: int) -> None:
        """Writes the epochs that are not there yet, each whole or not at all.

        Args:
          batches_of: Endless batches, augmented and taught, of settings that differ by the seed.
          steps: Batches in an epoch.
        """
        self.folder.mkdir(exist_ok=True)
        paths = self._epochs()
        # Shrunk when they are read.
        whole = self.settings.model_copy(update={"small_first": 0.0})
        for index, path in enumerate(paths):
            if path.exists():
                continue
            told = f"teacher's answers, epoch {index + 1}/{len(paths)}"
            progress.report(index / len(paths), told)
            _LOGGER.info(told)
            seed = self.settings.seed + _SEEDS * (index + 1)
            batches = batches_of(whole.model_copy(update={"seed": seed})).take(steps)
            partial = path.with_suffix(".partial")
            shutil.rmtree(partial, ignore_errors=True)
            batches.map(self._as_grey, num_parallel_calls=tf.data.AUTOTUNE).save(str(partial))
            partial.rename(path)

    def read(self, count: int, small: int) -> tf.data.Dataset:
        """Reads them endlessly, shuffled, and mirrored by chance.

        Args:
          count: Size of the shuffle buffer, the number of train images.
          small: How many batches, the first ones, are of images that are shrunk.

        Returns:
          Batches as `input_data.training_batches` gives them.
        """
        epochs = [tf.data.Dataset.load(str(path)) for path in self._epochs()]
        examples = functools.reduce(tf.data.Dataset.concatenate, epochs).unbatch()
        return input_data.changed_batches(
            examples, count, self.settings, self._as_trained_on, small
        )

    def _epochs(self) -> list[Path]:
        count = min(self.settings.taught_epochs, self.settings.epochs)
        return [self.folder / f"epoch{index + 1}" for index in range(count)]

    def _as_grey(self, images: tf.Tensor, labels: tf.Tensor) -> input_data.Batch:
        """uint8 images, a quarter of the size."""
        return to_uint8(denormalize(images, self.mean, self.scale)), labels

    def _as_trained_on(
        self, grey: tf.Tensor, labels: tf.Tensor, seed: tf.Tensor
    ) -> input_data.Batch:
        images = normalize(grey, self.mean, self.scale)
        if self.settings.augment.flip:
            draws = tf.random.stateless_uniform([self.settings.batch_size, 1, 1, 1], seed)
            images = tf.where(draws < 0.5, tf.reverse(images, axis=[2]), images)
        return images, labels
