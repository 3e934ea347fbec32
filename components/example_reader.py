"""Reads images and labels from an Examples artifact, decoded as the model's own graph does."""

import random
from collections.abc import Iterator

import numpy as np
import tensorflow as tf
from tfx.types import Artifact, artifact_utils

from pipeline.features import IMAGE_KEY, LABEL_KEY
from pipeline.preprocessing import decode_images


def split_dataset(examples: list[Artifact], split: str) -> tf.data.Dataset:
    """Returns the serialized examples, string[], of a split, in a fixed order.

    Raises:
        ValueError: the artifact has no such split.
    """
    folders = artifact_utils.get_split_uris(examples, split)
    files = sorted(file for folder in folders for file in tf.io.gfile.glob(f"{folder}/*"))
    compression = "GZIP" if files and files[0].endswith(".gz") else ""
    return tf.data.TFRecordDataset(files, compression_type=compression)


def sample_images(dataset: tf.data.Dataset, count: int, size: int, seed: int) -> np.ndarray:
    """Draws images at random; arguments as of `sample_labelled`.

    Returns:
        uint8[m, size, size, 1] with m <= count.
    """
    return _images(draw(dataset, count, seed), size)


def sample_labelled(
    dataset: tf.data.Dataset, count: int, size: int, seed: int
) -> tuple[np.ndarray, list[str]]:
    """Draws images and their class names at random.

    Args:
        dataset: serialized examples, string[].
        count: how many to draw; all, if there are fewer.
        size: height and width in pixels.
        seed: what the draw depends on, besides the examples and their order.

    Returns:
        uint8[m, size, size, 1] and m names, with m <= count.
    """
    records = draw(dataset, count, seed)
    labels = _parse_labels(tf.constant(records, tf.string)).numpy()
    return _images(records, size), [label.decode() for label in labels]


def labelled_batches(
    dataset: tf.data.Dataset, size: int, batch_size: int = 256
) -> Iterator[tuple[np.ndarray, list[str]]]:
    """Yields uint8[n, size, size, 1] images and their n class names, n <= batch_size."""

    def parse(records: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return _parse_images(records, size), _parse_labels(records)

    batches = dataset.batch(batch_size).map(parse, num_parallel_calls=tf.data.AUTOTUNE)
    for images, labels in batches.prefetch(1).as_numpy_iterator():
        yield images, [label.decode() for label in labels]


def draw(dataset: tf.data.Dataset, count: int, seed: int) -> list[bytes]:
    """Draws records, each equally likely, in one pass and the memory of `count`.

    Algorithm R of Vitter, "Random Sampling with a Reservoir", ACM TOMS 11(1), 1985.
    """
    generator = random.Random(seed)  # noqa: S311  (no secret)
    reservoir: list[bytes] = []
    for index, record in enumerate(dataset.as_numpy_iterator()):
        if index < count:
            reservoir.append(record)
        elif (slot := generator.randrange(index + 1)) < count:
            reservoir[slot] = record
    return reservoir


def _images(records: list[bytes], size: int) -> np.ndarray:
    return _parse_images(tf.constant(records, tf.string), size).numpy()


def _parse_labels(records: tf.Tensor) -> tf.Tensor:
    features = tf.io.parse_example(records, {LABEL_KEY: tf.io.FixedLenFeature([], tf.string)})
    return features[LABEL_KEY]


def _parse_images(records: tf.Tensor, size: int) -> tf.Tensor:
    features = tf.io.parse_example(records, {IMAGE_KEY: tf.io.FixedLenFeature([], tf.string)})
    return decode_images(features[IMAGE_KEY], size)
