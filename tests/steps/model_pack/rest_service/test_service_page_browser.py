"""The page at `/` in a real browser: a picture in, boxes, a slider that filters, the keyboard, and what goes wrong."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from service_cases import encoded
from sinara_lib.bento.service import start_dev_bentoservice, stop_dev_bentoservice
from small_network import MIN_SCORE
from tests.browser import open_browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with open_browser() as browser:
        yield browser


@pytest.fixture(scope="module")
def server(bento_url: str) -> Iterator[str]:
    handle = start_dev_bentoservice(bento_url)
    yield handle.url
    stop_dev_bentoservice(handle)


@pytest.fixture
def page(browser: Browser, server: str) -> Iterator[Page]:
    """The page, opened; a test fails when it breaks, or asks for anything outside its own service."""
    context = browser.new_context(viewport={"width": 1200, "height": 800})
    opened = context.new_page()
    wrong: list[str] = []
    asked: list[str] = []
    opened.on("pageerror", lambda error: wrong.append(str(error)))
    opened.on("request", lambda request: asked.append(request.url))
    opened.goto(server)
    expect(opened.locator("#model")).to_contain_text("yolox_nano")
    opened.asked = asked  # type: ignore[attr-defined]
    yield opened
    context.close()
    assert wrong == []
    assert [url for url in asked if not url.startswith((server, "blob:", "data:"))] == []


@pytest.fixture
def image(service_folder: Path) -> Path:
    return service_folder / "artifacts" / "test_image.png"


@pytest.fixture
def expected(service_folder: Path) -> dict[str, Any]:
    return json.loads((service_folder / "artifacts" / "test_result.json").read_text())


def shown(page: Page) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(page.locator("#json").inner_text())
    return document


def colours(page: Page) -> list[int]:
    """Red, green and blue at the middle of the upper edge of the best box."""
    return page.evaluate(
        """() => {
          const canvas = document.getElementById("canvas"), [x, y, w] = state.answer.annotations[0].bbox;
          const zoom = canvas.width / state.answer.width;
          return [...canvas.getContext("2d").getImageData((x + w / 2) * zoom, (y + 0) * zoom, 1, 1).data].slice(0, 3);
        }"""
    )


def test_the_bar_starts_where_the_model_was_packed(page: Page) -> None:
    assert page.locator("#score").input_value() == f"{MIN_SCORE:.2f}".rstrip("0")
    expect(page.locator("#empty")).to_contain_text("Drop an image here")


def test_a_chosen_image_is_answered_with_boxes_list_json_time_and_version(
    page: Page, image: Path, expected: dict[str, Any]
) -> None:
    page.set_input_files("#file", image)
    expect(page.locator("#canvas")).to_be_visible()
    page.locator("#score").fill("0.47")
    found = [one for one in expected["annotations"] if one["score"] >= 0.47]
    expect(page.locator("#found li")).to_have_count(len(found))
    document = shown(page)
    assert [one["bbox"] for one in document["annotations"]] == [one["bbox"] for one in found]
    assert document["file_name"] == "test_image.png"
    expect(page.locator("#facts")).to_contain_text("200 \N{MULTIPLICATION SIGN} 120 pixels")
    expect(page.locator("#facts")).to_contain_text("ms in the service")
    expect(page.locator("#model")).to_contain_text("run-26-01-02-040506-789")
    assert page.locator("#canvas").get_attribute("aria-label").startswith(f"{len(found)} objects: person")


def test_the_slider_filters_without_asking_again(page: Page, image: Path) -> None:
    page.set_input_files("#file", image)
    expect(page.locator("#canvas")).to_be_visible()
    page.locator("#score").fill("0")
    everything = len(shown(page)["annotations"])
    asked = len(page.asked)  # type: ignore[attr-defined]
    boxed = colours(page)
    page.locator("#score").fill("1")
    assert shown(page)["annotations"] == []
    expect(page.locator("#none")).to_have_text("None is scored 1.00 or better.")
    assert colours(page) != boxed
    page.locator("#score").fill("0.47")
    assert 0 < len(shown(page)["annotations"]) < everything
    assert {one["score"] >= 0.47 for one in shown(page)["annotations"]} == {True}
    expect(page.locator("#threshold")).to_have_text("0.47")
    assert len(page.asked) == asked  # type: ignore[attr-defined]


def test_what_is_no_image_shows_the_services_own_words_and_the_next_one_works(
    page: Page, image: Path, tmp_path: Path
) -> None:
    (tmp_path / "letter.png").write_text("dear reader")
    page.set_input_files("#file", tmp_path / "letter.png")
    expect(page.get_by_role("alert")).to_contain_text("400: not a readable image")
    expect(page.locator("#busy")).to_be_hidden()
    page.set_input_files("#file", image)
    expect(page.locator("#canvas")).to_be_visible()
    expect(page.get_by_role("alert")).to_be_hidden()


def test_it_all_works_by_keyboard(page: Page) -> None:
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "choose"
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#canvas")).to_be_visible()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "score"
    page.keyboard.press("Home")
    expect(page.locator("#threshold")).to_have_text("0.00")
    page.keyboard.press("Tab")
    assert page.evaluate("state.marked") == 1
    with page.expect_file_chooser():
        page.locator("#choose").focus()
        page.keyboard.press("Space")


@pytest.mark.parametrize("way", ["drop", "paste"])
def test_an_image_may_be_dropped_or_pasted(page: Page, image: Path, way: str) -> None:
    make = """async (way) => {
      const blob = await (await fetch("test_data")).blob(), data = new DataTransfer();
      data.items.add(new File([blob], "carried.png", { type: "image/png" }));
      const event = way === "drop" ? new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true })
        : new ClipboardEvent("paste", { clipboardData: data, bubbles: true });
      document.body.dispatchEvent(event);
    }"""
    page.evaluate(make, way)
    expect(page.locator("#facts")).to_contain_text("carried.png")


def test_a_picture_that_browsers_do_not_show_is_shown_all_the_same(page: Page, image: Path, tmp_path: Path) -> None:
    (tmp_path / "scan.tif").write_bytes(encoded(Image.open(image), "TIFF"))
    page.set_input_files("#file", tmp_path / "scan.tif")
    expect(page.locator("#facts")).to_contain_text("scan.tif")
    expect(page.locator("#canvas")).to_be_visible()


def test_a_name_that_is_markup_stays_text(page: Page, image: Path, tmp_path: Path) -> None:
    shutil.copy(image, tmp_path / "<img src=x onerror=alert(1)>.png")
    page.set_input_files("#file", tmp_path / "<img src=x onerror=alert(1)>.png")
    expect(page.locator("#facts")).to_contain_text("<img src=x onerror=alert(1)>.png")
    assert page.locator("#facts img").count() == 0


def test_a_locked_service_asks_for_the_token(browser: Browser, bento_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERVICE_TOKEN", "right")
    handle = start_dev_bentoservice(bento_url)
    try:
        opened = browser.new_page()
        opened.goto(handle.url)
        expect(opened.locator("#login")).to_be_visible()
        opened.locator("#token").fill("wrong")
        opened.keyboard.press("Enter")
        expect(opened.get_by_role("alert")).to_contain_text("401")
        opened.locator("#token").fill("right")
        opened.keyboard.press("Enter")
        expect(opened.locator("#model")).to_contain_text("yolox_nano")
        expect(opened.locator("#login")).to_be_hidden()
        opened.locator("#test").click()
        expect(opened.locator("#canvas")).to_be_visible()
        opened.close()
    finally:
        stop_dev_bentoservice(handle)


@pytest.mark.parametrize("width", [320, 390, 1200])
def test_nothing_is_wider_than_the_window(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    page.locator("#test").click()
    expect(page.locator("#canvas")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
