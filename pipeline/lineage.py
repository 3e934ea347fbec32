"""What a run made, read back from ML Metadata."""

from collections.abc import Mapping
from pathlib import Path

import tfx.v1 as tfx
from ml_metadata.proto import metadata_store_pb2
from tfx.orchestration import metadata
from tfx.orchestration.portable.mlmd import event_lib

Outputs = Mapping[tuple[str, str], metadata_store_pb2.Artifact]
"""Artifact by node id and output key, such as `("Evaluator", "blessing")`."""


def newest_run(metadata_db: Path) -> str | None:
    """The id of the run that was begun last, if there was any.

    Args:
      metadata_db: The workspace's SQLite file.
    """
    if not metadata_db.exists():
        return None
    connection = tfx.orchestration.metadata.sqlite_metadata_connection_config(str(metadata_db))
    with metadata.Metadata(connection) as handle:
        runs = handle.store.get_contexts_by_type("pipeline_run")
    return max(runs, key=lambda run: run.id).name if runs else None


def run_outputs(metadata_db: Path, run_id: str) -> Outputs:
    """Finds the artifacts that the nodes of a run made, or took from the cache.

    Args:
      metadata_db: The workspace's SQLite file.
      run_id: As `pipeline.runner.run` gives it.
    """
    connection = tfx.orchestration.metadata.sqlite_metadata_connection_config(str(metadata_db))
    outputs: dict[tuple[str, str], metadata_store_pb2.Artifact] = {}
    with metadata.Metadata(connection) as handle:
        store = handle.store
        run = store.get_context_by_type_and_name("pipeline_run", run_id)
        if run is None:
            return {}
        for execution in store.get_executions_by_context(run.id):
            for context in store.get_contexts_by_execution(execution.id):
                if store.get_context_types_by_id([context.type_id])[0].name == "node":
                    node_id = context.name.rpartition(".")[2]
            for event in store.get_events_by_execution_ids([execution.id]):
                if event_lib.is_valid_output_event(event):
                    (artifact,) = store.get_artifacts_by_id([event.artifact_id])
                    outputs[node_id, event.path.steps[0].key] = artifact
    return outputs


def custom_int(artifact: metadata_store_pb2.Artifact, name: str) -> int:
    """An integer custom property, 0 if it is not set."""
    return artifact.custom_properties[name].int_value


def custom_string(artifact: metadata_store_pb2.Artifact, name: str) -> str:
    """A text custom property, empty if it is not set."""
    return artifact.custom_properties[name].string_value
