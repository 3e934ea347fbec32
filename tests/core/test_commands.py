"""A call of the local runner: what it tells when its end, or its data, go wrong."""

from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path

import tfx.v1  # noqa: F401 - other TFX packages lean on it.
import pytest
from ml_metadata.proto.metadata_store_pb2 import ConnectionConfig
from rich.console import Console
from tfx.proto.orchestration.pipeline_pb2 import Pipeline

from pipeline import commands, conclusion, config, runner
from pipeline.errors import ComponentError, DataAnomalyError
from pipeline.lineage import RunKey
from pipeline.workspace import Workspace
from tests.ingest import drawn
from tests.node import two_nodes


@pytest.fixture(autouse=True)
def silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaves this process's streams and loggers as they are."""

    @contextmanager
    def quiet(log_file: Path) -> Iterator[Console]:
        yield Console(file=StringIO())

    monkeypatch.setattr(commands, "quiet", quiet)


@pytest.fixture
def call(tmp_path: Path) -> commands.Run:
    data = drawn.write_zip(tmp_path / "archive.zip", drawn.labelled())
    log = tmp_path / "log"
    return commands.Run(config.load(), Workspace(tmp_path / "workspace"), str(data), log)


def test_anomalies_are_told_with_the_account_of_their_own_run_not_of_the_newest(
    call: commands.Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    began: list[RunKey] = []
    told: list[RunKey] = []
    launch_really = runner.launch

    def launch(ir: Pipeline, node: str, connection: ConnectionConfig) -> bool:
        run_id = ir.runtime_spec.pipeline_run_id.field_value.string_value
        began.append(RunKey(ir.pipeline_info.id, run_id))
        # Another workspace's run begins in the same database meanwhile.
        another = two_nodes.bound(Workspace(tmp_path / "another"), "another", name="other")
        launch_really(another, "Source", connection)
        raise DataAnomalyError("train split: the class bored is new.")

    monkeypatch.setattr(runner, "launch", launch)
    monkeypatch.setattr(conclusion, "tell_ingest", lambda console, key, *_: told.append(key))
    with pytest.raises(DataAnomalyError):
        call.execute()
    assert told == began


def test_an_end_that_can_not_be_told_is_one_sentence_with_the_log(
    call: commands.Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(runner, "run", lambda *arguments: RunKey("expression", "one"))
    monkeypatch.setattr(conclusion, "tell", full)
    with pytest.raises(ComponentError, match=f"No space left on device.*The log {tmp_path}/log"):
        call.execute()
