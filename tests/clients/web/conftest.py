"""A pushed model, the built page served with it, and pictures of a face."""

import shutil
import threading
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.data
from playwright.sync_api import Browser, Page, Playwright, expect, sync_playwright

from clients.web.build import build
from clients.web.model_folder import ModelFolder
from clients.web.server import PageServer
from serving.process import ServerProcess

_NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next(filter(None, map(shutil.which, _NAMES)), "")
FLAGS = [
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
]


@pytest.fixture(scope="session")
def dist() -> Path:
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed, so the page cannot be built")
    return build()


@pytest.fixture(scope="session")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with one served and one edge model of the same weights."""
    # Imports TensorFlow, which takes seconds that a machine without a browser need not wait.
    return import_module("tests.clients.web.pushed").push(tmp_path_factory.mktemp("workspace"))


@pytest.fixture(scope="session")
def model(workspace: Path) -> Path:
    return workspace / "edge" / "expression" / "1"


@pytest.fixture(scope="session")
def served_model(workspace: Path) -> Iterator[ServerProcess]:
    flags = [
        "--model_name=expression",
        f"--model_base_path={workspace / 'serving' / 'expression'}",
        "--rest_api_enable_cors_support",
    ]
    with ServerProcess(flags) as process:
        yield process


@pytest.fixture(scope="session")
def site(dist: Path, workspace: Path) -> Iterator[PageServer]:
    """The page with the pushed model alone."""
    with serve(dist, workspace, endpoint="") as server:
        yield server
        server.shutdown()


@pytest.fixture(scope="session")
def site_with_server(
    dist: Path, workspace: Path, served_model: ServerProcess
) -> Iterator[PageServer]:
    """The page that may ask a server."""
    endpoint = f"http://127.0.0.1:{served_model.rest_port}"
    with serve(dist, workspace, endpoint) as server:
        yield server
        server.shutdown()


def serve(dist: Path, workspace: Path, endpoint: str) -> PageServer:
    models = ModelFolder(workspace / "edge" / "expression")
    server = PageServer(models, endpoint=endpoint, dist=dist)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


@pytest.fixture(scope="session")
def photograph(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eileen Collins, photographed by NASA, public domain; from scikit-image."""
    path = tmp_path_factory.mktemp("pictures") / "astronaut.png"
    cv2.imwrite(str(path), cv2.cvtColor(skimage.data.astronaut(), cv2.COLOR_RGB2BGR))
    return path


@pytest.fixture(scope="session")
def camera_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A second of the photograph as raw video (YUV4MPEG2), for Chromium's fake camera."""
    frame = np.full((480, 640, 3), 96, np.uint8)
    frame[:, 80:560] = cv2.resize(skimage.data.astronaut(), (480, 480))
    planes = cv2.cvtColor(frame, cv2.COLOR_RGB2YUV_I420).tobytes()
    path = tmp_path_factory.mktemp("camera") / "camera.y4m"
    path.write_bytes(b"YUV4MPEG2 W640 H480 F10:1 Ip A1:1 C420\n" + (b"FRAME\n" + planes) * 10)
    return path


# Playwright keeps an event loop running in this thread, in which tests elsewhere start their own.
@pytest.fixture(scope="package")
def playwright() -> Iterator[Playwright]:
    if not CHROMIUM:
        pytest.skip("Chromium is not installed")
    # As long as a page may take on a busy machine, where the default is 5 s.
    expect.set_options(timeout=30_000)
    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="package")
def browser(playwright: Playwright, camera_file: Path) -> Iterator[Browser]:
    """Chromium with a fake camera that shows the photograph."""
    flags = [*FLAGS, f"--use-file-for-fake-video-capture={camera_file}"]
    with playwright.chromium.launch(executable_path=CHROMIUM, args=flags) as chromium:
        yield chromium


@pytest.fixture
def page(browser: Browser, site: PageServer) -> Iterator[Page]:
    """The page, ready for use."""
    with browser.new_page(locale="en-GB") as page:
        open_page(page, site.url)
        yield page


def open_page(page: Page, url: str) -> None:
    page.set_default_timeout(60_000)
    page.goto(url)
    page.wait_for_selector("#camera:enabled")
