"""Random changes to a batch of train images, reproducible from a seed."""

import math

import tensorflow as tf

from pipeline.config import AugmentSettings


def augment(images: tf.Tensor, settings: AugmentSettings, seed: tf.Tensor) -> tf.Tensor:
    """Augments each image of a batch on its own.

    Flip, rotation, shift and zoom are one projective resampling, so pixels are interpolated once.
    Stateless operations keep a run reproducible when batches are mapped in parallel, which the
    stateful seeds of Keras' preprocessing layers do not.

    Args:
      images: float32[n, side, side, 1], mean 0 and variance 1.
      settings: Strengths; zero switches an operation off.
      seed: int64[2].

    Returns:
      float32[n, side, side, 1]; uncovered borders repeat the edge, erased squares are 0, the mean.
    """
    geometry, light, erasing = tf.unstack(tf.random.split(seed, 3))
    images = _warp(images, settings, geometry)
    images = _relight(images, settings, light)
    return _erase(images, settings, erasing)


def mixup(
    images: tf.Tensor, labels: tf.Tensor, alpha: float, seed: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Blends each image and label of a batch with those of another one.

    Zhang et al., 2018, "mixup: Beyond Empirical Risk Minimization", with the larger share kept for
    the image itself, and the batch in reverse order for partners.

    Args:
      images: float32[n, side, side, 1].
      labels: float32[n, classes], one-hot or soft.
      alpha: Both parameters of the Beta distribution of the shares; zero leaves the batch as it is.
      seed: int64[2].

    Returns:
      Images and labels of the same shapes; each label still sums to 1.
    """
    if alpha == 0.0:
        return images, labels
    # A Beta(a, a) draw is the share of one of two Gamma(a) draws in their sum. Small ones are below
    # what float32 holds, so they are drawn as logarithms: a Gamma(a) draw is one of Gamma(a + 1)
    # times U^(1/a) (Marsaglia and Tsang, 2000, "A Simple Method for Generating Gamma Variables").
    first, second = tf.unstack(tf.random.split(seed, 2))
    pairs = [tf.shape(images)[0], 2]
    larger = tf.random.stateless_gamma(pairs, first, alpha + 1.0)
    # In (0, 1], since 0 has no logarithm.
    uniform = 1.0 - tf.random.stateless_uniform(pairs, second)
    logs = tf.math.log(larger) + tf.math.log(uniform) / alpha
    share = tf.sigmoid(tf.abs(logs[:, 0] - logs[:, 1]))

    def blend(values: tf.Tensor) -> tf.Tensor:
        own = tf.reshape(share, [-1] + [1] * (len(values.shape) - 1))
        return own * values + (1.0 - own) * tf.reverse(values, [0])

    return blend(images), blend(labels)


def _uniform(seed: tf.Tensor, count: tf.Tensor, columns: int) -> list[tf.Tensor]:
    """`columns` independent draws of float32[count] in [-1, 1)."""
    draws = tf.random.stateless_uniform([columns, count], seed, -1.0, 1.0)
    return tf.unstack(draws, num=columns)


def _warp(images: tf.Tensor, settings: AugmentSettings, seed: tf.Tensor) -> tf.Tensor:
    count, side = tf.shape(images)[0], images.shape[1]
    turn, dx, dy, zoom, mirror = _uniform(seed, count, 5)
    angle = turn * settings.rotate * math.pi / 180.0
    scale = 1.0 + zoom * settings.zoom
    flip = tf.where((mirror < 0.0) & settings.flip, -1.0, 1.0)
    cosine, sine = tf.cos(angle) * scale, tf.sin(angle) * scale
    # Output (x, y) samples input (a x + b y + c, d x + e y + f), about the centre of the image.
    centre = (side - 1) / 2.0
    a, b = cosine * flip, -sine
    d, e = sine * flip, cosine
    c = centre + dx * settings.shift * side - centre * (a + b)
    f = centre + dy * settings.shift * side - centre * (d + e)
    zero = tf.zeros_like(a)
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=tf.stack([a, b, c, d, e, f, zero, zero], axis=1),
        output_shape=[side, side],
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="NEAREST",
    )


def _relight(images: tf.Tensor, settings: AugmentSettings, seed: tf.Tensor) -> tf.Tensor:
    brightness, contrast = (
        draw[:, None, None, None] for draw in _uniform(seed, tf.shape(images)[0], 2)
    )
    mean = tf.reduce_mean(images, axis=[1, 2, 3], keepdims=True)
    spread = (images - mean) * (1.0 + contrast * settings.contrast)
    return spread + mean + brightness * settings.brightness


def _erase(images: tf.Tensor, settings: AugmentSettings, seed: tf.Tensor) -> tf.Tensor:
    if settings.erase == 0.0:
        return images
    side = images.shape[1]
    column, row, extent = _uniform(seed, tf.shape(images)[0], 3)
    half = tf.abs(extent) * settings.erase * side / 2.0
    position = tf.range(side, dtype=tf.float32)
    middle = side / 2.0
    inside_rows = tf.abs(position - (middle + row * middle)[:, None]) < half[:, None]
    inside_columns = tf.abs(position - (middle + column * middle)[:, None]) < half[:, None]
    erased = inside_rows[:, :, None] & inside_columns[:, None, :]
    return tf.where(erased[..., None], 0.0, images)
