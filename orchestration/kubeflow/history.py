"""What earlier runs left for later ones, on the volume that all components share.

Open-source Kubeflow Pipelines does not run TFX's resolvers, which ask ML Metadata; the latest
blessed model and the statistics that passed last are kept here instead.
"""

import json
import shutil
import time
import uuid
from pathlib import Path
from typing import Any, NamedTuple

_FILES = "files"
_METADATA = "metadata.json"
_KEPT = 2
"""A resolver may be reading the newest when another is added, so that one stays for a while."""


class Kept(NamedTuple):
    """An artifact that was kept.

    Attributes:
      files: Its folder.
      metadata: Its properties, by name.
    """

    files: Path
    metadata: dict[str, Any]


def keep(history: Path, files: Path, metadata: dict[str, Any]) -> None:
    """Adds a copy of an artifact, whole or not at all, as the newest.

    Args:
      history: Folder of one resolver's artifacts.
      files: The artifact's folder.
      metadata: The artifact's properties.
    """
    history.mkdir(parents=True, exist_ok=True)
    draft = history / f".{uuid.uuid4().hex}"
    shutil.copytree(files, draft / _FILES)
    (draft / _METADATA).write_text(json.dumps(metadata), encoding="utf-8")
    draft.rename(history / f"{time.time_ns():020d}")
    for old in _entries(history)[:-_KEPT]:
        shutil.rmtree(old, ignore_errors=True)


def newest(history: Path) -> Kept | None:
    """The artifact that was kept last, if there is any."""
    entries = _entries(history)
    if not entries:
        return None
    entry = entries[-1]
    return Kept(entry / _FILES, json.loads((entry / _METADATA).read_text(encoding="utf-8")))


def _entries(history: Path) -> list[Path]:
    """Oldest first."""
    return sorted(history.glob("[0-9]*"))
