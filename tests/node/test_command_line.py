"""The node program's command line: what it refuses, quickly and in one sentence."""

from pathlib import Path

import pytest

from pipeline.node.compiled import Node
from tests.command_lines import HEAVY, call
from tests.node.compiled_file import DATA, integer, write_compiled

_PROGRAM = "pipeline.node.__main__"


def _told(*arguments: str) -> str:
    """The one line on standard error of a call that was refused before TensorFlow was needed."""
    result, imported = call(_PROGRAM, *arguments)
    assert result.returncode == 1, result.stderr
    assert len(result.stderr.splitlines()) == 1, result.stderr
    assert not imported & HEAVY
    return result.stderr


@pytest.fixture
def compiled(tmp_path: Path) -> list[str]:
    """Options that name a compiled pipeline with two nodes and data of its own."""
    write_compiled(
        tmp_path,
        name="expression",
        parameters=[DATA, integer("data_span", "data.span")],
        values={"data": "/data", "data_span": -1},
        nodes=[
            Node(id="ImageExampleGen", type="x.ImageExampleGen", upstream=[], gate=False),
            Node(id="Trainer", type="x.Trainer", upstream=["ImageExampleGen"], gate=False),
        ],
    )
    return ["--workspace", str(tmp_path), "--run-id", "one"]


def test_help_names_the_commands_and_exit_codes() -> None:
    result, imported = call(_PROGRAM, "--help")
    assert result.returncode == 0
    assert not imported & HEAVY
    for told in ("compile", "run", "report", "exit codes"):
        assert told in result.stdout


def test_a_pipeline_that_was_not_compiled_is_one_sentence(tmp_path: Path) -> None:
    told = _told("run", "--workspace", str(tmp_path), "--node", "Trainer", "--run-id", "one")
    assert str(tmp_path / "pipeline.json") in told
    assert "pipeline.node compile" in told


def test_a_file_that_is_no_compiled_pipeline_is_one_sentence(tmp_path: Path) -> None:
    file = tmp_path / "other.json"
    file.write_text("{}")
    assert "not a compiled pipeline" in _told("report", "--ir", str(file), "--run-id", "one")


def test_a_node_that_is_not_there_is_told_with_those_that_are(compiled: list[str]) -> None:
    told = _told("run", "--node", "Tuner", *compiled)
    assert "no node 'Tuner'" in told
    assert "ImageExampleGen, Trainer" in told


def test_a_setting_that_is_compiled_in_is_not_changed_for_a_run(compiled: list[str]) -> None:
    told = _told("run", "--node", "Trainer", *compiled, "--set", "train.dropout=0.1")
    assert "train.dropout is compiled into the pipeline" in told
    assert "data.span, train.epochs" in told


@pytest.mark.parametrize(
    ("assignment", "told"),
    [
        ("train.epochs=0", "train.epochs can't be 0"),
        ("train.epoch=3", "did you mean train.epochs?"),
        ("data.span=newest", "data.span can't be 'newest'"),
    ],
)
def test_a_parameter_that_does_not_fit_is_one_sentence(
    compiled: list[str], assignment: str, told: str
) -> None:
    assert told in _told("run", "--node", "Trainer", *compiled, "--set", assignment)


def test_data_of_nobodys_home_folder_are_one_sentence(compiled: list[str]) -> None:
    told = _told("run", "--node", "Trainer", *compiled, "--data", "~no-such-user/archive.zip")
    assert "~no-such-user, which is nobody's home folder" in told


def test_a_parameter_that_the_pipeline_does_not_offer_is_one_sentence(compiled: list[str]) -> None:
    told = _told("run", "--node", "Trainer", *compiled, "--set", "train.epochs=3")
    assert "can't set train_epochs" in told
