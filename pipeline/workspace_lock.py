"""The locks of a workspace, which keep two processes off the same metadata, training and versions.

They end with the process that holds them, however it ends.
"""

import contextlib
import fcntl
from collections.abc import Iterator
from typing import TextIO

from pipeline.errors import UserError
from pipeline.workspace import Workspace


@contextlib.contextmanager
def locked(workspace: Workspace) -> Iterator[None]:
    """Holds a workspace for a whole run; it is made if it is not there.

    Raises:
      UserError: It is in use, or can't be written to.
    """
    with _open(workspace, ".lock") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(
                f"Another run uses the workspace {workspace.root}; wait for it, or name "
                "another with --workspace."
            ) from None
        yield


@contextlib.contextmanager
def locked_for_node(workspace: Workspace, node_id: str, *, parallel: bool) -> Iterator[None]:
    """Waits for a workspace, and holds it for one node.

    One node never runs twice at once, in one run or in two: a scheduler may take a node for dead
    that lives, and trainings on the same data share their checkpoints.

    Args:
      workspace: The workspace.
      node_id: The node.
      parallel: Other nodes may run at the same time.

    Raises:
      UserError: The workspace can't be written to.
    """
    with _open(workspace, ".lock") as whole, _open(workspace, f".lock-{node_id}") as node:
        _wait(whole, fcntl.LOCK_SH if parallel else fcntl.LOCK_EX, workspace)
        _wait(node, fcntl.LOCK_EX, workspace)
        yield


def _open(workspace: Workspace, name: str) -> TextIO:
    try:
        workspace.root.mkdir(parents=True, exist_ok=True)
        return (workspace.root / name).open("w")
    except OSError as error:
        raise UserError(
            f"The workspace {workspace.root} can't be written to: {error.strerror}."
        ) from None


def _wait(file: TextIO, how: int, workspace: Workspace) -> None:
    try:
        fcntl.flock(file, how | fcntl.LOCK_NB)
    except BlockingIOError:
        print(f"Waiting for who uses the workspace {workspace.root} ...", flush=True)
        fcntl.flock(file, how)
