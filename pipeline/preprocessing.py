"""From encoded images and class names to what the model takes, in training and serving alike."""

from collections.abc import Iterable
from typing import Any

import apache_beam as beam
import numpy as np
import tensorflow as tf
import tensorflow_transform as tft
import tensorflow_transform.beam.experimental as tft_beam_experimental

from pipeline.features import IMAGE_KEY, LABEL_KEY

LABELS_VOCABULARY = "labels"
"""Vocabulary asset of the transform graph: class names in alphabetical order, one a line."""

PIXEL_MEAN_KEY = "pixel_mean"
PIXEL_SCALE_KEY = "pixel_scale"
"""Mean and inverse standard deviation of the train split's grey pixels in [0, 255], repeated for
every example."""


def preprocessing_fn(
    inputs: dict[str, tf.Tensor], custom_config: dict[str, Any]
) -> dict[str, tf.Tensor]:
    """Transform's entry point.

    Args:
      inputs: `image` string[n, 1] (encoded JPEG or PNG) and `label` string[n, 1] (class name).
      custom_config: `size`, the side of the model's image in pixels.

    Returns:
      `image` float32[n, size, size, 1] with the train split's mean 0 and variance 1;
      `label` int64[n], the index in the vocabulary, -1 for an unknown name;
      `pixel_mean` and `pixel_scale` float32[n], the moments that were used.
    """
    pixels = decode_images(tf.squeeze(inputs[IMAGE_KEY], axis=1), custom_config["size"])
    mean, scale = _moments(pixels)
    count = tf.shape(pixels)[0]
    return {
        IMAGE_KEY: normalize(pixels, mean, scale),
        LABEL_KEY: _label_index(tf.squeeze(inputs[LABEL_KEY], axis=1)),
        PIXEL_MEAN_KEY: tf.repeat(mean, count),
        PIXEL_SCALE_KEY: tf.repeat(scale, count),
    }


def decode_images(encoded: tf.Tensor, size: int) -> tf.Tensor:
    """Decodes, greys and resizes.

    Args:
      encoded: string[n], JPEG, PNG, BMP, WebP or GIF (its first frame), of any height and width,
        grey or colour.
      size: Height and width of the result, in pixels.

    Returns:
      uint8[n, size, size, 1]. Images of that size already come back as they were decoded; others
      are resampled bilinearly with antialiasing, without keeping their aspect.
    """

    def decode(image: tf.Tensor) -> tf.Tensor:
        # The exact inverse transform: TensorFlow's faster default differs by grey levels from what
        # OpenCV, Pillow and browsers decode, and clients send pixels that those decoded.
        colour = tf.cond(
            tf.io.is_jpeg(image),
            lambda: tf.io.decode_jpeg(image, channels=3, dct_method="INTEGER_ACCURATE"),
            lambda: tf.io.decode_image(image, channels=3, expand_animations=False),
        )
        colour.set_shape([None, None, 3])
        pixels = _grey(colour)
        resized = tf.cond(
            tf.reduce_all(tf.equal(tf.shape(pixels)[:2], size)),
            lambda: pixels,
            lambda: _resize(pixels, size),
        )
        # Not inside the branch: a TF1 session, as TensorFlow Serving may run, evaluates it for
        # every image.
        return tf.ensure_shape(resized, [size, size, 1])

    return tf.map_fn(decode, encoded, fn_output_signature=tf.TensorSpec([size, size, 1], tf.uint8))


def normalize(pixels: tf.Tensor, mean: tf.Tensor, scale: tf.Tensor) -> tf.Tensor:
    """Maps uint8 (or float pixel values in [0, 255]) to float32 with mean 0 and variance 1.

    A multiplication, since TensorFlow may rewrite a division by a constant in one graph and not in
    another, and every way into the model must give the same bits.
    """
    return (tf.cast(pixels, tf.float32) - mean) * scale


def denormalize(images: tf.Tensor, mean: tf.Tensor, scale: tf.Tensor) -> tf.Tensor:
    """Maps normalized float32 back to grey values, which augmentation may take beyond [0, 255]."""
    return images / scale + mean


def to_uint8(values: tf.Tensor) -> tf.Tensor:
    """Rounds float grey values to uint8; what is beyond [0, 255] becomes black or white."""
    return tf.cast(tf.clip_by_value(tf.round(values), 0.0, 255.0), tf.uint8)


def _grey(colour: tf.Tensor) -> tf.Tensor:
    """Luma of ITU-R BT.601, as Pillow's mode L and JPEG; grey pixels keep their value.

    Every format decodes to three channels; TensorFlow decodes only JPEG and PNG to one.
    """
    luma = tf.tensordot(tf.cast(colour, tf.float32), [0.299, 0.587, 0.114], axes=1)
    return tf.cast(tf.round(luma), tf.uint8)[..., tf.newaxis]


def _resize(pixels: tf.Tensor, size: int) -> tf.Tensor:
    resized = tf.image.resize(pixels, [size, size], antialias=True)
    return to_uint8(resized)


def _moments(pixels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    # Sums of whole numbers are exact in any order; those of floating-point numbers would depend on
    # how Beam batches the images, which follows the clock.
    values = tf.cast(pixels, tf.int64)
    count = tf.cast(tft.sum(tf.size(values, tf.int64)), tf.float64)
    mean = tf.cast(tft.sum(values), tf.float64) / count
    mean_square = tf.cast(tft.sum(tf.square(values)), tf.float64) / count
    variance = tf.maximum(mean_square - tf.square(mean), 1.0)
    return tf.cast(mean, tf.float32), tf.cast(tf.math.rsqrt(variance), tf.float32)


def _label_index(labels: tf.Tensor) -> tf.Tensor:
    # tft.vocabulary orders by frequency, so that a few more images of one class would renumber
    # the outputs of the model.
    (vocabulary,) = tft.experimental.ptransform_analyzer(
        [labels],
        _SortedVocabulary(),
        output_dtypes=[tf.string],
        output_shapes=[[]],
        output_asset_default_values=[b"placeholder"],
        name=LABELS_VOCABULARY,
    )
    return tft.apply_vocabulary(labels, vocabulary, default_value=-1)


class _SortedVocabulary(tft_beam_experimental.PTransformAnalyzer):
    """Writes the distinct labels of a collection to a text file, in alphabetical order."""

    def expand(self, batches: beam.PCollection[tuple[np.ndarray]]) -> beam.PCollection[np.ndarray]:
        return (
            batches
            | "Labels" >> beam.FlatMap(lambda batch: set(batch[0].tolist()))
            | "Distinct" >> beam.CombineGlobally(_union)
            | "Write" >> beam.Map(_write_vocabulary, self.base_temp_dir)
        )


def _union(sets: Iterable[Any]) -> set[bytes]:
    union: set[bytes] = set()
    for labels in sets:
        union.update(labels if isinstance(labels, set) else [labels])
    return union


def _write_vocabulary(labels: set[bytes], folder: str) -> np.ndarray:
    path = f"{folder}/{LABELS_VOCABULARY}"
    tf.io.gfile.makedirs(folder)
    with tf.io.gfile.GFile(path, "wb") as file:
        file.write(b"\n".join(sorted(labels)) + b"\n")
    return np.array(path, dtype=object)
