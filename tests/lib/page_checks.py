"""What every page of the library has to stand in a browser."""

from pathlib import Path

from playwright.sync_api import Browser, Page

from tests.browser import open_file, sideways, spread

_PAPER = "getComputedStyle(document.body).backgroundColor.match(/[0-9]+/g).slice(0, 3).map(Number)"


def check_page(browser: Browser, file: Path) -> None:
    """Assert that a page is whole: light and dark, wide and narrow, nothing asked for, nothing blank, not too heavy."""
    paper = {}
    for dark in (False, True):
        for width in (1100, 390):
            with open_file(browser, file, width=width, dark=dark) as page:
                assert sideways(page) <= 0
                assert [
                    picture.get_attribute("alt") for picture in page.locator("img").all() if spread(picture) < 1
                ] == []
                paper[dark] = brightness(page)
    assert paper[False] > 200
    assert paper[True] < 60


def brightness(page: Page) -> float:
    """Return how bright the paper is, 0 to 255."""
    return float(sum(page.evaluate(_PAPER))) / 3
