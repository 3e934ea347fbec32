"""A server that another process runs ends with it, even if that is killed."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import psutil

from pipeline.config import REPOSITORY
from tests.serving.conftest import MODEL

_PARENT = """
import sys, time
from serving.process import ServerProcess
print(ServerProcess(sys.argv[1:]).pid, flush=True)
time.sleep(600)
"""


def _has_ended(process: psutil.Process) -> bool:
    try:
        process.wait(0.1)
    except psutil.TimeoutExpired:
        # An adopted process that nobody waits for stays in the table.
        return process.status() == psutil.STATUS_ZOMBIE
    return True


def test_a_server_does_not_outlive_a_parent_that_is_killed(model_root: Path) -> None:
    flags = [f"--model_name={MODEL}", f"--model_base_path={model_root}"]
    with subprocess.Popen(
        [sys.executable, "-c", _PARENT, *flags], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        server = psutil.Process(int(parent.stdout.readline()))
        assert not _has_ended(server)
        parent.send_signal(signal.SIGKILL)
    while not _has_ended(server):
        pass
