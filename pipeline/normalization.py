"""Batch normalization at the speed of one operation, and its statistics for given weights."""

from collections.abc import Iterable

import keras
import numpy as np
import tensorflow as tf


class FusedBatchNormalization(keras.layers.BatchNormalization):
    """Keras' layer, computed by TensorFlow's fused operation.

    Keras 3 composes it of a dozen elementwise operations in float32. Fused, it reads half
    precision and keeps its statistics in float32, by oneDNN on CPUs and cuDNN on GPUs. Weights and
    results are the same, but for the moving variance, which takes the unbiased estimate.
    """

    def call(
        self, inputs: tf.Tensor, training: bool | None = None, mask: tf.Tensor | None = None
    ) -> tf.Tensor:
        """Normalizes [n, height, width, channels], in the type of the input."""
        learns = bool(training) and self.trainable
        nothing = tf.constant([], tf.float32)
        output, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=inputs,
            scale=self.gamma.value,
            offset=self.beta.value,
            mean=nothing if learns else self.moving_mean.value,
            variance=nothing if learns else self.moving_variance.value,
            epsilon=self.epsilon,
            is_training=learns,
        )
        if learns:
            for moving, batch in ((self.moving_mean, mean), (self.moving_variance, variance)):
                moving.assign(moving * self.momentum + batch * (1.0 - self.momentum))
        return output


def measure(network: keras.Model, batches: Iterable[tf.Tensor]) -> None:
    """Takes the moving statistics of a network anew, for weights that it was not trained with.

    A mean of weights has others than the weights had: Izmailov et al., 2018, "Averaging Weights
    Leads to Wider Optima and Better Generalization".

    Args:
      network: Its FusedBatchNormalization layers change, and nothing else.
      batches: float32[n, size, size, 1], at least one, as the network takes them.
    """
    layers = [layer for layer in network.layers if isinstance(layer, FusedBatchNormalization)]
    momenta = [layer.momentum for layer in layers]

    @tf.function(reduce_retracing=True)
    def moments(images: tf.Tensor) -> list[tuple[tf.Tensor, tf.Tensor]]:
        # At momentum 0 the moving statistics are those of the batch.
        network(images, training=True)
        return [
            (layer.moving_mean.value, layer.moving_variance.value + layer.moving_mean.value**2)
            for layer in layers
        ]

    for layer in layers:
        layer.momentum = 0.0
    count, sums = 0, [(0.0, 0.0)] * len(layers)
    for images in batches:
        size = len(images)
        count += size
        sums = [
            (mean + size * np.float64(first), square + size * np.float64(second))
            for (mean, square), (first, second) in zip(sums, moments(images), strict=True)
        ]
    for layer, momentum, (mean, square) in zip(layers, momenta, sums, strict=True):
        layer.momentum = momentum
        layer.moving_mean.assign(mean / count)
        layer.moving_variance.assign(square / count - (mean / count) ** 2)
