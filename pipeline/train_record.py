"""The settings that a training used, beside its reports; a search may have found some of them."""

import json
from pathlib import Path
from typing import Any

from pipeline import precision
from pipeline.config import TrainSettings

_FILE = "settings.json"


def write_train_settings(folder: Path, settings: TrainSettings, teacher_fingerprint: str) -> None:
    """Writes them into the folder of the Trainer's reports.

    The teacher goes by the fingerprint of its files: its path would mean nothing elsewhere. The
    precision is the one that was found.

    Args:
      folder: Must exist.
      settings: As they were used.
      teacher_fingerprint: As `teacher.with_found_teacher` gives it; empty without a teacher.
    """
    recorded = settings.model_copy(
        update={
            "teacher": teacher_fingerprint or None,
            "precision": precision.of_network(settings),
        }
    )
    (folder / _FILE).write_text(recorded.model_dump_json(indent=2) + "\n", encoding="utf-8")


def read_train_settings(folder: Path) -> dict[str, Any]:
    """Reads them as plain values."""
    settings: dict[str, Any] = json.loads((folder / _FILE).read_text(encoding="utf-8"))
    return settings
