"""Runs one component in its container: `python -m orchestration.kubeflow.entrypoint`.

TFX's own entry point is written for Vertex AI; see `executor_io` for what the open-source backend
does otherwise. The options are those that TFX's compiler writes, and a few of ours.
"""

import argparse
import json
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2
from tfx.dsl.components.base import base_beam_executor, base_executor
from tfx.orchestration.kubeflow.v2 import compiler_utils
from tfx.orchestration.kubeflow.v2.container import kubeflow_v2_entrypoint_utils as tfx_io
from tfx.orchestration.portable import outputs_utils
from tfx.types.artifact import Artifact
from tfx.utils import import_utils, name_utils, proto_utils

from components import artifacts
from orchestration.kubeflow import history
from orchestration.kubeflow.executor_io import (
    RESOLVED_KEY,
    Message,
    artifact_of,
    for_tfx,
    from_tfx,
    local_path,
    write_output,
)
from pipeline.errors import PipelineError


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the component and returns the container's exit code."""
    logging.basicConfig(level=logging.INFO)
    options, beam_args = _parser().parse_known_args(arguments)
    executor_input = options.json_serialized_invocation_args
    try:
        written = _execute(options, beam_args)
    except PipelineError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    executor_output = from_tfx(written, executor_input)
    if options.remember is not None:
        _remember(options, executor_input, executor_output)
    write_output(executor_input, executor_output)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--executor_class_path", required=True)
    parser.add_argument("--json_serialized_invocation_args", type=json.loads, required=True)
    parser.add_argument("--json_serialized_inputs_spec_args", type=json.loads, default={})
    parser.add_argument("--json_serialized_outputs_spec_args", type=json.loads, default={})
    parser.add_argument(
        "--proto_parameters", type=json.loads, default={}, help="message by parameter, JSON"
    )
    parser.add_argument("--remember", help="input or output that later runs look for")
    parser.add_argument("--remember_if", help="blessing without which it is not kept")
    parser.add_argument("--history", type=Path, help="folder to keep it in")
    return parser


def _execute(options: argparse.Namespace, beam_args: list[str]) -> Message:
    """Calls the executor as TFX's entry point does; returns its ExecutorOutput."""
    inputs_spec = options.json_serialized_inputs_spec_args
    message = json_format.ParseDict(
        for_tfx(
            options.json_serialized_invocation_args,
            inputs_spec,
            options.json_serialized_outputs_spec_args,
        ),
        pipeline_spec_pb2.ExecutorInput(),
        ignore_unknown_fields=True,
    )
    _register_types()
    names: dict[int, str] = {}
    inputs = tfx_io.parse_raw_artifact_dict(message.inputs.artifacts, names)
    outputs = tfx_io.parse_raw_artifact_dict(message.outputs.artifacts, names)
    properties = tfx_io.parse_execution_properties(
        message.inputs.parameter_values,
        {},
        json_format.ParseDict(inputs_spec, pipeline_spec_pb2.ComponentInputsSpec()),
    )
    # What an ExampleGen's driver found.
    properties |= json.loads(properties.pop(RESOLVED_KEY, "{}"))
    for name, path in options.proto_parameters.items():
        proto = import_utils.import_class_by_path(path)()
        properties[name] = proto_utils.json_to_proto(properties[name], proto)
    for listed in outputs.values():
        for artifact in listed:
            # As TFX's launcher does; executors count on it.
            Path(artifact.uri).mkdir(parents=True, exist_ok=True)
    executor = _executor(options.executor_class_path, beam_args, message.outputs.output_file)
    executor.Do(inputs, outputs, properties)
    outputs_utils.tag_output_artifacts_with_version(outputs)
    translated = tfx_io.translate_executor_output(outputs, names)
    result: Message = json_format.MessageToDict(
        pipeline_spec_pb2.ExecutorOutput(artifacts=translated)
    )
    return result


def _executor(path: str, beam_args: list[str], output_file: str) -> Any:
    executor_class = import_utils.import_class_by_path(path)
    folder = Path(output_file).parent
    common = {"unique_id": folder.name, "tmp_dir": str(folder / ".temp")}
    if issubclass(executor_class, base_beam_executor.BaseBeamExecutor):
        context = executor_class.Context(beam_pipeline_args=beam_args, **common)
    else:
        context = base_executor.BaseExecutor.Context(extra_flags=beam_args, **common)
    return executor_class(context)


def _register_types() -> None:
    """Tells TFX where the classes of this project's artifact types are."""
    for kind in Artifact.__subclasses__():
        if kind.__module__ == artifacts.__name__:
            compiler_utils.TITLE_TO_CLASS_PATH[kind.TYPE_NAME] = name_utils.get_full_name(kind)


def _remember(
    options: argparse.Namespace, executor_input: Message, executor_output: Message
) -> None:
    if options.remember_if is not None:
        blessing = artifact_of(executor_output, options.remember_if)
        if blessing["metadata"].get("blessed") != 1:
            return
    made = options.remember in executor_output["artifacts"]
    artifact = artifact_of(executor_output if made else executor_input["inputs"], options.remember)
    history.keep(options.history, Path(local_path(artifact["uri"])), artifact.get("metadata", {}))


if __name__ == "__main__":
    sys.exit(main())
