"""Batch normalization at the speed of one operation."""

import keras
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
