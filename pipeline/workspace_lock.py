"""The lock of a workspace, which keeps two processes off the same metadata and versions."""

import contextlib
import fcntl
from collections.abc import Iterator

from pipeline.errors import UserError
from pipeline.workspace import Workspace


@contextlib.contextmanager
def locked(workspace: Workspace, *, wait: bool = False, shared: bool = False) -> Iterator[None]:
    """Holds a workspace, which is made if it is not there.

    The lock ends with the process, however it ends.

    Args:
      workspace: The workspace.
      wait: Wait for who holds it, rather than refuse.
      shared: Others that ask for it shared may hold it too.

    Raises:
      UserError: It is in use, or can't be written to.
    """
    try:
        workspace.root.mkdir(parents=True, exist_ok=True)
        file = (workspace.root / ".lock").open("w")
    except OSError as error:
        raise UserError(
            f"The workspace {workspace.root} can't be written to: {error.strerror}."
        ) from None
    with file:
        how = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
        try:
            fcntl.flock(file, how | fcntl.LOCK_NB)
        except BlockingIOError:
            if not wait:
                raise UserError(
                    f"Another run uses the workspace {workspace.root}; wait for it, or name "
                    "another with --workspace."
                ) from None
            print(f"Waiting for who uses the workspace {workspace.root} ...", flush=True)
            fcntl.flock(file, how)
        yield
