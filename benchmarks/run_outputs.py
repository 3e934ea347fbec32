"""The artifacts of a workspace's last run, as benchmarks read them again."""

from pathlib import Path

import tfx.v1  # noqa: F401 - other TFX packages lean on it.
from tfx.components.trainer.fn_args_utils import DataAccessor
from tfx.components.util import tfxio_utils
from tfx.types import artifact_utils, standard_artifacts
from tfx.utils import io_utils

from pipeline import lineage, metadata_store
from pipeline.errors import UserError
from pipeline.features import TRAIN_SPLIT
from pipeline.lineage import Outputs
from pipeline.workspace import Workspace


def last_outputs(workspace: Workspace, node_id: str) -> Outputs:
    """What the nodes of the run made that was begun last.

    Args:
      workspace: Of the run.
      node_id: Node that it must have got to the end of.

    Raises:
      UserError: There is no run, or it stopped before.
    """
    connection = metadata_store.sqlite(workspace)
    run = lineage.newest_run(connection)
    if run is None:
        raise UserError(f"The workspace {workspace.root} has no run; run the pipeline first.")
    outputs = lineage.run_outputs(connection, run)
    if node_id not in {node for node, _ in outputs}:
        raise UserError(
            f"The last run in {workspace.root} stopped before the end of {node_id}; run the "
            "pipeline again."
        )
    return outputs


def examples_of(outputs: Outputs, node_id: str, key: str) -> standard_artifacts.Examples:
    """An output that is examples."""
    examples = standard_artifacts.Examples()
    examples.set_mlmd_artifact(outputs[node_id, key])
    return examples


def train_files(examples: standard_artifacts.Examples) -> list[str]:
    """Globs of the files of the train split."""
    return [io_utils.all_files_pattern(artifact_utils.get_split_uri([examples], TRAIN_SPLIT))]


def accessor_of(examples: standard_artifacts.Examples) -> DataAccessor:
    """Reads the examples as a Trainer's `run_fn` does."""
    return DataAccessor(
        tf_dataset_factory=tfxio_utils.get_tf_dataset_factory_from_artifact([examples], []),
        record_batch_factory=None,
        data_view_decode_fn=None,
    )


def schema_path(outputs: Outputs) -> str:
    """The schema that the data were validated against."""
    (path,) = Path(outputs["CuratedSchemaGen", "schema"].uri).glob("*.pbtxt")
    return str(path)
