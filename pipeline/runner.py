"""Runs the pipeline in this process, whole or one node of it, and tells a listener about nodes."""

import datetime
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import tfx.v1 as tfx
from ml_metadata.proto import metadata_store_pb2
from tfx.dsl.compiler import compiler, constants
from tfx.orchestration import data_types, metadata
from tfx.orchestration.local import runner_utils
from tfx.orchestration.portable import launcher, runtime_parameter_utils
from tfx.proto.orchestration import pipeline_pb2

from components.atomic_pusher.component import AtomicPusher
from pipeline.errors import UserError
from pipeline.lineage import RunKey, run_executions

_DONE = ("COMPLETE", "CACHED")


class NodeListener(Protocol):
    """What `run` tells of each node, in order."""

    def on_nodes(self, node_ids: list[str]) -> None:
        """The nodes of the run, in the order they will run."""

    def on_start(self, node_id: str) -> None:
        """A node starts."""

    def on_end(self, node_id: str, seconds: float, cached: bool) -> None:
        """A node has ended well; `cached` if an earlier execution's outputs were taken."""

    def on_failure(self, node_id: str, seconds: float) -> None:
        """A node has raised; no other will run."""

    def on_stop(self, node_id: str, seconds: float) -> None:
        """A node was interrupted by the person who runs it; no other will run."""


def new_run(pipeline: tfx.dsl.Pipeline) -> RunKey:
    """Names a run of a pipeline that is yet to begin."""
    return RunKey(pipeline.id, datetime.datetime.now(datetime.UTC).isoformat())


def run(
    pipeline: tfx.dsl.Pipeline,
    listener: NodeListener,
    last_node: str | None = None,
    connection: metadata_store_pb2.ConnectionConfig | None = None,
    key: RunKey | None = None,
) -> RunKey:
    """Runs a pipeline, node by node.

    What `tfx.orchestration.LocalDagRunner` does, which offers no way to see a node start, end or be
    cached, runs all nodes or none, and takes a node whose inputs can't be found for done.

    Args:
      pipeline: The pipeline.
      listener: Told of every node.
      last_node: Id of the node to end with; none runs all.
      connection: To ML Metadata, where the pipeline's own lacks the password.
      key: What `new_run` gave, for who must know the run when it has failed; none makes another.

    Returns:
      The run.

    Raises:
      Exception: What a node raised; the run ends there.
      RuntimeError: A node could not start because an input is missing.
    """
    key = key or new_run(pipeline)
    ir = compile_pipeline(pipeline)
    bind(ir, key.run_id, defaults(pipeline))
    ids = [node.pipeline_node.node_info.id for node in ir.nodes]
    if last_node is not None:
        ids = ids[: ids.index(last_node) + 1]
    listener.on_nodes(ids)
    for node_id in ids:
        listener.on_start(node_id)
        started = time.monotonic()
        try:
            cached = launch(ir, node_id, connection or pipeline.metadata_connection_config)
        except KeyboardInterrupt:
            listener.on_stop(node_id, time.monotonic() - started)
            raise
        except BaseException:
            listener.on_failure(node_id, time.monotonic() - started)
            raise
        listener.on_end(node_id, time.monotonic() - started, cached)
    return key


def compile_pipeline(pipeline: tfx.dsl.Pipeline) -> pipeline_pb2.Pipeline:
    """Compiles to TFX's intermediate representation.

    Publishing is never cached: it publishes nothing twice by itself, and TFX, which does not look
    into the folder that servers poll, would take a version as pushed that someone has deleted.
    """
    ir = compiler.Compiler().compile(pipeline)
    for node in ir.nodes:
        if node.pipeline_node.node_info.type.name.endswith(AtomicPusher.__name__):
            node.pipeline_node.execution_options.caching_options.enable_cache = False
    return ir


def defaults(pipeline: tfx.dsl.Pipeline) -> dict[str, str | int]:
    """The runtime parameters of a pipeline with the values it was wired with, by name.

    TFX's compiler drops a default of 0, so a runner binds every parameter itself.
    """
    return {
        value.name: value.default
        for component in pipeline.components
        for value in component.exec_properties.values()
        if isinstance(value, data_types.RuntimeParameter)
    }


