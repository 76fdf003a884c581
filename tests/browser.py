"""Pages opened in a real headless Chromium, and what a page of ours must never do there."""

import io
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, sync_playwright

MOST_BYTES = 8_000_000
QUIET = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)


@contextmanager
def open_browser() -> Iterator[Browser]:
    """A Chromium of its own, closed at the end."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=list(QUIET))
        yield browser
        browser.close()


@contextmanager
def open_file(browser: Browser, path: Path, *, width: int = 1100, dark: bool = False, **context: Any) -> Iterator[Page]:
    """A page from disk, its network cut off; afterwards asserts that nothing broke, and that nothing was asked for."""
    opened = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme="dark" if dark else "light", offline=True, **context
    )
    page = opened.new_page()
    wrong: list[str] = []
    asked: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
    page.on("request", lambda request: asked.append(request.url))
    page.goto(path.as_uri())
    yield page
    opened.close()
    assert wrong == []
    assert [url for url in asked if url != path.as_uri() and not url.startswith(("data:", "blob:"))] == []
    assert path.stat().st_size < MOST_BYTES


def spread(place: Locator) -> float:
    """Return the standard deviation of the pixels that a part of a page shows; near 0 where it is blank."""
    picture = Image.open(io.BytesIO(place.screenshot())).convert("L")
    return float(np.asarray(picture, dtype=float).std())


def sideways(page: Page) -> int:
    """Return by how many pixels the page is wider than its window: what a reader must scroll sideways."""
    pixels: int = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return pixels
