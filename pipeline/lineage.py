"""What a run made, read back from ML Metadata."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from ml_metadata.proto import metadata_store_pb2
from tfx.orchestration import metadata
from tfx.orchestration.portable.mlmd import event_lib

Outputs = Mapping[tuple[str, str], metadata_store_pb2.Artifact]
"""Artifact by node id and output key, such as `("Evaluator", "blessing")`."""


class RunKey(NamedTuple):
    """Names a run.

    Attributes:
      pipeline: Name of the pipeline; a scheduler may give runs of two pipelines one id.
      run_id: The run's id.
    """

    pipeline: str
    run_id: str


def newest_run(connection: metadata_store_pb2.ConnectionConfig) -> RunKey | None:
    """The run that was begun last, if there was any."""
    if _is_unwritten(connection):
        return None
    with metadata.Metadata(connection) as handle:
        store = handle.store
        executions = {
            execution.id: run.name
            for run in store.get_contexts_by_type("pipeline_run")
            for execution in store.get_executions_by_context(run.id)
        }
        if not executions:
            return None
        newest = max(executions)
        (pipeline,) = (
            context.name
            for context in store.get_contexts_by_execution(newest)
            if context.type == "pipeline"
        )
        return RunKey(pipeline, executions[newest])


def run_outputs(connection: metadata_store_pb2.ConnectionConfig, run: RunKey) -> Outputs:
    """Finds the artifacts that the nodes of a run made, or took from the cache."""
    outputs: dict[tuple[str, str], metadata_store_pb2.Artifact] = {}
    with metadata.Metadata(connection) as handle:
        store = handle.store
        for node_id, execution in _executions(handle, run):
            for event in store.get_events_by_execution_ids([execution.id]):
                if event_lib.is_valid_output_event(event):
                    (artifact,) = store.get_artifacts_by_id([event.artifact_id])
                    outputs[node_id, event.path.steps[0].key] = artifact
    return outputs


def run_executions(
    connection: metadata_store_pb2.ConnectionConfig, run: RunKey
) -> dict[str, metadata_store_pb2.Execution]:
    """The last execution of each node of a run, by node id."""
    if _is_unwritten(connection):
        return {}
    with metadata.Metadata(connection) as handle:
        return dict(_executions(handle, run))


def _is_unwritten(connection: metadata_store_pb2.ConnectionConfig) -> bool:
    """Whether there is no file yet, which opening it would make, or fail to."""
    return connection.HasField("sqlite") and not Path(connection.sqlite.filename_uri).exists()


def _executions(
    handle: metadata.Metadata, run: RunKey
) -> Iterator[tuple[str, metadata_store_pb2.Execution]]:
    """Node ids and executions of a run, in the order they were begun."""
    store = handle.store
    context = store.get_context_by_type_and_name("pipeline_run", run.run_id)
    pipeline = store.get_context_by_type_and_name("pipeline", run.pipeline)
    if context is None or pipeline is None:
        return
    for execution in sorted(store.get_executions_by_context(context.id), key=lambda e: e.id):
        contexts = store.get_contexts_by_execution(execution.id)
        if pipeline.id in (other.id for other in contexts):
            (node,) = (other.name for other in contexts if other.type == "node")
            yield node.removeprefix(f"{run.pipeline}."), execution


def custom_int(artifact: metadata_store_pb2.Artifact, name: str) -> int:
    """An integer custom property, 0 if it is not set."""
    return artifact.custom_properties[name].int_value


def custom_string(artifact: metadata_store_pb2.Artifact, name: str) -> str:
    """A text custom property, empty if it is not set."""
    return artifact.custom_properties[name].string_value
