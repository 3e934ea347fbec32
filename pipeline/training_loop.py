"""Runs the epochs of a training, by Keras' own loop or by one written out here.

Both take the same compiled network, batches and callbacks, and give the same losses; the second is
for those who need a hand on every step.
"""

from collections.abc import Callable, Mapping

import keras
import tensorflow as tf

from pipeline.config import TrainSettings
from pipeline.training_setup import TrainingData

_Batch = tuple[tf.Tensor, tf.Tensor]
_Logs = dict[str, tf.Tensor]


def fit(
    network: keras.Model,
    data: TrainingData,
    settings: TrainSettings,
    callbacks: list[keras.callbacks.Callback],
) -> keras.callbacks.History:
    """Trains a network in place.

    Args:
      network: As `training_setup.compiled_network` gives it.
      data: `train`, `validate`, `steps` and `class_weights` are used.
      settings: `loop` and `epochs` are used.
      callbacks: Of Keras; BackupAndRestore among them makes a killed training go on.

    Returns:
      Loss and metrics of the epochs that ran, those of the validation part as `val_...`.
    """
    match settings.loop:
        case "fit":
            return network.fit(
                data.train,
                epochs=settings.epochs,
                steps_per_epoch=data.steps,
                validation_data=data.validate,
                class_weight=data.class_weights,
                callbacks=callbacks,
                verbose=0,
            )
        case "custom":
            return _fit_by_steps(network, data, settings.epochs, callbacks)


def _fit_by_steps(
    network: keras.Model,
    data: TrainingData,
    epochs: int,
    callbacks: list[keras.callbacks.Callback],
) -> keras.callbacks.History:
    _make_variables(network, data.validate.element_spec)
    step = _step_function(network, data.class_weights)
    batches = iter(network.distribute_strategy.experimental_distribute_dataset(data.train))
    told = keras.callbacks.CallbackList(
        callbacks, add_history=True, model=network, epochs=epochs, steps=data.steps, verbose=0
    )
    network.stop_training = False
    told.on_train_begin()
    logs: Mapping[str, float] = {}
    # BackupAndRestore tells nowhere else at which epoch the killed process was.
    for epoch in range(network._initial_epoch or 0, epochs):
        network.reset_metrics()
        told.on_epoch_begin(epoch)
        for index in range(data.steps):
            told.on_train_batch_begin(index)
            told.on_train_batch_end(index, step(next(batches)))
            if network.stop_training:
                break
        trained = network.get_metrics_result()
        validated = network.evaluate(data.validate, callbacks=told, return_dict=True, verbose=0)
        logs = {**trained, **{f"val_{name}": value for name, value in validated.items()}}
        told.on_epoch_end(epoch, logs)
        if network.stop_training:
            break
    network.optimizer.finalize_variable_values(network.trainable_variables)
    told.on_train_end(logs)
    return network.history


def _make_variables(network: keras.Model, batch: tuple[tf.TensorSpec, tf.TensorSpec]) -> None:
    """Makes those of the optimizer and the metrics, which a step over several devices can't."""
    strategy = network.distribute_strategy
    with strategy.scope():
        network.optimizer.build(network.trainable_variables)
    if strategy.num_replicas_in_sync > 1:
        one_each = strategy.num_replicas_in_sync
        network.evaluate(
            *(tf.zeros([one_each, *spec.shape[1:]]) for spec in batch),
            batch_size=one_each,
            verbose=0,
        )


def _step_function(
    network: keras.Model, class_weights: Mapping[int, float] | None
) -> Callable[[_Batch], _Logs]:
    """A step over all devices: from a batch to the epoch's mean loss and metrics so far."""
    strategy = network.distribute_strategy
    (mean_loss,) = (metric for metric in network.metrics if metric.name == "loss")
    weight_of_class = (
        None
        if class_weights is None
        else tf.constant([class_weights[index] for index in sorted(class_weights)], tf.float32)
    )

    def step_of_a_device(images: tf.Tensor, labels: tf.Tensor) -> _Logs:
        weights = (
            None
            if weight_of_class is None
            else tf.gather(weight_of_class, tf.argmax(labels, axis=1))
        )
        with tf.GradientTape() as tape:
            logits = network(images, training=True)
            # Penalties of weights included, and divided by the number of devices.
            loss = network.compute_loss(images, labels, logits, weights)
            # Under float16, small gradients would be lost without; a no-op otherwise.
            scaled = network.optimizer.scale_loss(loss)
        gradients = tape.gradient(scaled, network.trainable_variables)
        network.optimizer.apply_gradients(
            list(zip(gradients, network.trainable_variables, strict=True))
        )
        mean_loss.update_state(
            loss * strategy.num_replicas_in_sync, sample_weight=tf.shape(images)[0]
        )
        return network.compute_metrics(images, labels, logits, weights)

    @tf.function(jit_compile=network.jit_compile, reduce_retracing=True)
    def step(batch: _Batch) -> _Logs:
        logs = strategy.run(step_of_a_device, args=batch)
        return {name: strategy.reduce("MEAN", value, axis=None) for name, value in logs.items()}

    return step
