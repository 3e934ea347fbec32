"""Finds what an earlier run left: `python -m orchestration.kubeflow.resolver`."""

import argparse
import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from orchestration.kubeflow import history
from orchestration.kubeflow.executor_io import FOUND_KEY, local_path, write_output


def main(arguments: Sequence[str] | None = None) -> int:
    """Emits a copy of the artifact, or one that is marked as not found."""
    options = _parser().parse_args(arguments)
    executor_input = json.loads(options.json_serialized_invocation_args)
    kept = history.newest(options.history)
    ((key, listed),) = executor_input["outputs"]["artifacts"].items()
    (artifact,) = listed["artifacts"]
    metadata = {FOUND_KEY: int(kept is not None)}
    if kept is not None:
        # A copy: the one that was kept goes when newer ones come.
        shutil.copytree(kept.files, local_path(artifact["uri"]), dirs_exist_ok=True)
        metadata = {**kept.metadata, **metadata}
    print(f"Took {kept.files} for {key}." if kept else f"No earlier run left a {key}.")
    found = {"name": artifact.get("name", ""), "uri": artifact["uri"], "metadata": metadata}
    write_output(executor_input, {"artifacts": {key: {"artifacts": [found]}}})
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--json_serialized_invocation_args", required=True)
    parser.add_argument("--history", type=Path, required=True)
    return parser


if __name__ == "__main__":
    sys.exit(main())
