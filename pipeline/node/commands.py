"""What the node program does that needs TensorFlow: compile, run, report."""

import logging
import sys
from collections.abc import Mapping
from pathlib import Path

import tfx.v1  # noqa: F401 - other TFX packages lean on it.
from google.protobuf import json_format
from rich.console import Console

# Message types can be read back from JSON only where they are imported.
from tfx.proto.orchestration import executable_spec_pb2, metadata_pb2, pipeline_pb2  # noqa: F401

from components.data_gate import DataGate
from components.image_example_gen.source import any_span, resolve_source
from pipeline import conclusion, lineage, metadata_store, run_parameters, runner
from pipeline.config import REPOSITORY, Settings, as_dict
from pipeline.drawn_sample.stored import stored_sample
from pipeline.errors import DataAnomalyError, PipelineError, UserError, one_sentence
from pipeline.node.compiled import CompiledPipeline, Node, Parameter
from pipeline.pipeline import code_of, create_pipeline
from pipeline.publishing import refuse_to_displace
from pipeline.workspace import Workspace
from pipeline.workspace_lock import locked_for_node


def compile_pipeline(settings: Settings, workspace: Workspace, data: str | None, path: Path) -> int:
    """Writes the compiled pipeline.

    Args:
      settings: All settings.
      workspace: Where its runs work.
      data: What `--data` names; none draws a sample.
      path: The file.

    Raises:
      UserError: The data can't be used, or the file can't be written.
    """
    for one in (settings.infer.data, data):
        if one is not None:
            resolve_source(one)
    drawn = data is None
    if data is None:
        refuse_to_displace(workspace.serving(settings.data.name))
        data = str(
            stored_sample(
                workspace.sample,
                settings.sample,
                settings.image.size,
                on_draw=lambda: print("Drawing the sample ...", flush=True),
            )
        )
    pipeline = create_pipeline(settings, workspace, data, settings.infer.data, drawn=drawn)
    values = runner.defaults(pipeline)
    watched = settings.airflow.watch and not drawn  # Nothing new lands where a sample was drawn.
    ir = runner.compile_pipeline(pipeline)
    compiled = CompiledPipeline(
        name=ir.pipeline_info.id,
        workspace=workspace.root,
        drawn=drawn,
        program=[sys.executable, "-m", __package__],
        directory=REPOSITORY,
        watch=any_span(run_parameters.absolute(data)) if watched else None,
        code=code_of(settings),
        parallel=settings.run.metadata != "sqlite",
        parameters=_parameters(drawn),
        values=values,
        nodes=[_node(node.pipeline_node) for node in ir.nodes],
        settings=as_dict(settings),
        ir=json_format.MessageToDict(ir, preserving_proto_field_name=True),
    )
    try:
        compiled.write(path)
    except OSError as error:
        raise UserError(
            f"The compiled pipeline {path} can't be written: {error.strerror}."
        ) from None
    print(f"{path}: {len(compiled.nodes)} nodes of {compiled.name}")
    return 0


def run(
    compiled: CompiledPipeline, node_id: str, run_id: str, values: Mapping[str, str | int]
) -> int:
    """Runs one node, with everything that it and its libraries print on this process's streams.

    Args:
      compiled: The pipeline.
      node_id: The node.
      run_id: The run that it belongs to.
      values: Runtime parameters that are not as compiled, by name; `check_run` has passed them.

    Raises:
      PipelineError: A user's mistake, anomalies in the data, or a component's failure.
    """
    settings, workspace = compiled.load_settings(), compiled.load_workspace()
    if code_of(settings) != compiled.code:
        raise UserError(
            "The code is not that which the pipeline was compiled from; compile it again with "
            "python -m pipeline.node compile."
        )
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", force=True
    )
    ir = json_format.ParseDict(compiled.ir, pipeline_pb2.Pipeline())
    runner.bind(ir, run_id, {**compiled.values, **values})
    connection = metadata_store.connection(settings, workspace)
    lock = locked_for_node(workspace, node_id, parallel=compiled.parallel)
    with lock, one_sentence("The log above"):
        try:
            cached = runner.launch_alone(ir, node_id, connection)
        except DataAnomalyError:
            key = lineage.RunKey(compiled.name, run_id)
            conclusion.tell_ingest(_console(), key, settings, workspace)
            raise
    print(f"{node_id} {'was taken from an earlier run' if cached else 'is done'}.", flush=True)
    return 0


def report(compiled: CompiledPipeline, run_id: str) -> int:
    """Tells what came of a run, as local_runner.py does at its end.

    Raises:
      PipelineError: A node has not ended well, or what the run has left can't be read now.
      NotBlessedError: A model missed a threshold and was not pushed.
    """
    settings, workspace = compiled.load_settings(), compiled.load_workspace()
    key = lineage.RunKey(compiled.name, run_id)
    with one_sentence("The log above"):
        done = lineage.run_executions(metadata_store.connection(settings, workspace), key)
        unfinished = [
            node.id for node in compiled.nodes if not runner.has_run(node.type, done.get(node.id))
        ]
        if len(unfinished) == len(compiled.nodes):
            raise UserError(f"There is no run {run_id} of the pipeline {compiled.name}.")
        if unfinished:
            waiting = ", ".join(unfinished)
            raise PipelineError(f"The run {run_id} has not ended; to be run: {waiting}.")
        conclusion.tell(_console(), key, settings, workspace)
    return 0


def _console() -> Console:
    return Console(width=None if sys.stdout.isatty() else 110)


def _node(node: pipeline_pb2.PipelineNode) -> Node:
    info = node.node_info
    blesses = any(
        output.artifact_spec.type.name.endswith("Blessing")
        for output in node.outputs.outputs.values()
    )
    return Node(
        id=info.id,
        type=info.type.name,
        upstream=sorted(node.upstream_nodes),
        gate=blesses or info.type.name.endswith(DataGate.__name__),
    )


def _parameters(drawn: bool) -> list[Parameter]:
    of_the_data = (run_parameters.DATA, run_parameters.SPAN)
    return [
        Parameter(
            name=one.name,
            option=f"--set={one.setting}=" if one.setting else "--data=",
            type="integer" if one.type is int else "string",
            description=one.description,
        )
        for one in run_parameters.ALL
        if not (drawn and one in of_the_data)
    ]
