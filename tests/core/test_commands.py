"""A call of the local runner: what it tells when its end, or its data, go wrong."""

from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path

import tfx.v1  # noqa: F401 - other TFX packages lean on it.
import pytest
from rich.console import Console

from pipeline import commands, conclusion, config, runner
from pipeline.errors import ComponentError
from pipeline.lineage import RunKey
from pipeline.workspace import Workspace
from tests.ingest import drawn


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


def test_an_end_that_can_not_be_told_is_one_sentence_with_the_log(
    call: commands.Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(runner, "run", lambda *arguments: RunKey("expression", "one"))
    monkeypatch.setattr(conclusion, "tell", full)
    with pytest.raises(ComponentError, match=f"No space left on device.*The log {tmp_path}/log"):
        call.execute()
