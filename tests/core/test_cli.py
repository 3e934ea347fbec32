"""The command line, as a person or a scheduler sees it: output, one sentence, exit code."""

import fcntl
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline import config, next_command
from pipeline.cli import main
from pipeline.config import REPOSITORY
from pipeline.version_folder import VersionFolder
from pipeline.workspace import Workspace
from tests.command_lines import HEAVY, call


def _run(*arguments: str, cwd: Path = REPOSITORY) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(REPOSITORY / "local_runner.py"), *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def _told(result: subprocess.CompletedProcess[str], exit_code: int = 1) -> str:
    """The one line on standard error of a run that was refused."""
    assert result.returncode == exit_code, result.stderr
    assert result.stdout == ""
    assert len(result.stderr.splitlines()) == 1, result.stderr
    return result.stderr.strip()


@pytest.mark.parametrize("arguments", [["--help"], ["--settings"], ["--set", "train.epochs=0"]])
def test_answers_that_need_no_tensorflow_do_not_import_it(arguments: list[str]) -> None:
    _, imported = call("pipeline.cli", *arguments)
    assert not imported & HEAVY


def test_help_names_every_option_and_exit_code() -> None:
    result = _run("--help")
    assert result.returncode == 0
    for told in ("--data", "--workspace", "--config", "--set", "--dry-run", "--infer-schema"):
        assert told in result.stdout
    assert "rollback" in result.stdout
    assert "exit codes" in result.stdout
    assert all(name in result.stdout for name in config.profiles())


def test_settings_are_all_listed_with_value_and_meaning() -> None:
    result = _run("--settings", "--set", "train.epochs=17")
    assert result.returncode == 0
    lines = result.stdout.splitlines()
    listed = {line.split()[0]: line for line in lines if line.strip()}
    assert set(config.names()) <= set(listed)
    assert listed["train.epochs"].split()[1] == "17"
    assert all(
        str(field.description).split()[0] in result.stdout for field in config.names().values()
    )


@pytest.mark.parametrize(
    ("assignment", "told"),
    [
        ("train.epochs=0", "train.epochs"),
        ("train.epoch=3", "did you mean train.epochs?"),
        ("train.epochs", "section.key=value"),
    ],
)
def test_a_bad_setting_is_one_sentence(tmp_path: Path, assignment: str, told: str) -> None:
    workspace = tmp_path / "workspace"
    assert told in _told(_run("--workspace", str(workspace), "--set", assignment))
    assert not workspace.exists()


def test_a_bad_settings_file_is_one_sentence(tmp_path: Path) -> None:
    assert "none.toml" in _told(_run("--config", str(tmp_path / "none.toml")))


def test_an_unknown_profile_is_one_sentence() -> None:
    assert "no profile 'best'" in _told(_run("--profile", "best"))


@pytest.mark.parametrize("arguments", [["--dta", "x.zip"], ["walk"], ["--data"]])
def test_a_misspelt_command_line_is_not_taken_for_bad_data(arguments: list[str]) -> None:
    result = _run(*arguments)
    assert result.returncode == 1
    assert "Traceback" not in result.stderr


def test_data_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    missing = tmp_path / "missing.zip"
    told = _told(_run("--workspace", str(tmp_path / "w"), "--data", str(missing)))
    assert str(missing) in told
    assert "does not exist" in told


def test_data_of_another_kind_is_one_sentence(tmp_path: Path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("not images")
    assert str(text) in _told(_run("--workspace", str(tmp_path / "w"), "--data", str(text)))


def test_unlabelled_data_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    missing = tmp_path / "missing"
    workspace = str(tmp_path / "w")
    assert str(missing) in _told(_run("--workspace", workspace, "--set", f"infer.data={missing}"))


def test_a_workspace_that_can_not_be_written_is_one_sentence(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    workspace = file / "workspace"
    told = _told(_run("--workspace", str(workspace)))
    assert str(workspace) in told
    assert "can't be written to" in told


def test_a_workspace_in_use_is_left_alone(tmp_path: Path) -> None:
    with (tmp_path / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        told = _told(_run("run", "--workspace", str(tmp_path)))
    assert str(tmp_path) in told
    assert "Another run" in told
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]


def test_a_rollback_does_not_wait_for_a_run(tmp_path: Path) -> None:
    with (tmp_path / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        told = _told(_run("rollback", "--workspace", str(tmp_path)))
    assert "nothing was published" in told


@pytest.mark.parametrize("command", ["rollback", "restore"])
@pytest.mark.parametrize("option", ["--dry-run", "--infer-schema", "--write-schema"])
def test_an_option_of_runs_takes_no_version_back(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str, option: str
) -> None:
    for version in "12":
        (tmp_path / "serving" / "expression" / version).mkdir(parents=True)
    assert main([command, option, "--workspace", str(tmp_path)]) == 1
    assert f"{option} is for runs" in capsys.readouterr().err
    assert VersionFolder(tmp_path / "serving" / "expression").visible() == [1, 2]


def test_rollback_with_nothing_pushed_is_one_sentence(tmp_path: Path) -> None:
    _told(_run("rollback", "--workspace", str(tmp_path)))


@pytest.mark.parametrize(
    ("folder", "assignments", "options"),
    [
        ("workspace", (), ""),
        ("workspace", ("data.name=shapes",), " MODEL=shapes"),
        ("my faces", ("data.name=shapes",), " 'WORKSPACE={here}/my faces' MODEL=shapes"),
    ],
)
def test_the_next_command_finds_the_model_wherever_it_is(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    folder: str,
    assignments: tuple[str, ...],
    options: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = config.load(assignments=assignments)
    told = next_command.options_for(settings, Workspace(tmp_path / folder), "WORKSPACE=", "MODEL=")
    assert told == options.format(here=tmp_path)
