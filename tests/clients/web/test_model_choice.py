"""Whose answers the page shows when another model is chosen, in Chromium."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from clients.web.server import PageServer
from tests.clients.web.conftest import open_page, serve
from tests.clients.web.shown import faces

CLASSES = ("angry", "happy", "neutral")
"""What the pushed model tells apart; the server of these tests says "bored"."""

SERVER = "**/v1/**"
BORED = ".face[data-label=bored]"
A_LOAD = 60_000
"""How long a model may take to load on a busy machine, in milliseconds."""
NEXT_PAINT = "() => new Promise((done) => requestAnimationFrame(() => setTimeout(done)))"


class Held:
    """Requests that wait until a test answers them."""

    def __init__(self, page: Page, url: str) -> None:
        self.routes: list[Route] = []
        page.route(url, self._hold)

    def _hold(self, route: Route) -> None:
        self.routes.append(route)


def say_bored(route: Route) -> None:
    count = len(json.loads(route.request.post_data or "")["examples"])
    answer = {"results": [[["bored", 0.75], ["glad", 0.25]]] * count}
    route.fulfill(json=answer, headers={"Access-Control-Allow-Origin": "*"})


def go_away(route: Route) -> None:
    route.abort("timedout")


def not_found(route: Route) -> None:
    route.fulfill(status=404)


@pytest.fixture(scope="module")
def site_with_fake_server(dist: Path, workspace: Path) -> Iterator[PageServer]:
    """The page that may ask a server, which the tests play."""
    with serve(dist, workspace, endpoint="http://127.0.0.1:9") as server:
        yield server
        server.shutdown()


@pytest.fixture
def page(browser: Browser, site_with_fake_server: PageServer) -> Iterator[Page]:
    with browser.new_page(locale="en-GB") as page:
        open_page(page, site_with_fake_server.url)
        yield page


@pytest.mark.parametrize("end", [say_bored, go_away])
def test_a_server_that_is_late_does_not_overwrite_the_model_chosen_since(
    page: Page, photograph: Path, end: Callable[[Route], None]
) -> None:
    held = Held(page, SERVER)
    page.select_option("#model", "server")
    with page.expect_request(SERVER):
        page.set_input_files("#file", photograph)
    page.select_option("#model", "int8")
    [before] = faces(page)
    ended = "requestfinished" if end is say_bored else "requestfailed"
    with page.expect_event(ended):
        end(held.routes[0])
    page.evaluate(NEXT_PAINT)
    [after] = faces(page)
    assert after.label == before.label
    assert after.label in CLASSES
    assert page.inner_text(".face h3") == after.label
    expect(page.locator("#notice")).to_have_text("")


def test_a_face_has_no_label_until_the_chosen_model_has_answered(
    page: Page, photograph: Path
) -> None:
    page.set_input_files("#file", photograph)
    faces(page)
    Held(page, SERVER)
    page.select_option("#model", "server")
    expect(page.locator("#backend")).to_contain_text("127.0.0.1:9", timeout=A_LOAD)
    expect(page.locator(".face h3")).to_have_text("…")
    expect(page.locator(".face tr")).to_have_count(0)


def test_a_paused_camera_shows_what_the_chosen_model_says(page: Page) -> None:
    page.route(SERVER, say_bored)
    page.select_option("#model", "server")
    page.click("#camera")
    page.wait_for_selector(BORED)
    page.click("#pause")
    page.select_option("#model", "float32")
    page.wait_for_selector(".face[data-label]:not([data-label=bored])")
    page.click("#mirror")
    for face in faces(page):
        assert face.label in CLASSES
        assert list(face.probabilities) == list(CLASSES)
    page.click("#pause")
    page.select_option("#model", "server")
    page.wait_for_selector(BORED)


def test_a_camera_that_is_paused_while_a_server_is_asked_shows_what_it_says(page: Page) -> None:
    held = Held(page, SERVER)
    page.select_option("#model", "server")
    with page.expect_request(SERVER):
        page.click("#camera")
    page.click("#pause")
    page.route(SERVER, say_bored)
    say_bored(held.routes[0])
    page.wait_for_selector(BORED)


def test_a_server_that_is_gone_is_asked_again_of_a_paused_camera(page: Page) -> None:
    page.click("#camera")
    faces(page)
    page.click("#pause")
    page.route(SERVER, go_away)
    page.select_option("#model", "server")
    expect(page.locator("#notice")).to_contain_text("The server does not answer", timeout=A_LOAD)
    page.unroute(SERVER, go_away)
    page.route(SERVER, say_bored)
    page.wait_for_selector(BORED)
    expect(page.locator("#notice")).to_have_text("")


def test_what_a_stopped_camera_showed_goes_with_the_model_that_said_it(page: Page) -> None:
    page.click("#camera")
    faces(page)
    page.click("#camera")
    page.select_option("#model", "int8")
    expect(page.locator("#backend")).to_contain_text("int8", timeout=A_LOAD)
    expect(page.locator(".face")).to_have_count(0)
    expect(page.locator("#placeholder")).to_be_visible()


def test_without_a_model_nothing_but_a_model_can_be_chosen(
    browser: Browser, site_with_fake_server: PageServer, photograph: Path
) -> None:
    with browser.new_page(locale="en-GB") as page:
        page.route("**/model_float32.tflite", not_found)
        page.goto(site_with_fake_server.url)
        expect(page.locator("#notice")).to_contain_text("could not be loaded", timeout=A_LOAD)
        for control in ("#camera", "#file", "#mirror"):
            expect(page.locator(control)).to_be_disabled()
        page.select_option("#model", "int8")
        expect(page.locator("#notice")).to_have_text("", timeout=A_LOAD)
        page.set_input_files("#file", photograph)
        assert len(faces(page)) == 1
        # The model that runs goes on when another one fails, and that one can be chosen again.
        page.select_option("#model", "float32")
        expect(page.locator("#notice")).to_contain_text("could not be loaded", timeout=A_LOAD)
        expect(page.locator("#model")).to_have_value("int8")
        expect(page.locator("#camera")).to_be_enabled()
        assert len(faces(page)) == 1
        page.unroute("**/model_float32.tflite", not_found)
        page.select_option("#model", "float32")
        expect(page.locator("#backend")).to_contain_text("float32", timeout=A_LOAD)


def test_a_model_that_fails_after_another_was_chosen_says_nothing(page: Page) -> None:
    held = Held(page, "**/model_int8.tflite")
    with page.expect_request("**/model_int8.tflite"):
        page.select_option("#model", "int8")
    page.select_option("#model", "server")
    expect(page.locator("#notice")).to_have_text("", timeout=A_LOAD)
    with page.expect_response("**/model_int8.tflite"):
        not_found(held.routes[0])
    page.evaluate(NEXT_PAINT)
    expect(page.locator("#notice")).to_have_text("")
    expect(page.locator("#backend")).to_contain_text("127.0.0.1:9")
