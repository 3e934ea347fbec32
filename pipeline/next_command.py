"""How the command that a run ends with finds the model."""

import shlex
from pathlib import Path

from pipeline.config import DataSettings, Settings
from pipeline.workspace import Workspace


def options_for(settings: Settings, workspace: Workspace, root: str, model: str) -> str:
    """What the next command adds to find the model: options of these names, if not defaults.

    Args:
      settings: `data.name` is used.
      workspace: The workspace.
      root: What comes before the workspace's path, such as `--workspace=`.
      model: What comes before the model's name.

    Returns:
      Text for a shell; empty if both are the defaults.
    """
    options = {
        root: (str(workspace.root), str(Path("workspace").absolute())),
        model: (settings.data.name, DataSettings().name),
    }
    return "".join(
        f" {shlex.quote(prefix + value)}"
        for prefix, (value, default) in options.items()
        if value != default
    )
