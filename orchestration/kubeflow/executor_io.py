"""Kubeflow Pipelines' ExecutorInput and ExecutorOutput, as TFX's executors can work with them.

Kubeflow's launcher copies inputs from the object store to local folders before a container's
command runs, and outputs back after it, but tells the command their URIs, which TFX and Beam can't
open if they are `minio://`. It also forgets TFX's artifact types on the way from task to task.
"""

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kfp import dsl

Message = dict[str, Any]

FOUND_KEY = "found"
"""Metadata of an artifact that a resolver emits: whether it found one, 1 or 0."""

RESOLVED_KEY = "resolved"
"""Parameter by which an ExampleGen's driver hands on what it found, as JSON."""


def local_path(uri: str) -> str:
    """Where the launcher keeps the files of an artifact; a local path is itself."""
    path: str = dsl.Artifact(uri=uri).path
    return path


def for_tfx(executor_input: Message, inputs_spec: Message, outputs_spec: Message) -> Message:
    """Translates an ExecutorInput.

    Args:
      executor_input: As the launcher passes it, JSON.
      inputs_spec: The component's input definitions.
      outputs_spec: The component's output definitions.

    Returns:
      A copy with local paths for URIs, with TFX's artifact types, and with no artifact where a
      resolver found none.
    """
    result = copy.deepcopy(executor_input)
    inputs = result.get("inputs", {}).get("artifacts", {})
    for listed in inputs.values():
        if any(one.get("metadata", {}).get(FOUND_KEY) == 0 for one in listed["artifacts"]):
            listed["artifacts"] = []
    outputs = result.get("outputs", {}).get("artifacts", {})
    for found, spec in ((inputs, inputs_spec), (outputs, outputs_spec)):
        for key, artifact in _each(found):
            artifact["type"] = spec["artifacts"][key]["artifactType"]
            # TFX makes the artifact's id of its name, and needs one that is its own.
            artifact["name"] = artifact["uri"]
            artifact["uri"] = local_path(artifact["uri"])
    return result


def from_tfx(executor_output: Message, executor_input: Message) -> Message:
    """Translates the ExecutorOutput of TFX back.

    Args:
      executor_output: As TFX wrote it, JSON.
      executor_input: As the launcher passed it.

    Returns:
      A copy with the names and URIs that the launcher gave, in metadata too.
    """
    result = copy.deepcopy(executor_output)
    given = executor_input.get("outputs", {}).get("artifacts", {})
    read = executor_input.get("inputs", {}).get("artifacts", {})
    uris = {local_path(one["uri"]): one["uri"] for side in (given, read) for _, one in _each(side)}
    for key, artifact in _each(result.get("artifacts", {})):
        (asked,) = given[key]["artifacts"]
        artifact["name"] = asked.get("name", "")
        artifact["uri"] = asked["uri"]
        for name, value in artifact.get("metadata", {}).items():
            if isinstance(value, str) and value in uris:
                artifact["metadata"][name] = uris[value]
    return result


def artifact_of(message: Message, key: str) -> Message:
    """The one artifact of an input or output.

    Args:
      message: An ExecutorOutput, or the inputs or outputs of an ExecutorInput.
      key: Its key.
    """
    (artifact,) = message["artifacts"][key]["artifacts"]
    found: Message = artifact
    return found


def write_output(executor_input: Message, executor_output: Message) -> None:
    """Writes an ExecutorOutput where the launcher looks for it."""
    path = Path(executor_input["outputs"]["outputFile"])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(executor_output), encoding="utf-8")


def _each(artifacts: Message) -> Iterator[tuple[str, Message]]:
    for key, listed in artifacts.items():
        for artifact in listed["artifacts"]:
            yield key, artifact
