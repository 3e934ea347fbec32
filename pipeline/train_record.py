"""The settings that a training used, beside its reports; a search may have found some of them."""

import json
from pathlib import Path
from typing import Any

from pipeline.config import TrainSettings

_FILE = "settings.json"


def write_train_settings(folder: Path, settings: TrainSettings) -> None:
    """Writes them into the folder of the Trainer's reports."""
    (folder / _FILE).write_text(settings.model_dump_json(indent=2) + "\n", encoding="utf-8")


def read_train_settings(folder: Path) -> dict[str, Any]:
    """Reads them as plain values."""
    settings: dict[str, Any] = json.loads((folder / _FILE).read_text(encoding="utf-8"))
    return settings
