"""Trains by both loops on two halves of a CPU, mirrored; fails if their losses differ."""

import numpy as np
import tensorflow as tf

from pipeline import model, training_loop, training_setup
from pipeline.config import TrainSettings
from pipeline.training_setup import TrainingData

_STEPS = 5


def main() -> None:
    (cpu,) = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    losses = [_losses(strategy, loop) for loop in ("fit", "custom")]
    np.testing.assert_allclose(losses[0], losses[1], atol=1e-4)


def _losses(strategy: tf.distribute.Strategy, loop: str) -> list[float]:
    # Dropout is left out: each device draws its own.
    settings = TrainSettings.model_validate(
        {"loop": loop, "epochs": 2, "filters": [4], "dropout": 0.0, "l2": 0.1}
    )
    training_setup.configure(settings)
    generator = np.random.default_rng(0)
    images = generator.normal(size=(8 * _STEPS, 16, 16, 1)).astype(np.float32)
    labels = np.eye(2, dtype=np.float32)[(images.mean(axis=(1, 2, 3)) > 0).astype(int)]
    # In one order: Keras takes a batch to look at before it starts on devices of a strategy.
    batches = tf.data.Dataset.from_tensor_slices((images, labels)).batch(8, drop_remainder=True)
    with strategy.scope():
        network = model.build_model(settings, 16, 2)
        network.compile(
            optimizer=model.build_optimizer(settings, _STEPS),
            loss="categorical_crossentropy",
            metrics=["accuracy"],
            jit_compile=False,
        )
    assert network.distribute_strategy.num_replicas_in_sync == 2
    data = TrainingData(
        source=None,  # type: ignore[arg-type]
        transform_output=None,
        train=batches.repeat(),
        validate=batches,
        steps=_STEPS,
        class_weights=None,
    )
    history = training_loop.fit(network, data, settings, []).history
    return [*history["loss"], *history["val_loss"]]


if __name__ == "__main__":
    main()
