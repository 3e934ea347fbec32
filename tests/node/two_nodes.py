"""A pipeline of two nodes that takes no time, with a runtime parameter."""

from pathlib import Path

import tfx.v1 as tfx
from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.orchestration.data_types import RuntimeParameter
from tfx.proto.orchestration import pipeline_pb2
from tfx.types.standard_artifacts import Examples, ExampleStatistics

from pipeline import metadata_store, runner
from pipeline.workspace import Workspace


@component
def Source(examples: OutputArtifact[Examples], count: Parameter[int]) -> None:
    """Makes examples."""
    examples.split_names = '["train"]'
    examples.set_int_custom_property("count", count)
    folder = Path(examples.uri)
    examples.set_string_custom_property("found", ",".join(sorted(map(str, folder.iterdir()))))
    (folder / "made").touch()


@component
def Count(examples: InputArtifact[Examples], statistics: OutputArtifact[ExampleStatistics]) -> None:
    """Counts them."""
    statistics.split_names = examples.split_names
    statistics.set_int_custom_property("count", examples.get_int_custom_property("count"))


def bound(
    workspace: Workspace, run_id: str, count: int = 3, name: str = "two"
) -> pipeline_pb2.Pipeline:
    """The compiled pipeline, with what a run binds."""
    source = Source(count=RuntimeParameter("count", ptype=int, default=3))
    pipeline = tfx.dsl.Pipeline(
        pipeline_name=name,
        pipeline_root=str(workspace.pipeline_root),
        metadata_connection_config=metadata_store.sqlite(workspace),
        components=[source, Count(examples=source.outputs["examples"])],
        enable_cache=True,
    )
    assert runner.defaults(pipeline) == {"count": 3}
    ir = runner.compile_pipeline(pipeline)
    runner.bind(ir, run_id, {"count": count})
    return ir
