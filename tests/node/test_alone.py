"""One node in a process that ran no other: what it waits for, what it takes, how it goes on."""

import threading
from pathlib import Path

import tfx.v1  # noqa: F401 - other TFX packages lean on it.
import pytest
from ml_metadata.proto import metadata_store_pb2
from ml_metadata.proto.metadata_store_pb2 import ConnectionConfig
from tfx.orchestration import metadata

from pipeline import config, lineage, metadata_store, runner
from pipeline.errors import UserError
from pipeline.lineage import RunKey
from pipeline.node import commands
from pipeline.node.compiled import CompiledPipeline
from pipeline.workspace import Workspace
from pipeline.workspace_lock import locked
from tests.ingest import drawn
from tests.node.two_nodes import bound

State = metadata_store_pb2.Execution


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path)


@pytest.fixture
def connection(workspace: Workspace) -> ConnectionConfig:
    return metadata_store.sqlite(workspace)


def _run(workspace: Workspace, node: str, run_id: str, count: int = 3, name: str = "two") -> bool:
    ir = bound(workspace, run_id, count, name)
    return runner.launch_alone(ir, node, metadata_store.sqlite(workspace))


def test_nodes_run_one_by_one_under_a_run_id(
    workspace: Workspace, connection: ConnectionConfig
) -> None:
    assert not _run(workspace, "Source", "monday")
    assert not _run(workspace, "Count", "monday")
    outputs = lineage.run_outputs(connection, RunKey("two", "monday"))
    assert set(outputs) == {("Source", "examples"), ("Count", "statistics")}


def test_a_runtime_parameter_reaches_its_node(
    workspace: Workspace, connection: ConnectionConfig
) -> None:
    _run(workspace, "Source", "monday", count=7)
    _run(workspace, "Count", "monday", count=7)
    outputs = lineage.run_outputs(connection, RunKey("two", "monday"))
    assert lineage.custom_int(outputs["Count", "statistics"], "count") == 7


def test_another_run_takes_what_is_the_same_from_the_cache(workspace: Workspace) -> None:
    assert not _run(workspace, "Source", "monday")
    assert _run(workspace, "Source", "tuesday")
    assert not _run(workspace, "Source", "wednesday", count=7)


def test_a_node_whose_upstream_has_not_run_says_so(workspace: Workspace) -> None:
    _run(workspace, "Source", "monday")
    with pytest.raises(UserError, match="Count can't run yet: Source has not ended well"):
        _run(workspace, "Count", "tuesday")


def test_a_node_that_has_ended_well_is_not_run_again(
    workspace: Workspace, connection: ConnectionConfig
) -> None:
    _run(workspace, "Source", "monday")
    _run(workspace, "Source", "monday")
    with metadata.Metadata(connection) as handle:
        assert len(handle.store.get_executions()) == 1


def test_a_killed_attempt_is_taken_up_without_what_it_left(
    workspace: Workspace, connection: ConnectionConfig
) -> None:
    _run(workspace, "Source", "monday")
    before = lineage.run_executions(connection, RunKey("two", "monday"))["Source"]
    before.last_known_state = State.RUNNING
    with metadata.Metadata(connection) as handle:
        handle.store.put_executions([before])
        (artifact,) = handle.store.get_artifacts()
        artifact.state = metadata_store_pb2.Artifact.PENDING
        handle.store.put_artifacts([artifact])
    (Path(artifact.uri) / "half").touch()

    with pytest.raises(UserError, match="Source has not ended well"):
        _run(workspace, "Count", "monday")
    # In another run, for the outputs of this one are in the cache already.
    assert not _run(workspace, "Source", "monday", count=8)
    after = lineage.run_executions(connection, RunKey("two", "monday"))["Source"]
    assert (after.id, after.last_known_state) == (before.id, State.COMPLETE)
    made = lineage.run_outputs(connection, RunKey("two", "monday"))["Source", "examples"]
    assert lineage.custom_string(made, "found") == ""
    assert sorted(path.name for path in Path(made.uri).iterdir()) == ["made"]


def test_runs_of_two_pipelines_may_have_one_id(
    workspace: Workspace, connection: ConnectionConfig
) -> None:
    _run(workspace, "Source", "monday", name="two")
    _run(workspace, "Source", "monday", name="other", count=9)
    for name, count in (("two", 3), ("other", 9)):
        outputs = lineage.run_outputs(connection, RunKey(name, "monday"))
        assert lineage.custom_int(outputs["Source", "examples"], "count") == count
    assert lineage.newest_run(connection) == RunKey("other", "monday")


def _compiled(workspace: Workspace, data: str) -> CompiledPipeline:
    commands.compile_pipeline(config.load(), workspace, data, workspace.compiled)
    return CompiledPipeline.read(workspace.compiled)


def test_a_run_may_have_data_and_a_span_of_its_own(
    workspace: Workspace, connection: ConnectionConfig, tmp_path: Path
) -> None:
    for span in (4, 5):
        files = drawn.labelled() | {f"train/happy/{span}.png": drawn.encoded(span + 40)}
        drawn.write_zip(tmp_path / f"span-{span}" / "archive.zip", files)
    compiled = _compiled(workspace, f"{tmp_path}/span-{{SPAN}}/archive.zip")
    alone = str(drawn.write_zip(tmp_path / "alone" / "archive.zip", drawn.labelled()))
    for run_id, values, span in (
        ("newest", {}, 5),
        ("older", {"data_span": 4}, 4),
        ("other", {"data": alone}, 0),
    ):
        assert commands.run(compiled, "ImageExampleGen", run_id, values) == 0
        outputs = lineage.run_outputs(connection, RunKey("expression", run_id))
        assert lineage.custom_int(outputs["ImageExampleGen", "examples"], "span") == span
    with pytest.raises(UserError, match=r"has no \{SPAN\}"):
        commands.run(compiled, "ImageExampleGen", "wrong", {"data": alone, "data_span": 4})
    with pytest.raises(UserError, match="No data match"):
        commands.run(compiled, "ImageExampleGen", "gone", {"data_span": 3})


def test_a_node_waits_for_whoever_uses_the_workspace(
    workspace: Workspace,
    connection: ConnectionConfig,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    archive = drawn.write_zip(tmp_path / "archive.zip", drawn.labelled())
    compiled = _compiled(workspace, str(archive))
    key = RunKey("expression", "one")
    node = threading.Thread(target=commands.run, args=(compiled, "ImageExampleGen", "one", {}))
    with locked(workspace):
        node.start()
        told = ""
        while "Waiting for who uses the workspace" not in told:
            assert node.is_alive(), "it did not wait"
            node.join(timeout=0.05)
            told += capsys.readouterr().out
        assert lineage.run_executions(connection, key) == {}
    node.join()
    assert "ImageExampleGen" in lineage.run_executions(connection, key)


def test_a_run_that_has_not_ended_is_not_reported(workspace: Workspace, tmp_path: Path) -> None:
    archive = drawn.write_zip(tmp_path / "archive.zip", drawn.labelled())
    compiled = _compiled(workspace, str(archive))
    with pytest.raises(UserError, match="no run one of the pipeline expression"):
        commands.report(compiled, "one")
