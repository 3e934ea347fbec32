"""Runs a program of this folder in a process of its own: wall time, phases, peak memory."""

import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from pipeline import cores
from pipeline.config import REPOSITORY
from pipeline.errors import PipelineError

_LOG_TAIL = 20


@dataclass(frozen=True)
class Measured:
    """A process that has ended well.

    Attributes:
      seconds: Wall time, from before the process was started until it was gone.
      peak_bytes: Largest resident set of the process.
      phases: Seconds of each phase in order; with `Exit`, the last one, they add up to `seconds`.
      facts: What else the program reported.
    """

    seconds: float
    peak_bytes: int
    phases: dict[str, float]
    facts: dict[str, Any]


class Marks:
    """Ends of phases, for a program to report to `run_program`."""

    def __init__(self) -> None:
        self._ends: list[tuple[str, float]] = []

    def end(self, phase: str) -> None:
        """The phase that began where the last one ended, or at the start, ends now."""
        self._ends.append((phase, time.time()))

    def write(self, path: Path, **facts: Any) -> None:
        """Writes the ends and anything else that JSON can hold."""
        path.write_text(json.dumps({"ends": self._ends, "facts": facts}), encoding="utf-8")


def run_program(module: str, arguments: Iterable[str], folder: Path) -> Measured:
    """Runs `python -m module ... --output FILE`, which writes its `Marks` to the file.

    Args:
      module: A module of this folder.
      arguments: Its arguments, without `--output`.
      folder: Empty folder for its output and log.

    Raises:
      PipelineError: The program failed; the end of its log is in the message.
    """
    folder.mkdir(parents=True)
    output, log = folder / "marks.json", folder / "log.txt"
    command = [sys.executable, "-m", module, *arguments, f"--output={output}"]
    with log.open("wb") as file:
        started = time.time()
        process = subprocess.Popen(command, cwd=REPOSITORY, stdout=file, stderr=file)
        try:
            # Unlike resource.getrusage of all children, this is the usage of this one alone.
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        finally:
            if process.returncode is None:
                process.kill()
        ended = time.time()
    if process.returncode != 0:
        tail = log.read_text(encoding="utf-8", errors="replace").splitlines()[-_LOG_TAIL:]
        raise PipelineError(
            "\n".join([f"{module} ended with exit code {process.returncode}:", *tail])
        )
    reported = json.loads(output.read_text(encoding="utf-8"))
    unit = 1 if platform.system() == "Darwin" else 1024
    return Measured(
        seconds=ended - started,
        peak_bytes=usage.ru_maxrss * unit,
        phases=_durations(started, [*reported["ends"], ("Exit", ended)]),
        facts=reported["facts"],
    )


def _durations(start: float, ends: Iterable[tuple[str, float]]) -> dict[str, float]:
    durations: dict[str, float] = {}
    for phase, end in ends:
        durations[phase] = end - start
        start = end
    return durations


def seconds_per_step(epochs: list[list[float]]) -> float | None:
    """Mean time of a training step after an epoch's first, which compiles and fills buffers.

    Args:
      epochs: Times of the ends of the steps of each epoch, in seconds.

    Returns:
      Seconds, or none if no epoch has two steps.
    """
    spans = [(epoch[-1] - epoch[0], len(epoch) - 1) for epoch in epochs if len(epoch) > 1]
    steps = sum(count for _, count in spans)
    return sum(span for span, _ in spans) / steps if steps else None


def machine() -> dict[str, str | int | float]:
    """What a reader needs to know of the machine, and nothing that names it."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "cores": cores.available(),
        "memory_gib": round(memory / 2**30, 1),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "tensorflow": metadata.version("tensorflow"),
        "tfx": metadata.version("tfx"),
    }
