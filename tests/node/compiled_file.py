"""A compiled pipeline as a file, for tests that run none of its nodes."""

from pathlib import Path
from typing import Any

from pipeline import config
from pipeline.node.compiled import CompiledPipeline, Parameter

DATA = Parameter(name="data", option="--data=", type="string", description="")


def integer(name: str, setting: str) -> Parameter:
    """A parameter that is the value of a setting."""
    return Parameter(name=name, option=f"--set={setting}=", type="integer", description="")


def write_compiled(folder: Path, **fields: Any) -> Path:
    """Writes `pipeline.json` with these fields, and others that do for any test."""
    path = folder / "pipeline.json"
    common: dict[str, Any] = {
        "workspace": folder,
        "program": ["python", "-m", "pipeline.node"],
        "directory": folder,
        "drawn": False,
        "watch": None,
        "code": "0",
        "parallel": False,
        "settings": config.as_dict(config.load()),
        "ir": {},
    }
    CompiledPipeline(**{**common, **fields}).write(path)
    return path
