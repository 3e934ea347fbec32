"""The page for everybody: keyboard, contrast, motion, languages."""

from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Page, expect

from tests.clients.web.shown import faces

# WCAG 2.2's contrast ratio of every visible text with what lies behind it.
_CONTRASTS = """() => {
  const parse = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const luminance = ([r, g, b]) => [r, g, b].map((v) => v / 255)
    .map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (node) => {
    for (let at = node; at; at = at.parentElement) {
      const colour = parse(getComputedStyle(at).backgroundColor);
      if (colour.length < 4 || colour[3] > 0) return colour;
    }
  };
  const texts = [...document.querySelectorAll("body *")].filter((node) =>
    node.checkVisibility() && !node.disabled
    && [...node.childNodes].some((child) => child.nodeType === 3 && child.data.trim()));
  return texts.map((node) => {
    const [a, b] = [parse(getComputedStyle(node).color), behind(node)].map(luminance);
    return [node.textContent.trim(), (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)];
  });
}"""

# Keeps what the live region says from now on, until that is something.
_NOTE_WHAT_IS_TOLD = """() => {
  const region = document.getElementById("announcement");
  const texts = [];
  window.told = new Promise((done) => {
    const note = () => texts.push(region.textContent) && region.textContent && done(texts);
    new MutationObserver(note).observe(region, { childList: true });
  });
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_contrast(page: Page, photograph: Path, scheme: Literal["light", "dark"]) -> None:
    page.emulate_media(color_scheme=scheme)
    page.set_input_files("#file", photograph)
    faces(page)
    contrasts = page.evaluate(_CONTRASTS)
    assert len(contrasts) > 10
    assert [(text, ratio) for text, ratio in contrasts if ratio < 4.5] == []


def test_every_control_is_reached_and_used_by_keyboard(page: Page) -> None:
    reached = []
    for _ in range(5):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.id"))
    assert reached == ["language", "camera", "file", "mirror", "model"]
    page.focus("#camera")
    page.keyboard.press("Enter")
    expect(page.locator("#camera")).to_have_attribute("aria-pressed", "true")
    page.focus("#pause")
    page.keyboard.press("Space")
    expect(page.locator("#pause")).to_have_text("Go on")


def test_every_control_has_a_name(page: Page) -> None:
    tree = page.locator("body").aria_snapshot()
    for control in (
        'button "中文"',
        'button "Camera"',
        'button "Open a picture or video …"',
        'button "Pause" [disabled]',
        'checkbox "Mirror"',
        'combobox "Model"',
        'img "The picture, with a box around each face"',
    ):
        assert control in tree


def test_nothing_moves_by_itself_where_motion_is_reduced(page: Page, photograph: Path) -> None:
    page.set_input_files("#file", photograph)
    faces(page)
    duration = "getComputedStyle(document.querySelector('.bar div')).transitionDuration"
    assert page.evaluate(duration) != "0s"
    page.emulate_media(reduced_motion="reduce")
    assert page.evaluate(duration) == "0s"


def test_the_language_is_switched_and_kept(page: Page, photograph: Path) -> None:
    page.set_input_files("#file", photograph)
    [face] = faces(page)
    page.click("#language")
    expect(page.locator("html")).to_have_attribute("lang", "zh-Hans")
    names = {"angry": "愤怒", "happy": "高兴", "neutral": "平静"}
    expect(page.locator(".face h3")).to_have_text(names[face.label])
    page.reload()
    expect(page.locator("#camera")).to_have_text("摄像头")


def test_a_second_picture_is_told_though_its_label_is_the_same(
    page: Page, photograph: Path
) -> None:
    page.set_input_files("#file", photograph)
    [face] = faces(page)
    told = page.locator("#announcement")
    expect(told).to_contain_text(f"{face.label}, ")
    text = told.inner_text()
    page.evaluate(_NOTE_WHAT_IS_TOLD)
    page.set_input_files("#file", photograph)
    assert page.evaluate("told") == ["", text]
