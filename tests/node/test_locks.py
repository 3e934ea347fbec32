"""Who may use a workspace while a node runs."""

import fcntl
from pathlib import Path

import pytest

from pipeline.errors import UserError
from pipeline.workspace import Workspace
from pipeline.workspace_lock import locked, locked_for_node


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path)


def _free(workspace: Workspace, name: str, how: int) -> bool:
    with (workspace.root / name).open("w") as file:
        try:
            fcntl.flock(file, how | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


def test_one_writer_keeps_all_others_out(workspace: Workspace) -> None:
    with locked_for_node(workspace, "Trainer", parallel=False):
        assert not _free(workspace, ".lock", fcntl.LOCK_SH)
    assert _free(workspace, ".lock", fcntl.LOCK_EX)


def test_with_a_server_other_nodes_run_but_the_same_one_waits(workspace: Workspace) -> None:
    with (
        locked_for_node(workspace, "Trainer", parallel=True),
        locked_for_node(workspace, "SchemaGen", parallel=True),
    ):
        assert _free(workspace, ".lock", fcntl.LOCK_SH)
        assert not _free(workspace, ".lock-Trainer", fcntl.LOCK_EX)
        assert _free(workspace, ".lock-Evaluator", fcntl.LOCK_EX)


@pytest.mark.parametrize("parallel", [False, True])
def test_a_whole_run_does_not_start_beside_a_node(workspace: Workspace, parallel: bool) -> None:
    with (
        locked_for_node(workspace, "Trainer", parallel=parallel),
        pytest.raises(UserError, match="Another run uses the workspace"),
        locked(workspace),
    ):
        pass
