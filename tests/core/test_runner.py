"""The runner: tells of every node, reuses results, stops at a failure; lineage reads it back."""

from pathlib import Path

import tfx.v1 as tfx
import pytest
from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.types.standard_artifacts import Examples, ExampleStatistics

from pipeline import lineage, metadata_store, runner
from pipeline.errors import DataAnomalyError
from pipeline.workspace import Workspace


@component
def Source(examples: OutputArtifact[Examples], count: Parameter[int]) -> None:
    """Makes examples."""
    examples.split_names = '["train"]'
    examples.set_string_custom_property("made", "by Source")
    examples.set_int_custom_property("count", count)


@component
def Gate(
    examples: InputArtifact[Examples],
    statistics: OutputArtifact[ExampleStatistics],
    sound: Parameter[bool],
) -> None:
    """Passes or refuses them."""
    if not sound:
        raise DataAnomalyError("train split: label: bored is new.")
    statistics.split_names = examples.split_names


class _Heard:
    """A listener that writes down what it is told."""

    def __init__(self) -> None:
        self.said: list[tuple[object, ...]] = []

    def on_nodes(self, node_ids: list[str]) -> None:
        self.said.append(("nodes", *node_ids))

    def on_start(self, node_id: str) -> None:
        self.said.append(("start", node_id))

    def on_end(self, node_id: str, seconds: float, cached: bool) -> None:
        assert seconds >= 0.0
        self.said.append(("end", node_id, cached))

    def on_failure(self, node_id: str, seconds: float) -> None:
        assert seconds >= 0.0
        self.said.append(("failure", node_id))

    def on_stop(self, node_id: str, seconds: float) -> None:
        assert seconds >= 0.0
        self.said.append(("stop", node_id))


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path)


def _pipeline(workspace: Workspace, count: int = 3, sound: bool = True) -> tfx.dsl.Pipeline:
    source = Source(count=count)
    gate = Gate(examples=source.outputs["examples"], sound=sound)
    return tfx.dsl.Pipeline(
        pipeline_name="two",
        pipeline_root=str(workspace.pipeline_root),
        metadata_connection_config=tfx.orchestration.metadata.sqlite_metadata_connection_config(
            str(workspace.metadata_db)
        ),
        components=[source, gate],
        enable_cache=True,
    )


def _run(pipeline: tfx.dsl.Pipeline, last_node: str | None = None) -> tuple[lineage.RunKey, _Heard]:
    heard = _Heard()
    return runner.run(pipeline, heard, last_node), heard


def test_every_node_is_told_as_it_starts_and_ends(workspace: Workspace) -> None:
    _, heard = _run(_pipeline(workspace))
    assert heard.said == [
        ("nodes", "Source", "Gate"),
        ("start", "Source"),
        ("end", "Source", False),
        ("start", "Gate"),
        ("end", "Gate", False),
    ]


def test_a_second_run_takes_everything_from_the_cache(workspace: Workspace) -> None:
    _run(_pipeline(workspace))
    _, heard = _run(_pipeline(workspace))
    assert [said for said in heard.said if said[0] == "end"] == [
        ("end", "Source", True),
        ("end", "Gate", True),
    ]


def test_a_changed_parameter_runs_its_node_and_what_follows_again(workspace: Workspace) -> None:
    _run(_pipeline(workspace))
    _, heard = _run(_pipeline(workspace, count=4))
    assert [said for said in heard.said if said[0] == "end"] == [
        ("end", "Source", False),
        ("end", "Gate", False),
    ]


def test_a_node_that_raises_ends_the_run_with_what_it_raised(workspace: Workspace) -> None:
    heard = _Heard()
    with pytest.raises(DataAnomalyError, match="bored is new"):
        runner.run(_pipeline(workspace, sound=False), heard)
    assert heard.said[-2:] == [("start", "Gate"), ("failure", "Gate")]


def test_an_interrupted_node_is_stopped_and_has_not_failed(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*arguments: object) -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr(runner, "launch", interrupted)
    heard = _Heard()
    with pytest.raises(KeyboardInterrupt):
        runner.run(_pipeline(workspace), heard)
    assert heard.said[-2:] == [("start", "Source"), ("stop", "Source")]


def test_a_run_after_a_failure_goes_on_from_the_last_finished_node(workspace: Workspace) -> None:
    with pytest.raises(DataAnomalyError):
        _run(_pipeline(workspace, sound=False))
    _, heard = _run(_pipeline(workspace, sound=True))
    assert ("end", "Source", True) in heard.said
    assert ("end", "Gate", False) in heard.said


def test_a_run_can_end_early(workspace: Workspace) -> None:
    _, heard = _run(_pipeline(workspace), last_node="Source")
    assert heard.said == [("nodes", "Source"), ("start", "Source"), ("end", "Source", False)]


def test_a_runs_outputs_are_found_by_node_and_key_whether_made_or_cached(
    workspace: Workspace,
) -> None:
    made, _ = _run(_pipeline(workspace))
    cached, _ = _run(_pipeline(workspace))
    outputs = [lineage.run_outputs(metadata_store.sqlite(workspace), run) for run in (made, cached)]
    for found in outputs:
        assert set(found) == {("Source", "examples"), ("Gate", "statistics")}
        examples = found["Source", "examples"]
        assert lineage.custom_string(examples, "made") == "by Source"
        assert lineage.custom_int(examples, "count") == 3
        assert lineage.custom_int(examples, "never set") == 0
        assert lineage.custom_string(examples, "never set") == ""
    assert outputs[0]["Gate", "statistics"].id == outputs[1]["Gate", "statistics"].id


def test_a_run_that_never_was_has_no_outputs(workspace: Workspace) -> None:
    _run(_pipeline(workspace))
    never = lineage.RunKey("two", "1999-12-31")
    assert lineage.run_outputs(metadata_store.sqlite(workspace), never) == {}
