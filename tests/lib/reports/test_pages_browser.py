"""Every page of the library in a real browser: whole, quiet, readable in light and dark, on a desk and on a phone."""

import base64
import io
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import nbformat
import pytest
from PIL import Image, ImageDraw
from playwright.sync_api import Browser
from test_report import FACTS

from page_checks import check_page
from reported_runs import Reported
from sinara_lib.catalog.find import Target
from sinara_lib.comparison.pipeline_index import index_html
from sinara_lib.comparison.run_diff_reading import diff_html, read_diff
from sinara_lib.comparison.run_summary import read_summary
from sinara_lib.comparison.run_table import read_chains, tabulate
from sinara_lib.comparison.run_table_page import table_html
from sinara_lib.layout import StepAddress
from sinara_lib.reports.notebook_pages import RunFacts, business_report_html, report_html
from sinara_lib.settings import Settings
from sinara_lib.store import store_at
from tests.browser import open_browser, open_file

LONG = "a" * 300


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium."""
    with open_browser() as browser:
        yield browser


@pytest.fixture
def reported(tmp_path: Path, now: datetime) -> Reported:
    """Makes runs with reports in a local store."""
    return Reported(store_at(str(tmp_path / "store")), now)


@pytest.mark.parametrize(
    "flaw",
    [
        '<img alt="blank" src="data:image/png;base64,{blank}">',
        '<img alt="gone" src="gone.png">',
        "<script>throw new Error('broken')</script>",
        "<script>fetch('http://127.0.0.1:9/')</script>",
        '<div style="width: 5000px">wide</div>',
        "<style>body { background: white !important }</style>",
    ],
)
def test_the_check_itself_sees_what_is_wrong(browser: Browser, tmp_path: Path, flaw: str) -> None:
    sink = io.BytesIO()
    Image.new("RGB", (9, 9), "white").save(sink, "PNG")
    dark = (
        "<style>body { background: white } @media (prefers-color-scheme: dark) { body { background: black } }</style>"
    )
    whole = f"<!doctype html><meta name=viewport content='width=device-width'>{dark}<p>text</p>"
    (tmp_path / "whole.html").write_text(whole)
    check_page(browser, tmp_path / "whole.html")
    (tmp_path / "flawed.html").write_text(whole + flaw.replace("{blank}", base64.b64encode(sink.getvalue()).decode()))
    with pytest.raises(AssertionError):
        check_page(browser, tmp_path / "flawed.html")


def _picture(width: int) -> str:
    image = Image.new("RGB", (width, 200), "white")
    ImageDraw.Draw(image).ellipse((20, 20, 180, 180), fill="steelblue")
    sink = io.BytesIO()
    image.save(sink, "PNG")
    return base64.b64encode(sink.getvalue()).decode()


def _notebook(*, failed: bool) -> nbformat.NotebookNode:
    """A notebook with what steps show: text, a wide table, long lines, pictures, one with a width asked for."""
    new = nbformat.v4
    tagged = {"tags": ["business_report"]}
    picture = new.new_output("display_data", data={"image/png": _picture(2000)}, metadata={"image/png": {"width": 320}})
    head = "| " + " | ".join(f"column {n}" for n in range(12)) + " |\n|" + "---|" * 12 + "\n"
    table = new.new_output("display_data", data={"text/markdown": head + "| 1 " * 12 + "|"})
    outputs = [new.new_output("stream", text=f"{LONG}\n"), table, picture]
    cells = [
        new.new_markdown_cell("# Train the detector\n\nA [link](https://example.com)"),
        new.new_code_cell(f"x = '{LONG}'", outputs=outputs, metadata=tagged),
    ]
    if failed:
        error = new.new_output("error", ename="ValueError", evalue="bad", traceback=["\x1b[31mValueError\x1b[0m: bad"])
        cells.append(new.new_code_cell("broken()", outputs=[error], metadata=tagged))
    return new.new_notebook(cells=cells)


@pytest.mark.parametrize("failed", [False, True])
def test_both_pages_of_a_notebook_are_whole_whether_it_ended_well_or_not(
    browser: Browser, tmp_path: Path, failed: bool
) -> None:
    facts = RunFacts(**{**vars(FACTS), "result": "FAIL" if failed else "SUCCESS", "reason": "bad" if failed else None})
    for name, make in (("report", report_html), ("business", business_report_html)):
        file = tmp_path / f"{name}.html"
        file.write_text(make(_notebook(failed=failed), facts), encoding="utf-8")
        check_page(browser, file)
        with open_file(browser, file) as page:
            assert page.locator(".badge").inner_text() == facts.result
            assert page.locator(".output img").first.bounding_box()["width"] == 320  # type: ignore[index]
            assert page.locator("text=broken()").count() == (1 if failed and name == "report" else 0) * 2


def test_on_paper_no_line_of_code_and_no_column_is_cut_off_and_marks_keep_their_colour(
    browser: Browser, tmp_path: Path
) -> None:
    file = tmp_path / "report.html"
    file.write_text(report_html(_notebook(failed=True), FACTS), encoding="utf-8")
    with open_file(browser, file) as page:
        page.set_viewport_size({"width": 718, "height": 1000})  # A4 without margins of 10 mm
        page.emulate_media(media="print")
        cut = "[...document.querySelectorAll('pre, .table')].filter(e => e.scrollWidth > e.clientWidth + 1).length"
        assert page.evaluate(cut) == 0
        assert page.evaluate("document.documentElement.scrollWidth") <= 718
        assert page.evaluate("getComputedStyle(document.querySelector('.badge')).printColorAdjust") == "exact"
        assert page.evaluate("Math.max(...[...document.images].map(e => e.clientHeight))") < 500


def _sweep(reported: Reported) -> None:
    for number in range(4):
        model = reported.run("train", params={"epochs": number, "name": "ab"[number % 2]}, outputs={"m": b"m"})
        inputs = [reported.store.url_of(model.entity("m"))]
        reported.run("eval", metrics={"AP50": 0.5 + number / 10, "AP": 0.3 - number / 10}, inputs=inputs)


def test_the_page_of_a_diff_is_whole(browser: Browser, reported: Reported, tmp_path: Path) -> None:
    a = reported.run(params={LONG: 1, "x": LONG}, metrics={"AP50": 0.5}, code=[f"x = '{LONG}'"])
    b = reported.run(params={"x": 2}, metrics={"AP50": 0.6}, code=["y = 1"], packages={"torch": "9"})
    settings = Settings(None, (), {"user": reported.store.url})
    diff = read_diff(Target(reported.store, a), Target(reported.store, b), settings)
    (tmp_path / "diff.html").write_text(diff_html(diff), encoding="utf-8")
    check_page(browser, tmp_path / "diff.html")


def test_the_page_of_runs_is_whole_sorts_by_a_click_and_finds_a_line_for_a_row(
    browser: Browser, reported: Reported, tmp_path: Path
) -> None:
    _sweep(reported)
    settings = Settings(None, (), {"user": reported.store.url})
    chains = read_chains(settings, reported.store, StepAddress("rest", "test", "eval"), limit=9)
    (tmp_path / "runs.html").write_text(table_html(tabulate(chains), title="Runs"), encoding="utf-8")
    check_page(browser, tmp_path / "runs.html")
    with open_file(browser, tmp_path / "runs.html") as page:
        column = "tbody tr td:last-child"
        page.locator("th", has_text="AP").last.click()
        assert page.locator(column).all_inner_texts() == ["0.3", "0.2", "0.1", "0"]
        page.locator("th", has_text="AP").last.click()
        assert page.locator(column).all_inner_texts() == ["0", "0.1", "0.2", "0.3"]
        assert page.locator(".run").count() == 4
        page.locator("tbody tr").first.hover()
        assert page.locator(".run.on").count() == 1


def test_the_page_in_front_of_a_run_is_whole_and_its_links_lead_to_pages(browser: Browser, reported: Reported) -> None:
    _sweep(reported)
    runs = [
        read_summary(Target(reported.store, run))
        for step in reported.store.steps()
        for run in reported.store.runs(step)
    ]
    file = Path(reported.store.root) / "rest" / "test" / "index.html"
    file.write_text(index_html(runs, store=reported.store, place="rest/test"), encoding="utf-8")
    check_page(browser, file)
    with open_file(browser, file) as page:
        links = page.locator("li a")
        assert links.count() == 16
        places = [file.parent / str(link.get_attribute("href")) for link in links.all()]
    assert all(place.read_text().startswith("<h1>") for place in places)
