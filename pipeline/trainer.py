"""Trainer's entry point: trains the CNN behind the transform graph and exports it."""

from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
import tensorflow_transform as tft
from tensorflow_metadata.proto.v0 import schema_pb2
from tfx.components.trainer.fn_args_utils import FnArgs
from tfx.utils import io_utils

from pipeline import input_data, model, signatures, training_report
from pipeline.callbacks import ProgressCallback, training_callbacks
from pipeline.checkpoints import CheckpointFolder
from pipeline.config import TrainSettings
from pipeline.errors import UserError


def run_fn(fn_args: FnArgs) -> None:
    """Trains and exports.

    Args:
      fn_args: From TFX's Trainer. `custom_config` holds `train` (JSON of TrainSettings), `size`
        (side of the image in pixels), `model_name`, and `checkpoint_root`, a folder that outlives
        the run.

    Writes the SavedModel to `serving_model_dir`; to `model_run_dir` TensorBoard logs, the history,
    and the classification report and confusion matrix of the eval split, as JSON and PNG.
    """
    config = fn_args.custom_config
    settings = TrainSettings.model_validate_json(config["train"])
    keras.utils.set_random_seed(settings.seed)
    strategy = _strategy()
    accelerated = bool(tf.config.list_physical_devices("GPU"))
    keras.mixed_precision.set_global_policy(
        "mixed_float16" if accelerated and settings.mixed_precision else "float32"
    )

    schema = io_utils.parse_pbtxt_file(fn_args.schema_path, schema_pb2.Schema())
    transform_output = tft.TFTransformOutput(fn_args.transform_graph_path)
    source = input_data.ExampleSource(fn_args.data_accessor, schema, transform_output)
    training = input_data.training_part(settings.validation_fraction)
    validation = input_data.validation_part(settings.validation_fraction)
    counts = source.class_counts(fn_args.train_files, training)
    held_out = source.class_counts(fn_args.train_files, validation)
    if not sum(counts) or not sum(held_out):
        raise UserError(
            f"The train split is too small for train.validation_fraction, "
            f"{settings.validation_fraction}: {sum(counts)} images are left to train on and "
            f"{sum(held_out)} to validate on; give more images."
        )
    train = input_data.training_batches(
        source.read(fn_args.train_files, training), sum(counts), settings
    )
    validate = input_data.evaluation_batches(source.read(fn_args.train_files, validation), settings)
    steps = max(sum(counts) // settings.batch_size, 1)

    with strategy.scope():
        network = model.build_model(settings, config["size"], len(source.labels))
        network.compile(
            optimizer=model.build_optimizer(settings, steps),
            loss=keras.losses.CategoricalCrossentropy(
                from_logits=True, label_smoothing=settings.label_smoothing
            ),
            metrics=[keras.metrics.CategoricalAccuracy(name="accuracy")],
            # XLA does not compile across replicas.
            jit_compile=settings.jit_compile and strategy.num_replicas_in_sync == 1,
        )

    checkpoints = CheckpointFolder.for_inputs(config["checkpoint_root"], fn_args)
    network.fit(
        train,
        epochs=settings.epochs,
        steps_per_epoch=steps,
        validation_data=validate,
        class_weight=_class_weights(counts) if settings.class_weights else None,
        callbacks=[
            *training_callbacks(settings, checkpoints, Path(fn_args.model_run_dir)),
            ProgressCallback(settings.epochs, steps),
        ],
        verbose=0,
    )
    checkpoints.restore_best(network)
    network = _in_float32(network, settings, config["size"])

    _write_reports(fn_args, network, source, settings, checkpoints)
    signatures.export(
        network,
        transform_output,
        source.labels,
        config["size"],
        fn_args.serving_model_dir,
        config["model_name"],
    )
    checkpoints.remove()


def _strategy() -> tf.distribute.Strategy:
    if len(tf.config.list_physical_devices("GPU")) > 1:
        return tf.distribute.MirroredStrategy()
    return tf.distribute.get_strategy()


def _in_float32(network: keras.Model, settings: TrainSettings, size: int) -> keras.Model:
    """The same model without float16 operations, which TFLite can't convert."""
    if keras.mixed_precision.global_policy().name == "float32":
        return network
    keras.mixed_precision.set_global_policy("float32")
    exported = model.build_model(settings, size, network.output_shape[-1])
    exported.set_weights(network.get_weights())
    return exported


def _class_weights(counts: list[int]) -> dict[int, float]:
    """Inverse shares, so that every class weighs the same and the mean weight is 1."""
    total = sum(counts)
    return {index: total / (len(counts) * max(count, 1)) for index, count in enumerate(counts)}


def _write_reports(
    fn_args: FnArgs,
    network: keras.Model,
    source: input_data.ExampleSource,
    settings: TrainSettings,
    checkpoints: CheckpointFolder,
) -> None:
    folder = Path(fn_args.model_run_dir)
    folder.mkdir(parents=True, exist_ok=True)
    eval_batches = input_data.evaluation_batches(source.read(fn_args.eval_files), settings)
    truth = np.concatenate([np.argmax(label, axis=1) for _, label in eval_batches])
    logits = network.predict(eval_batches.map(lambda image, _: image), verbose=0)
    history = checkpoints.read_history()
    training_report.write(folder, source.labels, truth, np.argmax(logits, axis=1), history)
    (folder / "settings.json").write_text(
        settings.model_dump_json(indent=2) + "\n", encoding="utf-8"
    )
