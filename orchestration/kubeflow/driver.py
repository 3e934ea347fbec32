"""Runs an ExampleGen's driver, as a task before it: `python -m orchestration.kubeflow.driver`."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tfx.v1  # noqa: F401  (before anything that imports TensorFlow Data Validation)
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2
from tfx.orchestration.kubeflow.v2.container.kubeflow_v2_entrypoint_utils import (
    parse_execution_properties,
)
from tfx.utils import import_utils

from orchestration.kubeflow.executor_io import RESOLVED_KEY, write_output
from pipeline.config import SampleSettings
from pipeline.drawn_sample.stored import stored_sample
from pipeline.errors import PipelineError


def main(arguments: Sequence[str] | None = None) -> int:
    """Emits, as JSON, the execution properties that the driver adds or changes."""
    options = _parser().parse_args(arguments)
    message = pipeline_spec_pb2.ExecutorInput()
    json_format.Parse(options.json_serialized_invocation_args, message, ignore_unknown_fields=True)
    inputs_spec = json_format.Parse(
        options.json_serialized_inputs_spec_args, pipeline_spec_pb2.ComponentInputsSpec()
    )
    given = parse_execution_properties(message.inputs.parameter_values, {}, inputs_spec)
    driver = import_utils.import_class_by_path(options.driver_class_path)(None)
    try:
        if options.sample is not None:
            _draw(options.sample)
        resolved = driver.resolve_exec_properties(dict(given), None, None)
    except PipelineError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    found = {
        name: value
        for name, value in resolved.items()
        if value is not None and given.get(name) != value
    }
    print(f"Found {found}.")
    output = {"parameterValues": {RESOLVED_KEY: json.dumps(found, sort_keys=True)}}
    write_output(json.loads(options.json_serialized_invocation_args), output)
    return 0


def _draw(sample: dict[str, Any]) -> None:
    stored_sample(
        Path(sample["folder"]),
        SampleSettings.model_validate(sample["settings"]),
        sample["size"],
        on_draw=lambda: print("Drawing the sample ..."),
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--driver_class_path", required=True)
    parser.add_argument("--json_serialized_invocation_args", required=True)
    parser.add_argument("--json_serialized_inputs_spec_args", required=True)
    parser.add_argument("--sample", type=json.loads, help="draw a sample, if it is not there")
    return parser


if __name__ == "__main__":
    sys.exit(main())
