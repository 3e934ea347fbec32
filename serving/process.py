"""Runs the server as a child process, for the serving check, the benchmark and the tests."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

import psutil

from pipeline.errors import UserError
from serving import child

_POLL_SECONDS = 0.02
_PROJECT = Path(__file__).resolve().parent.parent


class ServerProcess:
    """A server on free loopback ports; as a context manager it is stopped at the end.

    Attributes:
      grpc_port: port of the gRPC API.
      rest_port: port of the REST API.
    """

    def __init__(self, flags: Sequence[str], startup_seconds: float = 120.0) -> None:
        """Starts the server, which ends with this process, and waits until it answers.

        Args:
          flags: flags of `python -m serving`, without ports.
          startup_seconds: time it has to load its models.

        Raises:
          UserError: it ended or took too long; the message has its last words.
        """
        self._folder = tempfile.TemporaryDirectory(prefix="serving-")
        folder = Path(self._folder.name)
        ports_file, self._log_path = folder / "ports.json", folder / "log"
        command = [sys.executable, "-m", child.__name__, "--port=0", "--rest_api_port=0"]
        command += [f"--ports_file={ports_file}", *flags]
        with self._log_path.open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603 - own interpreter, own module
                command,
                stdin=subprocess.PIPE,  # Closed with this process, which ends the child.
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=_PROJECT,
                env={**os.environ, "CUDA_VISIBLE_DEVICES": ""},
            )
        deadline = time.monotonic() + startup_seconds
        while not ports_file.exists():
            if self._process.poll() is not None or time.monotonic() > deadline:
                reason = "ended" if self._process.poll() is not None else "was not ready"
                log_tail = self.log()[-500:].strip()
                self.kill()
                raise UserError(f"The server {reason} within {startup_seconds:g} s: {log_tail}")
            time.sleep(_POLL_SECONDS)
        ports = json.loads(ports_file.read_text())
        self.grpc_port, self.rest_port = int(ports["grpc"]), int(ports["rest"])

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    def log(self) -> str:
        """Everything it has written to standard output and error."""
        return self._log_path.read_text(errors="replace")

    def is_running(self) -> bool:
        """Whether the process is still there."""
        return self._process.poll() is None

    def resident_bytes(self) -> int:
        """Memory it holds now; 0 once it has ended."""
        try:
            return int(psutil.Process(self.pid).memory_info().rss) if self.is_running() else 0
        except psutil.NoSuchProcess:
            return 0

    def stop(self, seconds: float = 30.0) -> int:
        """Asks it to end.

        Returns:
          Its exit code, negative for a signal.
        """
        if self.is_running():
            self._process.terminate()
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()

    def kill(self) -> None:
        """Ends it at once and removes its files."""
        if self.is_running():
            self._process.kill()
            self._process.wait()
        assert self._process.stdin is not None  # noqa: S101 - it is a pipe.
        self._process.stdin.close()
        self._folder.cleanup()

    def __enter__(self) -> ServerProcess:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
        self.kill()
