"""Trainer's entry point: trains the CNN behind the transform graph and exports it."""

import math
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from tfx.components.trainer.fn_args_utils import FnArgs

from pipeline import (
    input_data,
    model,
    normalization,
    progress,
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
from pipeline.errors import UserError
from pipeline.teacher import check_teacher
from pipeline.train_record import write_train_settings


@dataclass(frozen=True)
class _Trained:
    """What a training gives.

    Attributes:
      model: What is exported.
      device_model: What TFLite models are made of; none if that is the model itself.
      data: What it was trained on.
    """

    model: keras.Model
    device_model: keras.Model | None
    data: training_setup.TrainingData


def run_fn(fn_args: FnArgs) -> None:
    """Trains and exports.

    Args:
      fn_args: From TFX's Trainer. `custom_config` holds `train` (JSON of TrainSettings), `size`
        (side of the image in pixels), `model_name`, `teacher_fingerprint`, and `checkpoint_root`,
        a folder that outlives the run. `hyperparameters` are those that the Tuner found, if it was
        asked.

    Writes the SavedModel to `serving_model_dir`; to `model_run_dir` TensorBoard logs, the history,
    and the classification report and confusion matrix of the eval split, as JSON and PNG.
    """
    config = fn_args.custom_config
    settings = search_space.overlay(
        TrainSettings.model_validate_json(config["train"]), fn_args.hyperparameters
    )
    check_teacher(settings, config["teacher_fingerprint"])
    checkpoints = CheckpointFolder.for_inputs(config["checkpoint_root"], fn_args)
    taught = _with_own_teacher(settings, fn_args, checkpoints)
    trained = _train(taught, fn_args, checkpoints, Path(fn_args.model_run_dir))
    _write_reports(fn_args, trained, settings, checkpoints)
    _export(trained, fn_args, fn_args.serving_model_dir)
    checkpoints.remove()


def _with_own_teacher(
    settings: TrainSettings, fn_args: FnArgs, checkpoints: CheckpointFolder
) -> TrainSettings:
    """Trains the teacher that the settings ask for, unless a killed run has; names its model."""
    if not settings.own_teacher.epochs:
        return settings
    own = checkpoints.own_teacher
    if not own.exported.exists():
        logs = Path(fn_args.model_run_dir) / "own_teacher"
        trained = _train(settings.of_own_teacher(), fn_args, own, logs, "teacher's ")
        partial = own.exported.with_suffix(".partial")
        shutil.rmtree(partial, ignore_errors=True)
        _export(trained, fn_args, str(partial))
        partial.rename(own.exported)
    return settings.model_copy(update={"teacher": str(own.exported)})


def _train(
    settings: TrainSettings,
    fn_args: FnArgs,
    checkpoints: CheckpointFolder,
    logs: Path,
    whose: str = "",
) -> _Trained:
    """Trains the members one after another, and makes one model of them."""
    networks = []
    for index in range(settings.members):
        of_several = f"network {index + 1} of {settings.members}, "
        network, data = _train_member(
            settings.of_member(index),
            fn_args,
            checkpoints.member(index),
            checkpoints.taught,
            logs / f"member{index}" if index else logs,
            whose + of_several if settings.members > 1 else whose,
        )
        networks.append(network)
    exported = _averaged(networks, settings)
    if settings.calibrate:
        fitted = temperature.fit(exported, data.validate)
        for network in networks:
            temperature.fold(network, fitted)
    return _Trained(exported, _for_devices(networks, settings, data), data)


def _for_devices(
    networks: list[keras.Model], settings: TrainSettings, data: training_setup.TrainingData
) -> keras.Model | None:
    """The mean of the first members, none if that is all of them.

    Fewer networks agree less, so their mean has larger logits than that of all, and a temperature
    of its own; not in the last layers, which both models share.
    """
    first = networks[: settings.device_members]
    if first == networks:
        return None
    fewer = _averaged(first, settings)
    if not settings.calibrate:
        return fewer
    return _averaged(first, settings, temperature.fit(fewer, data.validate))


def _averaged(
    networks: list[keras.Model], settings: TrainSettings, divisor: float = 1.0
) -> keras.Model:
    return model.averaged(
        networks,
        flip=settings.flip_average,
        zoom=settings.zoom_average,
        temperature=divisor,
    )


def _train_member(
    settings: TrainSettings,
    fn_args: FnArgs,
    checkpoints: CheckpointFolder,
    taught: Path,
    logs: Path,
    whose: str,
) -> tuple[keras.Model, training_setup.TrainingData]:
    """Trains one network; gives its best epoch, or the mean of its weights, in float32; the data.

    A teacher is asked once for all members, whose shuffling and mirroring differ.

    Raises:
      UserError: The training diverged.
    """
    size = fn_args.custom_config["size"]
    training_setup.configure(settings)
    data = training_setup.read_data(fn_args, settings, checkpoints.epochs_done(), taught)
    network = training_setup.compiled_network(settings, size, len(data.labels), data.steps)
    training_loop.fit(
        network,
        data,
        settings.model_copy(update={"epochs": checkpoints.epochs_to_run(settings.epochs)}),
        callbacks=[
            *training_callbacks(settings, checkpoints, logs),
            ProgressCallback(settings.epochs, data.steps, whose),
        ],
    )
    _check_finite(checkpoints, settings)
    checkpoints.end()
    # With weight_average, fit has left the mean of the weights in the network.
    if not settings.weight_average:
        checkpoints.restore_best(network)
    exported = _as_exported(network, settings, size)
    if settings.weight_average:
        _measure(exported, fn_args, settings, data, whose)
    return exported, data


def _check_finite(checkpoints: CheckpointFolder, settings: TrainSettings) -> None:
    """Raises UserError if the training diverged, and forgets it."""
    history = checkpoints.read_history()
    if _is_finite(history[-1]):
        return
    first = next(row for row in history if not _is_finite(row))
    checkpoints.start_over()
    raise UserError(
        f"The training diverged: in epoch {first['epoch'] + 1:.0f} its loss was no longer a "
        f"number; lower train.learning_rate, {settings.learning_rate:g}, or lengthen "
        f"train.warmup_epochs, {settings.warmup_epochs:g}."
    )


def _is_finite(epoch: Mapping[str, float]) -> bool:
    return math.isfinite(epoch["loss"]) and math.isfinite(epoch["val_loss"])


def _measure(
    network: keras.Model,
    fn_args: FnArgs,
    settings: TrainSettings,
    data: training_setup.TrainingData,
    whose: str,
) -> None:
    """Takes the batch-norm statistics of mean weights over the training part, not augmented."""
    part = input_data.training_part(settings.validation_fraction)
    images = data.source.read(fn_args.train_files, part).map(lambda image, _: image)
    batches = images.batch(settings.batch_size)
    normalization.measure(
        network, progress.reported(batches, data.steps, f"{whose}mean of the weights")
    )


def _export(trained: _Trained, fn_args: FnArgs, folder: str) -> None:
    signatures.export(
        trained.model,
        trained.data.transform_output,
        trained.data.labels,
        fn_args.custom_config["size"],
        folder,
        fn_args.custom_config["model_name"],
        trained.device_model,
    )


def _as_exported(network: keras.Model, settings: TrainSettings, size: int) -> keras.Model:
    """The same model for one size, and without half precision, which TFLite can't convert."""
    keras.mixed_precision.set_global_policy("float32")
    exported = model.build_model(settings, size, network.output_shape[-1])
    exported.set_weights(network.get_weights())
    return exported


def _write_reports(
    fn_args: FnArgs, trained: _Trained, settings: TrainSettings, checkpoints: CheckpointFolder
) -> None:
    source = trained.data.source
    folder = Path(fn_args.model_run_dir)
    folder.mkdir(parents=True, exist_ok=True)
    eval_batches = input_data.evaluation_batches(source.read(fn_args.eval_files), settings)
    truth = np.concatenate([np.argmax(label, axis=1) for _, label in eval_batches])
    logits = trained.model.predict(eval_batches.map(lambda image, _: image), verbose=0)
    history = checkpoints.read_history()
    training_report.write(folder, source.labels, truth, np.argmax(logits, axis=1), history)
    write_train_settings(folder, settings, fn_args.custom_config["teacher_fingerprint"])
