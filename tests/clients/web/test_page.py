"""The page in Chromium, end to end."""

import base64
import re
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.data
from playwright.sync_api import Browser, Page, Playwright, Route, expect

from clients.web.server import PageServer
from pipeline.drawn_sample import draw_face
from tests.clients.web.conftest import CHROMIUM, FLAGS, open_page
from tests.clients.web.pushed import ask
from tests.clients.web.shown import ShownFace, faces

FER2013 = Path(__file__).parents[4] / "shared/data/fer2013/archive.zip"

DROP = """([name, type, content]) => {
  const bytes = Uint8Array.from(atob(content), (c) => c.charCodeAt(0));
  const dataTransfer = new DataTransfer();
  dataTransfer.items.add(new File([bytes], name, { type }));
  document.getElementById("stage").dispatchEvent(
    new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true }));
}"""


def assert_answers_agree(face: ShownFace, model: Path, precision: str, tolerance: float) -> None:
    expected = ask(model, precision, face.crop)
    assert face.probabilities == pytest.approx(expected, abs=tolerance)
    assert face.label == max(face.probabilities, key=face.probabilities.__getitem__)


def test_the_crop_is_the_face_from_hairline_to_chin(page: Page, photograph: Path) -> None:
    page.set_input_files("#file", photograph)
    [face] = faces(page)
    grey = cv2.cvtColor(skimage.data.astronaut(), cv2.COLOR_RGB2GRAY)
    matches = []
    for side in range(90, 160, 2):
        scaled = cv2.resize(face.crop, (side, side), interpolation=cv2.INTER_CUBIC)
        _, likeness, _, (left, top) = cv2.minMaxLoc(
            cv2.matchTemplate(grey, scaled, cv2.TM_CCOEFF_NORMED)
        )
        matches.append((likeness, side, left, top))
    likeness, side, left, top = max(matches)
    assert likeness > 0.97
    # The face was measured by hand.
    assert side == pytest.approx(112, abs=10)
    assert (left + side / 2, top + side / 2) == pytest.approx((225, 118), abs=10)


@pytest.mark.parametrize(("precision", "tolerance"), [("float32", 1e-5), ("int8", 1 / 256)])
def test_a_picture_gets_the_label_that_the_pushed_file_gives_its_crop(
    page: Page, photograph: Path, model: Path, precision: str, tolerance: float
) -> None:
    page.select_option("#model", precision)
    expect(page.locator("#backend")).to_have_text(f"v1 · {precision} · WebAssembly")
    page.set_input_files("#file", photograph)
    [face] = faces(page)
    assert_answers_agree(face, model, precision, tolerance)


def test_a_dropped_picture_is_read(page: Page, photograph: Path, model: Path) -> None:
    content = base64.b64encode(photograph.read_bytes()).decode()
    page.evaluate(DROP, [photograph.name, "image/png", content])
    [face] = faces(page)
    assert_answers_agree(face, model, "float32", 1e-5)


def test_the_camera_is_read_and_let_go(page: Page, model: Path) -> None:
    page.click("#camera")
    expect(page.locator("#rate")).to_contain_text("frames/s")
    [face] = faces(page)
    assert_answers_agree(face, model, "float32", 0.02)
    expect(page.locator("#announcement")).to_contain_text(f"{face.label}, ")
    page.click("#camera")
    expect(page.locator("#camera")).to_have_attribute("aria-pressed", "false")


def test_a_video_is_played_and_paused(page: Page, tmp_path: Path, model: Path) -> None:
    path = tmp_path / "video.webm"
    frame = cv2.cvtColor(skimage.data.astronaut(), cv2.COLOR_RGB2BGR)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"VP80"), 10, (512, 512))
    for _ in range(10):
        writer.write(frame)
    writer.release()
    page.set_input_files("#file", path)
    page.wait_for_selector(".face[data-label]")
    page.click("#pause")
    expect(page.locator("#pause")).to_have_text("Go on")
    [face] = faces(page)
    assert_answers_agree(face, model, "float32", 0.02)


