"""Batch normalization in one operation: the same as Keras' own layer."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from pipeline.normalization import FusedBatchNormalization, measure

_COUNT, _SIDE, _CHANNELS = 16, 6, 5


@pytest.fixture
def images() -> tf.Tensor:
    generator = np.random.default_rng(0)
    return tf.constant(generator.normal(2, 3, (_COUNT, _SIDE, _SIDE, _CHANNELS)), tf.float32)


def _layers() -> tuple[keras.Layer, keras.Layer]:
    """Keras' layer and this one, with equal weights that are not those of a new layer."""
    generator = np.random.default_rng(1)
    weights = [generator.uniform(0.5, 1.5, _CHANNELS) for _ in range(4)]
    layers = keras.layers.BatchNormalization(momentum=0.9), FusedBatchNormalization(momentum=0.9)
    for layer in layers:
        layer.build((None, _SIDE, _SIDE, _CHANNELS))
        layer.set_weights(weights)
    return layers


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("compiled", [False, True], ids=["eager", "XLA"])
def test_outputs_and_gradients_are_those_of_keras(
    images: tf.Tensor, training: bool, compiled: bool
) -> None:
    @tf.function(jit_compile=compiled)
    def answer(layer: keras.Layer) -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            tape.watch(images)
            output = layer(images, training=training)
            loss = tf.reduce_sum(tf.sin(output))
        variables = [layer.gamma.value, layer.beta.value]
        return [output, *tape.gradient(loss, [images, *variables])]

    for expected, found in zip(*map(answer, _layers()), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_moving_averages_are_those_of_keras_with_the_unbiased_variance(images: tf.Tensor) -> None:
    keras_layer, layer = _layers()
    before = layer.moving_variance.numpy()
    for each in (keras_layer, layer):
        each(images, training=True)
    np.testing.assert_allclose(layer.moving_mean, keras_layer.moving_mean, rtol=1e-5)
    count = _COUNT * _SIDE * _SIDE
    biased = (keras_layer.moving_variance.numpy() - 0.9 * before) / 0.1
    expected = 0.9 * before + 0.1 * biased * count / (count - 1)
    np.testing.assert_allclose(layer.moving_variance, expected, rtol=1e-5)


def test_asking_or_freezing_it_changes_nothing(images: tf.Tensor) -> None:
    _, layer = _layers()
    before = layer.get_weights()
    layer(images, training=False)
    layer.trainable = False
    layer(images, training=True)
    for old, new in zip(before, layer.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_statistics_taken_anew_are_those_of_all_images(images: tf.Tensor) -> None:
    image = keras.Input(images.shape[1:])
    layer = FusedBatchNormalization(momentum=0.9)
    kernel = keras.layers.Conv2D(3, 1)
    network = keras.Model(image, kernel(layer(image)))
    before = kernel.get_weights()

    # In batches of different sizes.
    measure(network, [images[:7], images[7:12], images[12:]])

    np.testing.assert_allclose(layer.moving_mean, tf.reduce_mean(images, (0, 1, 2)), rtol=1e-5)
    variance = tf.math.reduce_variance(images, (0, 1, 2))
    np.testing.assert_allclose(layer.moving_variance, variance, rtol=0.01)
    assert layer.momentum == 0.9
    for old, new in zip(before, kernel.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_half_precision_stays_half_and_its_statistics_do_not(
    images: tf.Tensor, policy: str
) -> None:
    layer = FusedBatchNormalization(dtype=policy)
    output = layer(images, training=True)
    assert output.dtype == layer.compute_dtype
    assert {variable.dtype for variable in layer.variables} == {"float32"}
    np.testing.assert_allclose(tf.reduce_mean(tf.cast(output, tf.float32)), 0.0, atol=0.01)
