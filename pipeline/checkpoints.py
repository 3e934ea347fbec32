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

# Names that BackupAndRestore gives.
_WEIGHTS = "latest.weights.h5"
_METADATA = "training_metadata.json"
_COPY = ".bkp"


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
        """The folder of BackupAndRestore, without what a kill left in it that does not load."""
        if _epoch_of(self.backup, "") is None:
            if _epoch_of(self.backup, _COPY) is None:
                shutil.rmtree(self.backup, ignore_errors=True)
            else:
                # Keras goes back to its copy for torn weights, not for a torn epoch beside them.
                for name in (_WEIGHTS, _METADATA):
                    shutil.copyfile(self.backup / f"{name}{_COPY}", self.backup / name)
        return self.backup

    def end(self) -> None:
        """Notes that the training ended, be it before the last epoch."""
        self._ended.touch()

    def epochs_to_run(self, epochs: int) -> int:
        """At which epoch to end: the one at which it did end, if it has."""
        return (self._ended.exists() and self.epochs_done()) or epochs

    @property
    def _ended(self) -> Path:
        return self._path / "ended"

    def epochs_done(self) -> int:
        """Epochs after which BackupAndRestore goes on."""
        return self._epoch_of_backup() or 0

    def _epoch_of_backup(self) -> int | None:
        epochs = (_epoch_of(self.backup, suffix) for suffix in ("", _COPY))
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

    def history_done(self) -> list[dict[str, float]]:
        """Rows of the epochs that will not run again."""
        done = self.epochs_done()
        return [row for row in self.read_history() if row["epoch"] < done]

    def best(self, best_by: BestBy) -> float | None:
        """The best epoch's value of what tells it; none if no weights of a best epoch load."""
        if not _loads(self.best_weights):
            return None
        better = max if best_by == "val_accuracy" else min
        return better((row[best_by] for row in self.read_history()), default=None)

    def restore_best(self, network: keras.Model) -> None:
        """Loads the best epoch's weights."""
        network.load_weights(self.best_weights)

    def start_over(self) -> None:
        """Forgets the epochs of this training, and not those of others within its folder."""
        shutil.rmtree(self.backup, ignore_errors=True)
        for file in (self.history, self.best_weights):
            file.unlink(missing_ok=True)

    def remove(self) -> None:
        """Forgets the training once its model is exported."""
        shutil.rmtree(self._path)


def _epoch_of(backup: Path, suffix: str) -> int | None:
    """The epoch after which a copy goes on, or none if the copy does not load."""
    if not _loads(backup / f"{_WEIGHTS}{suffix}"):
        return None
    try:
        metadata = (backup / f"{_METADATA}{suffix}").read_text(encoding="utf-8")
        return int(json.loads(metadata)["epoch"])
    except (OSError, ValueError, KeyError):
        return None


def _loads(weights: Path) -> bool:
    """Whether a file of weights is there and whole."""
    try:
        with h5py.File(weights):
            return True
    except OSError:
        return False


def _numbers(row: dict[str, str]) -> dict[str, float] | None:
    """The row's values; none for a row that a kill cut short, or that was appended to one."""
    try:
        return {key: float(value) for key, value in row.items()}
    except (TypeError, ValueError):
        return None
