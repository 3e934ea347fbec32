"""Is the clients' memory flat?

`python -m benchmarks.clients_soak webcam` or `web` runs one of them for ten minutes on a face, the
webcam client on a video and the page in headless Chromium with a fake camera, and prints its memory
each minute: the resident set of its processes and, of the page, the JavaScript heap.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import psutil
from skimage import data

_MEBIBYTE = 2**20
_SETTLED = 60.0


def main(arguments: Sequence[str]) -> int:
    """Runs the soak; prints a line each minute, and how memory changed after the first minute."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.clients_soak")
    parser.add_argument("client", choices=("webcam", "web"))
    parser.add_argument("--seconds", type=float, default=630.0)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        soak = _webcam if options.client == "webcam" else _web
        samples = soak(Path(folder), options.seconds)
    settled = [mib for seconds, mib in samples if seconds >= _SETTLED]
    quarter = max(len(settled) // 4, 1)
    first, last = np.median(settled[:quarter]), np.median(settled[-quarter:])
    print(
        f"first quarter {first:.1f} MiB, last quarter {last:.1f} MiB, most {max(settled):.1f} MiB"
    )
    return 0


def _webcam(folder: Path, seconds: float) -> list[tuple[float, float]]:
    video = folder / "face.mp4"
    writer = cv2.VideoWriter(str(video), cv2.VideoWriter.fourcc(*"mp4v"), 30, (640, 480))
    for step in range(600):
        writer.write(_frame(step))
    writer.release()
    times = int(seconds / 20) + 2
    with subprocess.Popen(
        [
            *(sys.executable, "-m", "clients.webcam", *["--source", str(video)] * times),
            *("--seconds", str(seconds), "--jsonl", str(folder / "faces.jsonl")),
        ]
    ) as process:
        client = psutil.Process(process.pid)
        return _sample(seconds - 5, lambda: client.memory_info().rss / _MEBIBYTE)


def _web(folder: Path, seconds: float) -> list[tuple[float, float]]:
    from playwright.sync_api import sync_playwright  # noqa: PLC0415

    from clients.web.__main__ import SHIPPED  # noqa: PLC0415
    from clients.web.build import build  # noqa: PLC0415
    from clients.web.model_folder import ModelFolder  # noqa: PLC0415
    from clients.web.server import PageServer  # noqa: PLC0415

    camera = folder / "camera.y4m"
    planes = [cv2.cvtColor(_frame(step), cv2.COLOR_BGR2YUV_I420).tobytes() for step in range(60)]
    header = b"YUV4MPEG2 W640 H480 F30:1 Ip A1:1 C420\n"
    camera.write_bytes(header + b"".join(b"FRAME\n" + plane for plane in planes))
    flags = [
        "--no-sandbox",
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-video-capture={camera}",
        "--enable-precise-memory-info",
    ]
    models = ModelFolder(Path("workspace/edge/expression"), SHIPPED)
    with PageServer(models, endpoint="", dist=build()) as server, sync_playwright() as playwright:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=flags)
        page = browser.new_page()
        page.goto(server.url)
        page.click("#camera", timeout=120_000)
        page.wait_for_selector(".face[data-label]", timeout=120_000)
        devtools = page.context.new_cdp_session(page)

        def heap() -> float:
            # What is not yet collected is no growth.
            devtools.send("HeapProfiler.collectGarbage")
            return devtools.send("Runtime.getHeapUsage")["usedSize"] / _MEBIBYTE

        def told() -> str:
            chromium = sum(_resident(one) for one in psutil.Process().children(recursive=True))
            return f"Chromium {chromium / _MEBIBYTE:.0f} MiB  {page.inner_text('#rate')}"

        samples = _sample(seconds, heap, told)
        browser.close()
        server.shutdown()
        return samples


def _resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:
        return 0


def _frame(step: int) -> np.ndarray:
    """A portrait that moves to and fro, so that nothing is the same twice running."""
    frame = np.full((480, 640, 3), 96, np.uint8)
    left = 60 + abs(30 - step % 60)
    frame[:, left : left + 480] = cv2.resize(
        cv2.cvtColor(data.astronaut(), cv2.COLOR_RGB2BGR), (480, 480)
    )
    return frame


def _sample(
    seconds: float, memory: Callable[[], float], more: Callable[[], str] = str
) -> list[tuple[float, float]]:
    began, samples = time.monotonic(), []
    while (passed := time.monotonic() - began) < seconds:
        samples.append((passed, memory()))
        if len(samples) % 6 == 1:
            print(f"{passed:5.0f} s  {samples[-1][1]:6.1f} MiB  {more()}", flush=True)
        time.sleep(10)
    return samples


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
