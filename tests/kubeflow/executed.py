"""Runs a compiled job task by task, as `kfp.local` does, each command as a process of its own."""

import json
import subprocess
import sys
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import docker
import pytest
from kfp import components, local
from kfp.local import docker_task_handler

from pipeline.config import REPOSITORY

TINY = (
    *("--set", "sample.train_per_class=8", "--set", "sample.eval_per_class=4"),
    *("--set", "train.epochs=1", "--set", "train.filters=[8,16]", "--set", "train.batch_size=16"),
    *("--set", "train.jit_compile=false", "--set", "evaluate.accuracy=0"),
    *("--set", "evaluate.class_recall=0", "--set", "evaluate.accuracy_change=-1"),
    *("--set", "edge.max_accuracy_drop=1", "--set", "edge.representative_images=10"),
    *("--set", "robustness.images=8", "--set", "serving_check.images=2"),
    *("--set", "serving_check.max_latency_ms=10000", "--set", "validate.min_examples_per_class=1"),
)
"""Options of a pipeline that is done as soon as it can be, and whose gates let anything pass."""


def run_as_process(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Runs a container's command in the repository, which is the image's working folder."""
    assert command[0] == "python"
    return subprocess.run(
        [sys.executable, *command[1:]],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


class Processes:
    """Stands in for a container engine under kfp's DockerRunner; keeps the commands."""

    def __init__(self) -> None:
        self.commands: list[list[str]] = []

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        client = SimpleNamespace(info=dict, close=lambda: None)
        monkeypatch.setattr(docker, "from_env", lambda: client)
        monkeypatch.setattr(docker_task_handler, "run_docker_container", self._run)

    def command_with(self, *endings: str) -> list[str]:
        """The one command that has an argument with each of these endings."""
        (found,) = (
            command
            for command in self.commands
            if all(any(one.endswith(ending) for one in command) for ending in endings)
        )
        return found

    def _run(self, command: list[str], **_: Any) -> int:
        self.commands.append(command)
        done = run_as_process(command)
        print(done.stdout)
        return done.returncode


def invocation_of(command: Sequence[str]) -> dict[str, Any]:
    """The ExecutorInput that a command was given."""
    position = list(command).index("--json_serialized_invocation_args")
    found: dict[str, Any] = json.loads(command[position + 1])
    return found


def run_job(file: str, pipeline_root: str, runner: local.DockerRunner) -> None:
    """Runs a job file as kfp does without a cluster.

    Raises:
      RuntimeError: A task failed.
    """
    local.init(runner=runner, pipeline_root=pipeline_root, raise_on_error=True)
    components.load_component_from_file(file)()
