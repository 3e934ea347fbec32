"""Which versions of a model should be loaded, as TensorFlow Serving decides it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_VERSION = re.compile(r"\d{1,19}", re.ASCII)
_INT64_MAX = 2**63 - 1


def versions_on_disk(base_path: str) -> dict[int, str]:
    """Path of each version folder under a base path, by version number.

    Folders whose name is not an integer are skipped. Of two that spell one number, the last in
    name order counts.

    Raises:
      OSError: the base path is missing or cannot be read.
    """
    found: dict[int, str] = {}
    for child in sorted(Path(base_path).iterdir()):
        if _VERSION.fullmatch(child.name) and child.is_dir() and int(child.name) <= _INT64_MAX:
            found[int(child.name)] = str(child)
    return found


def aspired_versions(policy: Any, available: Mapping[int, str]) -> list[int]:
    """Versions that should be loaded, lowest first.

    Args:
      policy: `ServableVersionPolicy`; unset means the latest one version.
      available: version folders, by number.
    """
    choice = policy.WhichOneof("policy_choice")
    if choice == "all":
        return sorted(available)
    if choice == "specific":
        return sorted(set(policy.specific.versions) & set(available))
    return sorted(available)[-max(policy.latest.num_versions, 1) :]
