"""The table of all settings in the documentation: `python -m pipeline.settings_table`."""

import json
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo

from pipeline.config import REPOSITORY, Settings, as_dict, names

PAGE = REPOSITORY / "docs" / "settings.md"
_HEAD = """\
# Settings

Written from `pipeline/config/` by `python -m pipeline.settings_table`. Set one with
`--set section.key=value`, several in a TOML file with `--config`, or start from a profile in
`pipeline/profiles/` with `--profile`.

| Setting | Default | Bounds | Meaning |
|---|---|---|---|
"""
_SIGNS = {
    "ge": "≥",
    "gt": ">",
    "le": "≤",
    "lt": "<",
    "min_length": "at least",
    "max_length": "at most",
}


def markdown() -> str:
    """The page, with a row for each setting in the order of declaration."""
    defaults = as_dict(Settings())
    rows = []
    for name, field in names().items():
        value: Any = defaults
        for key in name.split("."):
            value = value[key]
        cells = (f"`{name}`", f"`{json.dumps(value)}`", _bounds(field), field.description or "")
        rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n")
    return _HEAD + "".join(rows)


def _bounds(field: FieldInfo) -> str:
    told = [
        f"{sign} {getattr(constraint, key)}"
        for constraint in field.metadata
        for key, sign in _SIGNS.items()
        if getattr(constraint, key, None) is not None
    ]
    choices = getattr(field.annotation, "__args__", ())
    if not told and choices and all(isinstance(choice, str | int) for choice in choices):
        told = [str(choice) for choice in choices]
    return ", ".join(told)


def main() -> None:
    """Writes `docs/settings.md`."""
    Path(PAGE).write_text(markdown(), encoding="utf-8")


if __name__ == "__main__":
    main()
