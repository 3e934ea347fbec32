"""Where a training run keeps what the next process needs to go on after a kill."""

import csv
import hashlib
import json
import shutil
from pathlib import Path

import h5py
import keras
from tfx.components.trainer.fn_args_utils import FnArgs

from pipeline.config import BestBy


class CheckpointFolder:
    """Backup, best weights and history of one training, found again by what it trains on.

    TFX gives every execution new output folders, so a resumed run would not find the old one's;
    this folder is named by a digest of the Trainer's inputs and settings instead.
    """

    def __init__(self, path: Path):
        self._path = path
        path.mkdir(parents=True, exist_ok=True)

    @classmethod
    def for_inputs(cls, root: str, fn_args: FnArgs) -> "CheckpointFolder":
        """The folder for these inputs and settings, made if it is not there."""
        inputs = {
            "train": fn_args.train_files,
            "eval": fn_args.eval_files,
            "transform": fn_args.transform_graph_path,
            "config": fn_args.custom_config,
            "hyperparameters": fn_args.hyperparameters,
        }
        digest = hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()
        return cls(Path(root) / digest[:16])

    @property
    def backup(self) -> Path:
        """Folder of BackupAndRestore."""
        return self._path / "backup"

    @property
    def search(self) -> Path:
        """Folder of the trials of a search that has not ended."""
        return self._path / "search"

    @property
    def own_teacher(self) -> "CheckpointFolder":
        """The training of the network that teaches this one."""
        return CheckpointFolder(self._path / "own_teacher")

    def member(self, index: int) -> "CheckpointFolder":
        """The training of one member of several, counted from 0; the first one's is this one."""
        return CheckpointFolder(self._path / f"member{index}") if index else self

    @property
    def taught(self) -> Path:
        """Folder of augmented images with a teacher's answers."""
        return self._path / "taught"

    @property
    def exported(self) -> Path:
        """Folder of the SavedModel of a training that others need."""
        return self._path / "exported"

    def usable_backup(self) -> Path:
        """The folder of BackupAndRestore, emptied if a kill left nothing in it that loads."""
        if self._epoch_of_backup() is None:
            shutil.rmtree(self.backup, ignore_errors=True)
        return self.backup

    def epochs_done(self) -> int:
        """Epochs after which BackupAndRestore goes on."""
        return self._epoch_of_backup() or 0

    def _epoch_of_backup(self) -> int | None:
        epochs = (_epoch_of(self.backup, suffix) for suffix in ("", ".bkp"))
        return next((epoch for epoch in epochs if epoch is not None), None)

    @property
    def best_weights(self) -> Path:
        """Weights of the best epoch on the validation part."""
        return self._path / "best.weights.h5"

    @property
    def history(self) -> Path:
        """CSV with a row an epoch, over all processes that trained."""
        return self._path / "history.csv"

    def read_history(self) -> list[dict[str, float]]:
        """Rows of the history in order; an epoch that ran twice, before and after a kill, once."""
        if not self.history.exists():
            return []
        with self.history.open(newline="") as file:
            rows = [row for text in csv.DictReader(file) if (row := _numbers(text)) is not None]
        return list({row["epoch"]: row for row in rows}.values())

    def best(self, best_by: BestBy) -> float | None:
        """The best epoch's value of what tells it, or none before the first epoch."""
        better = max if best_by == "val_accuracy" else min
        return better((row[best_by] for row in self.read_history()), default=None)

    def restore_best(self, network: keras.Model) -> None:
        """Loads the best epoch's weights."""
        network.load_weights(self.best_weights)

    def remove(self) -> None:
        """Forgets the training once its model is exported."""
        shutil.rmtree(self._path)


def _epoch_of(backup: Path, suffix: str) -> int | None:
    """The epoch after which a copy goes on, or none if the copy does not load."""
    metadata = backup / f"training_metadata.json{suffix}"
    try:
        with h5py.File(backup / f"latest.weights.h5{suffix}"):
            return int(json.loads(metadata.read_text(encoding="utf-8"))["epoch"])
    except (OSError, ValueError, KeyError):
        return None


def _numbers(row: dict[str, str]) -> dict[str, float] | None:
    """The row's values; none for a row that a kill cut short, or that was appended to one."""
    try:
        return {key: float(value) for key, value in row.items()}
    except (TypeError, ValueError):
        return None
