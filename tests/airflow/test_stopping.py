"""Ctrl-C stops every part of Airflow: politely first, and then whatever has not stopped."""

import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from orchestration.airflow import standalone


@pytest.fixture(autouse=True)
def _signals_of_the_tests() -> Iterator[None]:
    """Stopping leaves the signals ignored, which is for a program that then ends."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def _start(program: str) -> subprocess.Popen[bytes]:
    """Starts the leader of a process group, and waits for it to say that it is ready."""
    imports = "import os, signal, sys\n"
    process = subprocess.Popen(
        [sys.executable, "-c", imports + textwrap.dedent(program)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    return process


def _left(process: subprocess.Popen[bytes]) -> bytes:
    """What the group has printed; comes to an end with the last process of it."""
    assert process.stdout is not None
    return process.stdout.read()


def test_a_part_has_time_to_stop_after_the_leader_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    process = _start("""
        def stop(signum, frame):
            sys.stdin.read(1)
            print("has stopped", flush=True)
            os._exit(0)

        if os.fork() == 0:
            signal.signal(signal.SIGTERM, stop)
            print("ready", flush=True)
        while True:
            signal.pause()
    """)
    assert process.stdin is not None
    stdin = process.stdin

    def sleep(seconds: float) -> None:
        # The part stops only now that somebody has looked for it without its leader.
        if process.returncode is not None and not stdin.closed:
            stdin.close()
        time.sleep(seconds)

    clock = SimpleNamespace(sleep=sleep, monotonic=time.monotonic)
    monkeypatch.setattr(standalone, "time", clock)
    standalone._stop(process)
    assert process.returncode == -signal.SIGTERM
    assert _left(process) == b"has stopped\n"


def test_a_part_that_does_not_stop_is_killed_in_spite_of_a_second_ctrl_c(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    process = _start("""
        def stop(signum, frame):
            os.kill(os.getppid(), signal.SIGINT)
            print("goes on", flush=True)

        signal.signal(signal.SIGTERM, stop)
        print("ready", flush=True)
        while True:
            signal.pause()
    """)
    now = 0.0

    def sleep(seconds: float) -> None:
        nonlocal now
        assert process.stdout is not None
        assert process.stdout.readline() == b"goes on\n"
        now += standalone.PATIENCE_S

    monkeypatch.setattr(standalone, "time", SimpleNamespace(sleep=sleep, monotonic=lambda: now))
    standalone._stop(process)
    assert process.returncode == -signal.SIGKILL
    assert _left(process) == b""


def test_a_group_that_has_ended_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    process = _start("print('ready', flush=True)")
    _left(process)
    monkeypatch.setattr(standalone, "PATIENCE_S", float("inf"))
    standalone._stop(process)
    assert process.returncode == 0
