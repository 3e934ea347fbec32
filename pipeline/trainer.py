"""Trainer's entry point: trains the CNN behind the transform graph and exports it."""

from pathlib import Path

import keras
import numpy as np
from tfx.components.trainer.fn_args_utils import FnArgs

from pipeline import (
    input_data,
    model,
    search_space,
    signatures,
    temperature,
    training_loop,
    training_report,
    training_setup,
)
from pipeline.callbacks import ProgressCallback, training_callbacks
from pipeline.checkpoints import CheckpointFolder
from pipeline.config import TrainSettings
from pipeline.train_record import write_train_settings


def run_fn(fn_args: FnArgs) -> None:
    """Trains and exports.

    Args:
      fn_args: From TFX's Trainer. `custom_config` holds `train` (JSON of TrainSettings), `size`
        (side of the image in pixels), `model_name`, and `checkpoint_root`, a folder that outlives
        the run. `hyperparameters` are those that the Tuner found, if it was asked.

    Writes the SavedModel to `serving_model_dir`; to `model_run_dir` TensorBoard logs, the history,
    and the classification report and confusion matrix of the eval split, as JSON and PNG.
    """
    config = fn_args.custom_config
    settings = search_space.overlay(
        TrainSettings.model_validate_json(config["train"]), fn_args.hyperparameters
    )
    training_setup.configure(settings)
    data = training_setup.read_data(fn_args, settings)
    network = training_setup.compiled_network(
        settings, config["size"], len(data.labels), data.steps
    )

    checkpoints = CheckpointFolder.for_inputs(config["checkpoint_root"], fn_args)
    training_loop.fit(
        network,
        data,
        settings,
        callbacks=[
            *training_callbacks(settings, checkpoints, Path(fn_args.model_run_dir)),
            ProgressCallback(settings.epochs, data.steps),
        ],
    )
    checkpoints.restore_best(network)
    network = _in_float32(network, settings, config["size"])
    exported = model.flip_averaged(network) if settings.flip_average else network
    if settings.calibrate:
        temperature.fold(network, temperature.fit(exported, data.validate))

    _write_reports(fn_args, exported, data.source, settings, checkpoints)
    signatures.export(
        exported,
        data.transform_output,
        data.labels,
        config["size"],
        fn_args.serving_model_dir,
        config["model_name"],
    )
    checkpoints.remove()


def _in_float32(network: keras.Model, settings: TrainSettings, size: int) -> keras.Model:
    """The same model without operations in half precision, which TFLite can't convert."""
    if keras.mixed_precision.global_policy().name == "float32":
        return network
    keras.mixed_precision.set_global_policy("float32")
    exported = model.build_model(settings, size, network.output_shape[-1])
    exported.set_weights(network.get_weights())
    return exported


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
    write_train_settings(folder, settings)
