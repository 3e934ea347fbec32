"""The real window, on a screen of its own, driven by real keys."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageGrab

from tests.clients.webcam.fakes import FakeServer
from tests.clients.webcam.scenes import read_video, with_face, write_video

PROJECT = Path(__file__).parents[3]

pytestmark = pytest.mark.skipif(
    not (shutil.which("Xvfb") and shutil.which("xdotool")),
    reason="needs Xvfb and xdotool",
)


def until(condition: Callable[[], object], what: str) -> None:
    end = time.monotonic() + 40
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.05)


@pytest.fixture(scope="module")
def display(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An X server that chose its number itself."""
    read, write = os.pipe()
    process = subprocess.Popen(
        # It would otherwise start over, and refuse connections meanwhile, after each program.
        ["Xvfb", "-displayfd", str(write), "-screen", "0", "1024x768x24", "-noreset"],
        pass_fds=[write],
        stderr=subprocess.DEVNULL,
    )
    os.close(write)
    with os.fdopen(read) as pipe:
        number = pipe.readline().strip()
    yield f":{number}"
    process.terminate()
    process.wait()


class Desktop:
    """The program in a window, and somebody before it."""

    def __init__(self, display: str, folder: Path, *arguments: str) -> None:
        self.display, self.folder = display, folder
        self._environment = {**os.environ, "DISPLAY": display}
        self._environment.pop("WAYLAND_DISPLAY", None)
        self.process = self._start(arguments)
        try:
            until(self._is_up, "the window stays black")
        except BaseException:
            self.kill()
            raise

    def _start(self, arguments: tuple[str, ...]) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "clients.webcam", "--output", str(self.folder), *arguments],
            cwd=PROJECT,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()

    def _is_up(self) -> bool:
        assert self.process.poll() is None, self.process.communicate()[1]
        return bool(self._window()) and bool(self.picture().any())

    def _window(self) -> str:
        return self._xdotool("search", "--name", "Expressions").strip()

    def _xdotool(self, *arguments: str) -> str:
        return subprocess.run(
            ["xdotool", *arguments],
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        ).stdout

    def press(self, key: str) -> None:
        self._xdotool("windowfocus", "--sync", self._window().split()[0], "key", key)

    def screenshot(self) -> Image.Image:
        return ImageGrab.grab(xdisplay=self.display)

    def picture(self) -> np.ndarray:
        return np.asarray(self.screenshot().convert("RGB"))

    def end(self) -> tuple[int, str, str]:
        out, err = self.process.communicate(timeout=40)
        return self.process.returncode, out, err


@pytest.fixture
def server() -> Iterator[FakeServer]:
    fake = FakeServer()
    yield fake
    fake.hold.set()
    fake.stop()


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four minutes of a face that moves, for a busy machine takes its time over the keys."""
    frames = [with_face(left=150 + abs(100 - step)) for step in range(0, 200, 4)]
    return write_video(tmp_path_factory.mktemp("video") / "face.mp4", frames * 40, rate=8.0)


@pytest.fixture
def desktop(display: str, server: FakeServer, video: Path, tmp_path: Path) -> Iterator[Desktop]:
    folder = tmp_path / "written"
    folder.mkdir()
    program = Desktop(
        display, folder, "--source", str(video), "--server", f"grpc://{server.address}"
    )
    yield program
    program.kill()


def test_a_window_is_painted_each_time_it_is_opened(display: str) -> None:
    program = (
        "import numpy as np; from clients.webcam.window import Window; window = Window()\n"
        "while True: window.show(np.full((480, 640, 3), 128, np.uint8)); window.key()"
    )
    for _ in range(10):
        with subprocess.Popen(
            [sys.executable, "-c", program], cwd=PROJECT, env={**os.environ, "DISPLAY": display}
        ) as process:
            try:
                until(lambda: np.asarray(ImageGrab.grab(xdisplay=display)).any(), "it stays black")
            finally:
                process.kill()


@pytest.mark.parametrize("platform", ["wayland", "offscreen"])
def test_a_window_opens_though_the_session_asks_qt_for_another_platform(
    display: str, platform: str
) -> None:
    program = (
        "import numpy as np; from clients.webcam.window import Window; window = Window()\n"
        "window.show(np.full((480, 640, 3), 128, np.uint8)); window.close()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=PROJECT,
        env={**os.environ, "DISPLAY": display, "QT_QPA_PLATFORM": platform},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr


def test_keys_do_what_the_help_says(desktop: Desktop, server: FakeServer) -> None:
    until(lambda: server.batches, "no face was asked about")
    plain = desktop.picture()
    desktop.press("h")
    until(lambda: darker_at_the_bottom(desktop.picture(), plain), "no help")
    desktop.press("p")
    until(lambda: stands_still(desktop), "it does not pause")
    desktop.press("p")
    until(lambda: not stands_still(desktop), "it does not go on")
    # One at a time: OpenCV keeps only the last of the keys that come at once.
    desktop.press("r")
    until(lambda: any(desktop.folder.iterdir()), "it does not record")
    time.sleep(1)
    desktop.press("r")
    until(lambda: written(desktop, "*.mp4"), "it does not end the recording")
    desktop.press("s")
    until(lambda: written(desktop, "*.png"), "it takes no snapshot")
    desktop.press("q")
    code, out, err = desktop.end()
    assert (code, "Traceback" in err) == (0, False)
    assert "angry" in out
    assert read_video(written(desktop, "*.mp4")[0])[0] > 0
    with Image.open(written(desktop, "*.png")[0]) as snapshot:
        assert snapshot.size == (640, 480)


def test_the_picture_runs_on_while_the_server_is_gone(desktop: Desktop, server: FakeServer) -> None:
    until(lambda: server.batches, "no face was asked about")
    server.stop()
    before = desktop.picture()
    until(lambda: warns(desktop.picture()) and not warns(before), "it does not say so")
    assert not stands_still(desktop)
    server.start()
    until(lambda: not warns(desktop.picture()), "it does not find the server again")
    desktop.press("q")
    assert desktop.end()[0] == 0


def test_a_slow_server_does_not_hold_the_picture(desktop: Desktop, server: FakeServer) -> None:
    until(lambda: server.batches, "no face was asked about")
    server.hold.clear()
    asked = len(server.batches)
    assert not stands_still(desktop)
    assert len(server.batches) == asked
    server.hold.set()
    until(lambda: len(server.batches) > asked + 2, "it does not go on")
    desktop.press("Escape")
    assert desktop.end()[0] == 0


def written(desktop: Desktop, pattern: str) -> list[Path]:
    """Whole files alone; a name that begins with a dot is of one in the making."""
    return [path for path in desktop.folder.glob(pattern) if not path.name.startswith(".")]


def stands_still(desktop: Desktop) -> bool:
    before = desktop.picture()
    time.sleep(0.3)
    return bool((desktop.picture() == before).all())


def darker_at_the_bottom(picture: np.ndarray, plain: np.ndarray) -> bool:
    corner = np.s_[330:470, 8:80]
    return float(picture[corner].mean()) < 0.6 * float(plain[corner].mean())


def warns(picture: np.ndarray) -> bool:
    """Whether there is text in the colour of warnings, orange."""
    red, green, blue = (picture[:150, :640, channel].astype(int) for channel in range(3))
    return int(((red > 230) & (abs(green - 190) < 25) & (abs(blue - 80) < 30)).sum()) > 50
