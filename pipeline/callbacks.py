"""Keras callbacks of a training run."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras

from pipeline import progress
from pipeline.checkpoints import CheckpointFolder
from pipeline.config import BestBy, TrainSettings

_MODES: dict[BestBy, str] = {"val_accuracy": "max", "val_loss": "min"}


def training_callbacks(
    settings: TrainSettings, checkpoints: CheckpointFolder, run_folder: Path
) -> list[keras.callbacks.Callback]:
    """Checkpoints, history, TensorBoard and `judging_callbacks`.

    Args:
      settings: `best_by` and what `judging_callbacks` takes are used.
      checkpoints: What the run before a kill left; the best epoch so far carries over.
      run_folder: Folder for TensorBoard's logs.
    """
    callbacks: list[keras.callbacks.Callback] = [
        keras.callbacks.ModelCheckpoint(
            str(checkpoints.best_weights),
            monitor=settings.best_by,
            mode=_MODES[settings.best_by],
            save_best_only=True,
            save_weights_only=True,
            initial_value_threshold=checkpoints.best(settings.best_by),
        ),
        keras.callbacks.CSVLogger(str(checkpoints.history), append=True),
        keras.callbacks.TensorBoard(str(run_folder), write_graph=False),
        *judging_callbacks(settings, checkpoints.history_done()),
    ]
    # Last: an epoch that it has saved will not run again, so the others must be done with it.
    # Two copies: a kill while one is written leaves the other.
    callbacks.append(
        keras.callbacks.BackupAndRestore(
            str(checkpoints.usable_backup()), double_checkpoint=True, delete_checkpoint=False
        )
    )
    return callbacks


def judging_callbacks(
    settings: TrainSettings, seen: Sequence[Mapping[str, float]] = ()
) -> list[keras.callbacks.Callback]:
    """Early stopping and plateau schedule, which belong to the settings.

    Args:
      settings: `best_by`, `small_first`, `schedule`, `plateau_patience` and
        `early_stopping_patience` are used.
      seen: Rows of the epochs that a killed process ran.
    """
    # Judged on whole images, a network does worse while it is shown small ones.
    start = settings.small_epochs
    callbacks: list[keras.callbacks.Callback] = [keras.callbacks.TerminateOnNaN()]
    if settings.schedule == "plateau":
        callbacks.append(
            _ReduceLROnPlateau(
                seen, start, monitor="val_loss", factor=0.5, patience=settings.plateau_patience
            )
        )
    if settings.early_stopping_patience:
        callbacks.append(
            _EarlyStopping(
                seen,
                start,
                monitor=settings.best_by,
                mode=_MODES[settings.best_by],
                patience=settings.early_stopping_patience,
                restore_best_weights=False,
            )
        )
    return callbacks


class _Patient(keras.callbacks.Callback):
    """Goes on counting where a killed process was; Keras' own start at the first epoch again."""

    def __init__(self, seen: Sequence[Mapping[str, float]], start: int, **settings: Any):
        super().__init__(**settings)
        self._seen = seen
        self._start = start

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Keras calls this before the first epoch, and before BackupAndRestore's."""
        super().on_train_begin(logs)
        for row in self._seen:
            self.on_epoch_end(int(row["epoch"]), dict(row))

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Keras calls this after each epoch, counted from 0."""
        if epoch >= self._start:
            super().on_epoch_end(epoch, logs)


class _EarlyStopping(_Patient, keras.callbacks.EarlyStopping):
    pass


class _ReduceLROnPlateau(_Patient, keras.callbacks.ReduceLROnPlateau):
    """The rate itself comes back with BackupAndRestore, whatever counting again has made of it."""


class ProgressCallback(keras.callbacks.Callback):
    """Reports steps and epochs to the screen."""

    def __init__(self, epochs: int, steps_per_epoch: int, whose: str = ""):
        super().__init__()
        self._whose = whose
        self._epochs = epochs
        self._steps = steps_per_epoch
        self._epoch = 0
        self._said = ""

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Keras calls this before each epoch, counted from 0."""
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Keras calls this after each step, counted from 0."""
        progress.report(
            (batch + 1) / self._steps,
            f"{self._whose}epoch {self._epoch + 1}/{self._epochs}{self._said}",
        )

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Keras calls this after each epoch, counted from 0."""
        logs = logs or {}
        self._said = f" accuracy {logs['accuracy']:.3f}, validation {logs['val_accuracy']:.3f}"
        progress.epoch_done(epoch + 1, self._epochs, logs, self._whose)
