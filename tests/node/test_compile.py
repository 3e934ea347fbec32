"""The compiled pipeline: everything an orchestrator needs, in JSON, without a secret."""

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format
from tfx.orchestration import metadata
from tfx.proto.orchestration import pipeline_pb2

from pipeline import config
from pipeline.errors import ComponentError, UserError
from pipeline.node import commands
from pipeline.node.compiled import CompiledPipeline
from pipeline.workspace import Workspace


@pytest.fixture
def archive(tmp_path: Path) -> str:
    path = tmp_path / "archive.zip"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("train/happy/1.png", b"")
    return str(path)


def _compile(tmp_path: Path, data: str | None, *assignments: str) -> CompiledPipeline:
    settings = config.load(assignments=assignments)
    path = tmp_path / "pipeline.json"
    assert commands.compile_pipeline(settings, Workspace(tmp_path / "w"), data, path) == 0
    return CompiledPipeline.read(path)


def test_edges_and_order_are_the_pipelines(tmp_path: Path, archive: str) -> None:
    compiled = _compile(tmp_path, archive)
    ir = json_format.ParseDict(compiled.ir, pipeline_pb2.Pipeline())
    expected = {
        node.pipeline_node.node_info.id: sorted(node.pipeline_node.upstream_nodes)
        for node in ir.nodes
    }
    assert {node.id: node.upstream for node in compiled.nodes} == expected
    done: set[str] = set()
    for node in compiled.nodes:
        assert set(node.upstream) <= done
        done.add(node.id)


def test_gates_are_marked(tmp_path: Path, archive: str) -> None:
    gates = {node.id for node in _compile(tmp_path, archive).nodes if node.gate}
    assert gates == {
        *("DataGate", "Evaluator", "RobustnessReport", "ServingCheck", "TFLiteEvaluator")
    }


def test_what_may_change_from_run_to_run_is_a_parameter(tmp_path: Path, archive: str) -> None:
    compiled = _compile(tmp_path, archive, "train.epochs=5", "data.span=0")
    assert compiled.values == {"data": archive, "data_span": 0, "train_epochs": 5}
    assert {one.name: (one.option, one.type) for one in compiled.parameters} == {
        "data": ("--data=", "string"),
        "data_span": ("--set=data.span=", "integer"),
        "train_epochs": ("--set=train.epochs=", "integer"),
    }


def test_the_drawn_sample_is_drawn_and_can_not_be_replaced(tmp_path: Path) -> None:
    compiled = _compile(tmp_path, None, "sample.train_per_class=8", "sample.eval_per_class=4")
    assert compiled.name == "expression-drawn-sample"
    assert zipfile.is_zipfile(str(compiled.values["data"]))
    assert [one.name for one in compiled.parameters] == ["train_epochs"]
    with pytest.raises(UserError, match="compiled for the drawn sample"):
        compiled.check_run("Trainer", {"data": "/other.zip"})


def test_the_settings_come_back(tmp_path: Path, archive: str) -> None:
    compiled = _compile(tmp_path, archive, "train.epochs=5", "data.class_aliases={rage='angry'}")
    assert compiled.load_settings() == config.load(
        assignments=["train.epochs=5", "data.class_aliases={rage='angry'}"]
    )


def test_a_password_is_not_written_down(
    tmp_path: Path, archive: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLMD_PASSWORD", "hunter2")
    compiled = _compile(tmp_path, archive, "run.metadata=mysql://tfx:$MLMD_PASSWORD@db/faces")
    assert compiled.parallel
    written = (tmp_path / "pipeline.json").read_text()
    assert "hunter2" not in written
    assert "tfx" in json.dumps(compiled.ir["deployment_config"]["metadata_connection_config"])


def test_sqlite_takes_one_node_at_a_time(tmp_path: Path, archive: str) -> None:
    assert not _compile(tmp_path, archive).parallel


def test_a_report_of_a_workspace_that_is_not_there_leaves_it_so(
    tmp_path: Path, archive: str
) -> None:
    with pytest.raises(UserError, match="no run one of the pipeline expression"):
        commands.report(_compile(tmp_path, archive), "one")
    assert not (tmp_path / "w").exists()


def test_a_report_may_be_tried_again_while_the_server_is_away(
    tmp_path: Path, archive: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLMD_PASSWORD", "hunter2")
    monkeypatch.setattr(metadata.time, "sleep", lambda seconds: None)  # Between its ten tries.
    server = "mysql://tfx:$MLMD_PASSWORD@127.0.0.1:1/faces"
    compiled = _compile(tmp_path, archive, f"run.metadata={server}")
    with pytest.raises(ComponentError):  # Exit code 4, after which schedulers try again.
        commands.report(compiled, "one")


def test_data_that_are_not_there_are_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="does not exist"):
        _compile(tmp_path, str(tmp_path / "missing.zip"))


@pytest.mark.parametrize("settings", [{"train": {"epoch": 3}}, {"airflow": {"timeout_min": None}}])
def test_settings_of_another_version_are_one_sentence(
    tmp_path: Path, archive: str, settings: dict[str, Any]
) -> None:
    compiled = _compile(tmp_path, archive).model_copy(update={"settings": settings})
    with pytest.raises(UserError, match="compile it again"):
        commands.run(compiled, "ImageExampleGen", "one", {})
    with pytest.raises(UserError, match="compile it again"):
        commands.report(compiled, "one")


def test_a_pipeline_of_other_code_is_not_run(tmp_path: Path, archive: str) -> None:
    compiled = _compile(tmp_path, archive).model_copy(update={"code": "0"})
    with pytest.raises(UserError, match="compile it again"):
        commands.run(compiled, "ImageExampleGen", "one", {})
