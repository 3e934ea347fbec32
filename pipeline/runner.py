"""Runs the pipeline in this process and tells a listener about every node."""

import datetime
import time
from typing import Protocol

import tfx.v1 as tfx
from ml_metadata.proto import metadata_store_pb2
from tfx.dsl.compiler import compiler, constants
from tfx.orchestration import metadata
from tfx.orchestration.local import runner_utils
from tfx.orchestration.portable import launcher, runtime_parameter_utils
from tfx.proto.orchestration import local_deployment_config_pb2, pipeline_pb2

from components.atomic_pusher.component import AtomicPusher


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


def run(pipeline: tfx.dsl.Pipeline, listener: NodeListener, last_node: str | None = None) -> str:
    """Runs a pipeline, node by node.

    What `tfx.orchestration.LocalDagRunner` does, which offers no way to see a node start, end or be
    cached, runs all nodes or none, and takes a node whose inputs can't be found for done.

    Args:
      pipeline: The pipeline, with a SQLite metadata connection.
      listener: Told of every node.
      last_node: Id of the node to end with; none runs all.

    Returns:
      The run's id.

    Raises:
      Exception: What a node raised; the run ends there.
      RuntimeError: A node could not start because an input is missing.
    """
    run_id = datetime.datetime.now(datetime.UTC).isoformat()
    ir = compile_pipeline(pipeline)
    runtime_parameter_utils.substitute_runtime_parameter(
        ir, {constants.PIPELINE_RUN_ID_PARAMETER_NAME: run_id}
    )
    deployment = runner_utils.extract_local_deployment_config(ir)
    connection = pipeline.metadata_connection_config
    nodes = [node.pipeline_node for node in ir.nodes]
    ids = [node.node_info.id for node in nodes]
    if last_node is not None:
        nodes = nodes[: ids.index(last_node) + 1]
    listener.on_nodes([node.node_info.id for node in nodes])
    for node in nodes:
        node_id = node.node_info.id
        listener.on_start(node_id)
        started = time.monotonic()
        try:
            cached = _launch(node, ir, deployment, connection)
        except BaseException:
            listener.on_failure(node_id, time.monotonic() - started)
            raise
        listener.on_end(node_id, time.monotonic() - started, cached)
    return run_id


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


def _launch(
    node: pipeline_pb2.PipelineNode,
    ir: pipeline_pb2.Pipeline,
    deployment: local_deployment_config_pb2.LocalDeploymentConfig,
    connection: metadata_store_pb2.ConnectionConfig,
) -> bool:
    node_id = node.node_info.id
    info = launcher.Launcher(
        pipeline_node=node,
        mlmd_connection=metadata.Metadata(connection),
        pipeline_info=ir.pipeline_info,
        pipeline_runtime_spec=ir.runtime_spec,
        executor_spec=runner_utils.extract_executor_spec(deployment, node_id),
        custom_driver_spec=runner_utils.extract_custom_driver_spec(deployment, node_id),
    ).launch()
    # A resolver that finds nothing, as in every first run, is a failed execution to TFX; nodes that
    # take its output decide whether they need it.
    if info is None or info.execution_id is None or node_id in _resolvers(ir):
        return False
    with metadata.Metadata(connection) as handle:
        (execution,) = handle.store.get_executions_by_id([info.execution_id])
    state = metadata_store_pb2.Execution.State.Name(execution.last_known_state)
    if state not in ("COMPLETE", "CACHED"):
        raise RuntimeError(f"{node_id} ended in the state {state}")
    return state == "CACHED"


def _resolvers(ir: pipeline_pb2.Pipeline) -> set[str]:
    infos = [node.pipeline_node.node_info for node in ir.nodes]
    return {info.id for info in infos if info.type.name.endswith(tfx.dsl.Resolver.__name__)}