def test_small_faces_of_a_picture_are_found_too(page: Page, tmp_path: Path) -> None:
    head = cv2.cvtColor(skimage.data.astronaut()[20:250, 120:330], cv2.COLOR_RGB2BGR)
    crowd = np.full((720, 1280, 3), 110, np.uint8)
    for left, top in ((60, 60), (640, 300), (1000, 480)):
        crowd[top : top + 200, left : left + 182] = cv2.resize(head, (182, 200))
    path = tmp_path / "crowd.png"
    cv2.imwrite(str(path), crowd)
    page.set_input_files("#file", path)
    assert len(faces(page)) == 3


def test_a_drawn_face_is_a_face(page: Page, tmp_path: Path, model: Path) -> None:
    picture = np.full((480, 640), 128, np.uint8)
    picture[80:400, 160:480] = draw_face("surprise", np.random.default_rng(1), 320)
    path = tmp_path / "drawn.png"
    cv2.imwrite(str(path), picture)
    page.set_input_files("#file", path)
    [face] = faces(page)
    assert_answers_agree(face, model, "float32", 1e-5)


@pytest.mark.skipif(not FER2013.is_file(), reason="the FER2013 archive is not on this machine")
def test_faces_of_fer2013_are_found_in_one_picture(page: Page, tmp_path: Path, model: Path) -> None:
    picture = np.full((720, 1280, 3), 110, np.uint8)
    with zipfile.ZipFile(FER2013) as archive:
        names = sorted(name for name in archive.namelist() if "test/happy/" in name)[1:7]
        encoded = [np.frombuffer(archive.read(name), np.uint8) for name in names]
    for i, image in enumerate(encoded):
        top, left = 40 + 340 * (i // 3), 60 + 410 * (i % 3)
        small = cv2.imdecode(image, cv2.IMREAD_COLOR)
        assert small is not None
        picture[top : top + 300, left : left + 300] = cv2.resize(
            small, (300, 300), interpolation=cv2.INTER_CUBIC
        )
    path = tmp_path / "six.png"
    cv2.imwrite(str(path), picture)
    page.set_input_files("#file", path)
    found = faces(page)
    assert len(found) >= 5
    for face in found:
        assert_answers_agree(face, model, "float32", 1e-5)


def test_no_request_leaves_the_origin(
    browser: Browser, site: PageServer, photograph: Path, served_model: object
) -> None:
    page = browser.new_page()
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    open_page(page, site.url)
    page.set_input_files("#file", photograph)
    faces(page)
    page.click("#camera")
    expect(page.locator("#rate")).to_contain_text("frames/s")
    assert requests
    assert [url for url in requests if not url.startswith(site.url)] == []
    refused = page.evaluate(
        "url => fetch(url).then(() => false, () => true)", "http://127.0.0.1:9/"
    )
    assert refused
    page.close()


def test_a_server_answers_as_the_pushed_file_does(
    browser: Browser, site_with_server: PageServer, photograph: Path, model: Path
) -> None:
    page = browser.new_page(locale="en-GB")
    open_page(page, site_with_server.url)
    page.select_option("#model", "server")
    expect(page.locator("#privacy")).to_contain_text("Only the faces' 48 × 48 crops go to")
    page.set_input_files("#file", photograph)
    [face] = faces(page)
    assert_answers_agree(face, model, "float32", 1e-5)
    page.close()


def test_a_server_that_is_gone_is_told_and_asked_again(
    browser: Browser, site_with_server: PageServer
) -> None:
    page = browser.new_page(locale="en-GB")
    open_page(page, site_with_server.url)
    page.select_option("#model", "server")

    def refuse(route: Route) -> None:
        route.abort("connectionrefused")

    page.route("**/v1/**", refuse)
    page.click("#camera")
    expect(page.locator("#notice")).to_contain_text("The server does not answer")
    expect(page.locator("#rate")).to_contain_text("frames/s")
    page.unroute("**/v1/**", refuse)
    expect(page.locator("#notice")).to_have_text("", timeout=20_000)
    assert len(faces(page)) == 1
    page.close()


def test_webgpu_gives_the_same_answers(
    playwright: Playwright, site: PageServer, photograph: Path, model: Path
) -> None:
    flags = [*FLAGS, "--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader"]
    with playwright.chromium.launch(executable_path=CHROMIUM, args=flags) as chromium:
        page = chromium.new_page()
        # A GPU in software is not offered to people, for it is slower than WebAssembly.
        page.add_init_script(
            "Object.defineProperty(GPUAdapterInfo.prototype, 'isFallbackAdapter', {value: false})"
        )
        page.goto(site.url)
        if not page.evaluate("navigator.gpu.requestAdapter().then(Boolean)"):
            pytest.skip("this Chromium has no WebGPU in software")
        expect(page.locator("#backend")).to_contain_text("WebGPU", timeout=120_000)
        page.set_input_files("#file", photograph)
        [face] = faces(page)
        assert_answers_agree(face, model, "float32", 1e-4)


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("broken.png", b"not a picture", "This picture cannot be read."),
        ("broken.mp4", b"not a video", "This video cannot be played here."),
        ("empty.webm", b"", "This video cannot be played here."),
        ("notes.txt", b"text", "This is neither a picture nor a video."),
    ],
)
def test_what_cannot_be_shown_gets_a_sentence(
    page: Page, tmp_path: Path, name: str, content: bytes, sentence: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    page.set_input_files("#file", path)
    expect(page.locator("#notice")).to_contain_text(sentence)


def test_a_camera_that_is_refused_or_missing_gets_a_sentence(
    playwright: Playwright, site: PageServer
) -> None:
    fake_camera = "--use-fake-device-for-media-stream"
    for extra, sentence in (
        ([fake_camera, "--deny-permission-prompts"], "was not allowed to use the camera"),
        (["--use-fake-ui-for-media-stream"], "No camera could be opened"),
    ):
        flags = ["--no-sandbox", "--disable-background-networking", *extra]
        with playwright.chromium.launch(executable_path=CHROMIUM, args=flags) as chromium:
            page = chromium.new_page(locale="en-GB")
            open_page(page, site.url)
            page.click("#camera")
            expect(page.locator("#notice")).to_contain_text(sentence)


def test_a_picture_without_a_face_says_so(page: Page, tmp_path: Path) -> None:
    path = tmp_path / "grey.png"
    cv2.imwrite(str(path), np.full((300, 400), 128, np.uint8))
    page.set_input_files("#file", path)
    expect(page.locator("#no-face")).to_be_visible()
    expect(page.locator("#announcement")).to_have_text("No face found.")


def test_a_camera_that_is_unplugged_gets_a_sentence(browser: Browser, site: PageServer) -> None:
    with browser.new_page(locale="en-GB") as page:
        page.add_init_script(
            """const devices = navigator.mediaDevices;
            const open = devices.getUserMedia.bind(devices);
            devices.getUserMedia = async (wanted) => window.stream = await open(wanted);
            """
        )
        open_page(page, site.url)
        page.click("#camera")
        faces(page)
        page.evaluate("window.stream.getTracks()[0].dispatchEvent(new Event('ended'))")
        expect(page.locator("#notice")).to_contain_text("The camera was unplugged.")
        expect(page.locator("#camera")).to_have_text("Camera")


def test_the_model_is_changed_while_the_camera_runs(page: Page, model: Path) -> None:
    failures: list[str] = []
    page.on("pageerror", lambda error: failures.append(error.message))
    page.click("#camera")
    faces(page)
    for precision in ("int8", "float32", "int8"):
        page.select_option("#model", precision)
        expect(page.locator("#backend")).to_contain_text(precision)
    page.wait_for_selector(".face[data-label]")
    expect(page.locator("#rate")).to_contain_text("frames/s")
    expect(page.locator("#notice")).to_have_text("")
    assert failures == []


def test_a_slow_server_does_not_hold_up_the_picture(
    browser: Browser, site_with_server: PageServer
) -> None:
    with browser.new_page(locale="en-GB") as page:
        open_page(page, site_with_server.url)
        page.select_option("#model", "server")
        held: list[Route] = []

        def hold(route: Route) -> None:
            held.append(route)

        page.route("**/v1/**", hold)
        page.click("#camera")
        # The picture goes on, and one request at a time is under way.
        expect(page.locator("#rate")).to_have_text(re.compile(r"^[1-9]\d* frames/s"))
        expect(page.locator(".face h3")).to_have_text("…")
        assert len(held) == 1
        held[0].continue_()
        assert len(faces(page)) == 1
