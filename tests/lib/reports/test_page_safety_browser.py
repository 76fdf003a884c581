"""What a hostile dataset or server puts into a notebook's outputs shows as text: no script runs, nothing is fetched."""

from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import Browser
from test_report import FACTS

from sinara_lib.reports.notebook_pages import business_report_html, report_html
from sinara_lib.reports.page_safety import clean_html
from tests.browser import open_browser

RUN = "document.title='taken'"
MARKDOWN = [
    f"<script>{RUN}</script>",
    f'<img src=x onerror="{RUN}">',
    f'<svg onload="{RUN}"></svg>',
    f'<a href="javascript:{RUN}">go</a>',
    f"[go](javascript:{RUN})",
    f'<iframe srcdoc="<script>parent.{RUN}</script>"></iframe>',
    f'<details open ontoggle="{RUN}">x</details>',
    "![beacon](https://stranger.example/x.png)",
    '<meta http-equiv="refresh" content="0;url=https://stranger.example">',
    '<form action="https://stranger.example"><button>Log in</button></form>',
    f'<style onload="{RUN}"></style><link rel=stylesheet href="https://stranger.example/x.css">',
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium."""
    with open_browser() as browser:
        yield browser


def _output(kind: str, text: str) -> nbformat.NotebookNode:
    output = nbformat.v4.new_output("display_data", data={kind: text})
    return nbformat.v4.new_code_cell("show()", outputs=[output], metadata={"tags": ["business_report"]})


@pytest.mark.parametrize("page", [report_html, business_report_html])
def test_no_output_of_a_notebook_runs_or_fetches_anything(browser: Browser, tmp_path: Path, page: object) -> None:
    cells = [_output(kind, text) for text in MARKDOWN for kind in ("text/markdown", "text/html", "image/svg+xml")]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# Load"), *cells])
    file = tmp_path / "report.html"
    file.write_text(page(notebook, FACTS), encoding="utf-8")  # type: ignore[operator]
    opened = browser.new_page()
    asked: list[str] = []
    opened.on("request", lambda request: asked.append(request.url))
    opened.goto(file.as_uri())
    for link in opened.get_by_text("go", exact=True).all():
        link.click()
    opened.wait_for_timeout(200)
    assert opened.title().startswith("Load")
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
    opened.close()


def test_what_markdown_can_say_stays() -> None:
    said = (
        '<h2>Scores</h2><p><strong>a</strong> <code>x</code><br><a href="https://a.example/r">r</a></p>'
        '<table><tbody><tr><td style="text-align: right;">3</td></tr></tbody></table>'
        '<img src="data:image/png;base64,AA==">'
    )
    assert clean_html(said) == said
