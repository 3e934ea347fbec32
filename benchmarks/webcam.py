"""Measures the webcam client on one core, beside the PyPI package `fer`.

    python -m benchmarks.webcam [--workspace DIR] [--fer-python PYTHON] [--write]

Every row sees the same 640x480 video of a photographed face that moves, in a process of its own
that is held to one core; a server, where there is one, has the others. Frames a second: the video
headless, every frame decoded, searched, asked about and written to a JSONL file. Latency: the same
frames as a camera that gives 30 a second, from the moment a frame is there to the moment its label
is. `fer` runs its `detect_emotions` (Haar cascade, Keras) on each frame; its latency is the time of
one call.

`fer` is not in the lock, for it needs versions of its own: see docs/webcam.md.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from skimage import data

from benchmarks.tables import replace_section
from clients.webcam.backends import Backend
from clients.webcam.backends.choice import make_backend
from clients.webcam.geometry import Image
from clients.webcam.options import Options
from pipeline.config import REPOSITORY
from pipeline.version_folder import VersionFolder
from pipeline.workspace import Workspace

_FRAMES = 200
_LIVE_SECONDS = 6.0

_FER = """
import json, sys, time, cv2
cv2.setNumThreads(1)
from fer.fer import FER
detector, capture, seconds, found = FER(), cv2.VideoCapture(sys.argv[1]), [], 0
detector.detect_emotions(capture.read()[1])
began = time.perf_counter()
while True:
    done, frame = capture.read()
    if not done:
        break
    start = time.perf_counter()
    found += bool(detector.detect_emotions(frame))
    seconds.append(time.perf_counter() - start)
total = time.perf_counter() - began
print(json.dumps({"rate": len(seconds) / total, "latencies": seconds, "found": found}))
"""


def main() -> None:
    """Prints a Markdown table; with `--write`, also into docs/webcam.md."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--workspace", type=Path, default=Path("workspace"))
    parser.add_argument("--fer-python", type=Path, help="Python of an environment that has `fer`")
    parser.add_argument("--write", action="store_true", help="put the table into docs/webcam.md")
    parser.add_argument("--child", nargs=2, metavar=("VIDEO", "OPTIONS"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        _child(options.child[0], json.loads(options.child[1]))
        return
    with tempfile.TemporaryDirectory() as folder:
        video = _write_video(Path(folder) / "face.mp4")
        rows = _measure(options.workspace, video, options.fer_python)
    table = _table(rows)
    print(table)
    if options.write:
        replace_section(REPOSITORY / "docs/webcam.md", "measured", table)


def _measure(workspace: Path, video: Path, fer_python: Path | None) -> dict[str, Any]:
    from serving.process import ServerProcess  # noqa: PLC0415

    places = Workspace(workspace.absolute())
    edge = VersionFolder(places.edge("expression"))
    if not edge.newest():
        raise SystemExit(f"{workspace} has no pushed model; `make run` trains and pushes one.")
    newest = edge.path(edge.newest())
    rows: dict[str, Any] = {
        name: _run_child(video, {"tflite": str(newest / file)})
        for name, file in (
            ("TFLite int8", "model_int8.tflite"),
            ("TFLite float32", "model_float32.tflite"),
        )
    }
    rows["TFLite int8, Haar cascade"] = _run_child(
        video, {"tflite": str(newest / "model_int8.tflite"), "detector": "haar"}
    )
    flags = ["--model_name=expression", f"--model_base_path={places.serving('expression')}"]
    with ServerProcess(flags) as server:
        for name, url in (
            ("gRPC", f"grpc://127.0.0.1:{server.grpc_port}"),
            ("REST", f"rest+http://127.0.0.1:{server.rest_port}"),
        ):
            rows[name] = _run_child(video, {"server": url})
    if fer_python is not None:
        rows["`fer` 25.10"] = _run([str(fer_python), "-c", _FER, str(video)])
    return rows


def _run_child(video: Path, options: dict[str, str]) -> Any:
    command = [sys.executable, "-m", "benchmarks.webcam"]
    return _run([*command, "--child", str(video), json.dumps(options)])


def _run(command: list[str]) -> Any:
    """Runs a process on the first core and returns the JSON of its last line."""
    done = subprocess.run(
        command,
        cwd=REPOSITORY,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": "", "TF_CPP_MIN_LOG_LEVEL": "3"},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        check=True,
        preexec_fn=_hold_to_one_core,
    )
    return json.loads(done.stdout.splitlines()[-1])


def _hold_to_one_core() -> None:
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {0})


def _child(video: str, chosen: dict[str, str]) -> None:
    from clients.webcam.loop import Program  # noqa: PLC0415

    cv2.setNumThreads(1)
    given: dict[str, Any] = {**chosen}
    if "tflite" in given:
        given["tflite"] = Path(given["tflite"])
    with tempfile.TemporaryDirectory() as folder:
        options = Options(
            headless=True, sources=(video,), jsonl=Path(folder) / "faces.jsonl", **given
        )
        # The first answer loads what is loaded late.
        first = make_backend(options)
        first.predict([np.zeros((48, 48), np.uint8)])
        first.close()
        program = Program(options, make_backend(options))
        began = time.perf_counter()
        program.run()
        rate = program.summary.frames / (time.perf_counter() - began)
        found = sum(program.summary.answers.values())
    latencies = _live(options, make_backend(options))
    print(json.dumps({"rate": rate, "latencies": latencies, "found": found}))


def _live(options: Options, backend: Backend) -> list[float]:
    """Returns the latencies of answers while a camera gives 30 frames a second."""
    from dataclasses import replace  # noqa: PLC0415

    from clients.webcam import loop  # noqa: PLC0415
    from clients.webcam.capture import Reader  # noqa: PLC0415

    class LiveReader(Reader):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs, opener=_Camera)

    loop.Reader = LiveReader  # type: ignore[misc]
    program = loop.Program(replace(options, jsonl=None, seconds=_LIVE_SECONDS), backend)
    program.run()
    return list(program.status.latencies)