def bind(ir: pipeline_pb2.Pipeline, run_id: str, values: Mapping[str, str | int]) -> None:
    """Puts a run's id and its runtime parameters, all of them, into the compiled pipeline."""
    runtime_parameter_utils.substitute_runtime_parameter(
        ir, {constants.PIPELINE_RUN_ID_PARAMETER_NAME: run_id, **values}
    )


def launch(
    ir: pipeline_pb2.Pipeline, node_id: str, connection: metadata_store_pb2.ConnectionConfig
) -> bool:
    """Runs one node; a node that has already ended well in this run is not run again.

    Args:
      ir: The compiled pipeline, with what `bind` puts into it.
      node_id: A node of it, whose upstream nodes have run.
      connection: To ML Metadata.

    Returns:
      Whether an earlier execution's outputs were taken.

    Raises:
      Exception: What the node raised.
      RuntimeError: The node could not start because an input is missing.
    """
    deployment = runner_utils.extract_local_deployment_config(ir)
    node = _node(ir, node_id)
    if connection.HasField("sqlite"):
        Path(connection.sqlite.filename_uri).parent.mkdir(parents=True, exist_ok=True)
    info = launcher.Launcher(
        pipeline_node=node,
        mlmd_connection=metadata.Metadata(connection),
        pipeline_info=ir.pipeline_info,
        pipeline_runtime_spec=ir.runtime_spec,
        executor_spec=runner_utils.extract_executor_spec(deployment, node_id),
        custom_driver_spec=runner_utils.extract_custom_driver_spec(deployment, node_id),
    ).launch()
    if info is None or info.execution_id is None or _is_resolver(node.node_info.type.name):
        return False
    with metadata.Metadata(connection) as handle:
        (execution,) = handle.store.get_executions_by_id([info.execution_id])
    state = _state(execution)
    if state not in _DONE:
        raise RuntimeError(f"{node_id} ended in the state {state}")
    return state == "CACHED"


def launch_alone(
    ir: pipeline_pb2.Pipeline, node_id: str, connection: metadata_store_pb2.ConnectionConfig
) -> bool:
    """Runs one node in a process that ran none of the others; else as `launch`.

    What an attempt that was killed has left of the node's outputs is removed first: TFX gives the
    next attempt the same folders.

    Raises:
      UserError: An upstream node has not run.
    """
    run_id = ir.runtime_spec.pipeline_run_id.field_value.string_value
    executions = run_executions(connection, RunKey(ir.pipeline_info.id, run_id))
    node = _node(ir, node_id)
    missing = [
        upstream
        for upstream in node.upstream_nodes
        if not has_run(_node(ir, upstream).node_info.type.name, executions.get(upstream))
    ]
    if missing:
        verb = "has" if len(missing) == 1 else "have"
        raise UserError(
            f"{node_id} can't run yet: {', '.join(missing)} {verb} not ended well in the run "
            f"{run_id}; run that first."
        )
    before = executions.get(node_id)
    if before is not None and _state(before) not in _DONE:
        root = Path(ir.runtime_spec.pipeline_root.field_value.string_value)
        for key in node.outputs.outputs:
            shutil.rmtree(root / node_id / key / str(before.id), ignore_errors=True)
    return launch(ir, node_id, connection)


def has_run(node_type: str, execution: metadata_store_pb2.Execution | None) -> bool:
    """Whether nodes that wait for this one may run.

    A resolver that finds nothing, as in every first run, is a failed execution to TFX; nodes that
    take its output decide whether they need it.

    Args:
      node_type: Dotted name of the node's class.
      execution: The node's last execution in the run, if there is any.
    """
    return execution is not None and (_is_resolver(node_type) or _state(execution) in _DONE)


def _state(execution: metadata_store_pb2.Execution) -> str:
    return metadata_store_pb2.Execution.State.Name(execution.last_known_state)


def _node(ir: pipeline_pb2.Pipeline, node_id: str) -> pipeline_pb2.PipelineNode:
    (found,) = (
        node.pipeline_node for node in ir.nodes if node.pipeline_node.node_info.id == node_id
    )
    return found


def _is_resolver(node_type: str) -> bool:
    return node_type.endswith(tfx.dsl.Resolver.__name__)
