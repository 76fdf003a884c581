"""The quality report in a real browser: charts come alive, nothing is blank or asked for, on a phone and on paper."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from quality_report.charts import CHARTS
from report_cases import CASES, report_of
from tests.browser import open_browser, open_file, sideways, spread


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with open_browser() as opened:
        yield opened


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    report_of(folder, *CASES["usual"]())
    return folder / "report.html"


def wait_until_live(page: Page) -> None:
    expect(page.locator(".chart.live .plot .main-svg").first).to_be_attached(timeout=30_000)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_every_chart_comes_alive_and_shows_something(browser: Browser, report: Path, dark: bool) -> None:
    with open_file(browser, report, dark=dark) as page:
        wait_until_live(page)
        for name in CHARTS:
            plot = page.locator(f"#chart-{name} .plot")
            expect(plot).to_be_visible()
            assert spread(plot) > 8, name
        background = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (background == "rgb(17, 20, 24)") is dark


def test_every_photograph_shows_something(browser: Browser, report: Path) -> None:
    with open_file(browser, report) as page:
        wait_until_live(page)
        pictures = page.locator("figure img")
        assert pictures.count() >= 8
        for place in range(pictures.count()):
            assert spread(pictures.nth(place)) > 3, place


def test_pointing_at_a_bar_tells_its_number(browser: Browser, report: Path) -> None:
    with open_file(browser, report) as page:
        wait_until_live(page)
        page.locator("#chart-bars .plot").scroll_into_view_if_needed()
        page.locator("#chart-bars .bars .point path").last.hover(force=True)
        expect(page.locator("#chart-bars .hovertext").first).to_contain_text("AP")


def test_charts_follow_when_the_reader_turns_the_lights_off(browser: Browser, report: Path) -> None:
    with open_file(browser, report) as page:
        wait_until_live(page)
        title = page.locator("#chart-f1 .xtitle")
        light = title.evaluate("node => getComputedStyle(node).fill")
        page.emulate_media(color_scheme="dark")
        expect(title).not_to_have_css("fill", light)


def test_without_scripts_the_pictures_stay(browser: Browser, report: Path) -> None:
    with open_file(browser, report, java_script_enabled=False) as page:
        for name in CHARTS:
            picture = page.locator(f"#chart-{name} picture")
            expect(picture).to_be_visible()
            assert spread(picture) > 8, name


def test_on_paper_the_pictures_are_printed_light(browser: Browser, report: Path) -> None:
    with open_file(browser, report, dark=True) as page:
        wait_until_live(page)
        page.emulate_media(media="print")
        for name in CHARTS:
            expect(page.locator(f"#chart-{name} .plot")).to_be_hidden()
            expect(page.locator(f"#chart-{name} picture")).to_be_visible()
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        assert len(page.pdf(format="A4")) > 50_000


def test_on_a_phone_nothing_is_wider_than_the_screen(browser: Browser, report: Path) -> None:
    with open_file(browser, report, width=390) as page:
        wait_until_live(page)
        assert sideways(page) == 0
        for name in CHARTS:
            box = page.locator(f"#chart-{name} .plot").bounding_box()
            assert box is not None
            assert 0 <= box["x"] < box["x"] + box["width"] <= 390, name


@pytest.mark.parametrize("case", [name for name in CASES if name != "usual"])
def test_odd_input_gives_a_page_without_an_error(browser: Browser, tmp_path: Path, case: str) -> None:
    report_of(tmp_path, *CASES[case]())
    with open_file(browser, tmp_path / "report.html") as page:
        wait_until_live(page)
        for name in CHARTS:
            assert page.locator(f"#chart-{name}").bounding_box() is not None
        assert "NaN" not in page.locator("main").inner_text()