class _Camera:
    """The video's frames, from memory, 30 a second, over and over."""

    live = True
    interval = 1 / 30
    name = "camera"

    def __init__(self, spec: str) -> None:
        capture = cv2.VideoCapture(spec)
        self._frames: list[Image] = []
        for _ in range(100):
            _, frame = capture.read()
            if frame is not None:
                self._frames.append(frame)
        self._start, self._number = time.monotonic(), 0
        self._waiting = threading.Event()

    def read(self) -> Image | None:
        self._number += 1
        due = self._start + self._number * self.interval
        self._waiting.wait(max(due - time.monotonic(), 0))
        return self._frames[self._number % len(self._frames)]

    def close(self) -> None:
        pass


def _write_video(path: Path) -> Path:
    """The astronaut of scikit-image (NASA, public domain), moving before a cup of coffee."""
    portrait = cv2.cvtColor(data.astronaut(), cv2.COLOR_RGB2BGR)
    portrait = cv2.resize(portrait, (440, 440), interpolation=cv2.INTER_AREA)
    room = cv2.resize(cv2.cvtColor(data.coffee(), cv2.COLOR_RGB2BGR), (640, 480))
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 30, (640, 480))
    for number in range(_FRAMES):
        frame = room.copy()
        left, top = int(100 + 90 * np.sin(number / 25)), int(20 + 18 * np.cos(number / 15))
        frame[top : top + 440, left : left + 440] = portrait
        writer.write(frame)
    writer.release()
    return path


def _table(rows: dict[str, Any]) -> str:
    lines = [
        "| | frames/s | latency, median | 95th percentile | answers |",
        "|---|---|---|---|---|",
    ]
    for name, row in rows.items():
        latencies = sorted(1000 * one for one in row["latencies"])
        high = latencies[int(0.95 * len(latencies))]
        lines.append(
            f"| {name} | {row['rate']:.0f} | {statistics.median(latencies):.1f} ms "
            f"| {high:.1f} ms | {row['found']} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
