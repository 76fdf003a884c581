"""The report's pages: complete in themselves, safe, readable."""

import json
import re
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from html import unescape
from html.parser import HTMLParser
from typing import Any

import nbformat
import pytest

from sinara_lib.reports.notebook_pages import RunFacts, business_report_html, metrics_json, report_html, run_info
from sinara_lib.store.manifest import Producer, SubstepRecord

START = datetime(2026, 11, 21, 1, 37, 11, tzinfo=timezone.utc)
EVIL = "<script>alert('x')</script>"
PNG = "iVBORw0KGgo="
FACTS = RunFacts(
    step_name="data_load",
    notebook="data_load.ipynb",
    run_id="run-26-11-21-013711-482",
    run_url="file:///store/run-26-11-21-013711-482",
    report_url="file:///store/run-26-11-21-013711-482/reports_data_load_ipynb",
    started=START,
    stopped=START + timedelta(seconds=90),
    result="SUCCESS",
    reason=None,
    pipeline_params={"env_name": "user", "pipeline_name": "rest", "zone_name": "test"},
    step_params={},
    substep_params={"size": 256, "classes": ["a", "b"]},
    user="Ada Example",
    producer=Producer(library="sinara_lib 0", commit="abc", origin="https://host.example/org/step.git"),
    record=SubstepRecord(
        inputs={"custom:images": "https://data.example/a.zip?x=1&y=2"},
        outputs={"user.rest.test.data_load.images": "file:///store/run/images"},
        metrics={"AP50": 0.123456, "best": "epoch_2"},
    ),
)


def _stream(text: str, name: str = "stdout") -> nbformat.NotebookNode:
    return nbformat.v4.new_output("stream", name=name, text=text)


def _picture() -> nbformat.NotebookNode:
    return nbformat.v4.new_output("display_data", data={"image/png": PNG, "text/plain": "<Figure>"})


def _code(source: str, *outputs: nbformat.NotebookNode, tag: str | None = None) -> nbformat.NotebookNode:
    return nbformat.v4.new_code_cell(source, outputs=list(outputs), metadata={"tags": [tag] if tag else []})


def _notebook(*cells: nbformat.NotebookNode) -> nbformat.NotebookNode:
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# Load the data"), *cells])


class _Page(HTMLParser):
    """Collects tags and the addresses that a browser would fetch or follow."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.fetched: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if name == "href":
                (self.links if tag == "a" else self.fetched).append(value or "")
            if name in {"src", "data", "srcset", "poster", "action"}:
                self.fetched.append(value or "")


def test_a_page_fetches_nothing_and_names_no_address_but_those_of_the_run() -> None:
    notebook = _notebook(_code("plot()", _stream("drawn\n"), _picture(), tag="business_report"))
    own = {*FACTS.record.inputs.values(), *FACTS.record.outputs.values(), FACTS.run_url, FACTS.producer.origin}
    for html in (report_html(notebook, FACTS), business_report_html(notebook, FACTS)):
        page = _Page(html)
        assert page.fetched == [f"data:image/png;base64,{PNG}"]
        assert {link for link in page.links if not link.startswith("#")} <= own
        assert set(re.findall(r"https?://[^\s\"'<)]+", unescape(html))) <= own
        assert not re.search(r"url\(|@import|[\"'(]//", html)
        assert "script" not in page.tags


def test_the_page_says_what_ran_when_with_which_result_inputs_outputs_and_metrics() -> None:
    html = unescape(report_html(_notebook(), FACTS))
    for part in ("Load the data", "SUCCESS", "data_load", FACTS.run_id, "2026-11-21 01:37 UTC", "90 s", "0.1235"):
        assert part in html
    for part in (
        "https://data.example/a.zip?x=1&y=2",
        "file:///store/run/images",
        "Ada Example",
        "256",
        '["a", "b"]',
        "abc",
    ):
        assert part in html


def test_a_notebook_without_title_is_called_by_its_file_name() -> None:
    html = report_html(nbformat.v4.new_notebook(cells=[_code("x")]), FACTS)
    assert "<h1>data_load.ipynb</h1>" in html


@pytest.mark.parametrize(
    "facts",
    [
        replace(FACTS, substep_params={EVIL: EVIL}),
        replace(FACTS, reason=EVIL, result="FAIL"),
        replace(FACTS, pipeline_params={**FACTS.pipeline_params, "zone_name": EVIL}),
        replace(FACTS, record=SubstepRecord(metrics={EVIL: EVIL}, inputs={EVIL: f'"{EVIL}'}, outputs={EVIL: EVIL})),
        replace(FACTS, producer=Producer(library=EVIL, origin=EVIL, commit=EVIL)),
    ],
)
def test_markup_in_what_the_page_shows_is_escaped(facts: RunFacts) -> None:
    for html in (report_html(_notebook(), facts), business_report_html(_notebook(), facts)):
        assert EVIL not in html
        assert "&lt;script&gt;" in html


def test_markup_in_printed_text_and_in_code_is_escaped() -> None:
    output = nbformat.v4.new_output("execute_result", data={"text/plain": EVIL})
    html = report_html(_notebook(_code(f"x = 1  # {EVIL}", _stream(EVIL), output)), FACTS)
    assert EVIL not in html
    assert html.count("&lt;script&gt;alert(") == 3


def test_a_progress_bar_is_shown_as_its_last_state() -> None:
    bar = "".join(f"\rload: {n}%" for n in range(101))
    outputs = [
        _stream("begin\n"),
        _stream(bar[:200], "stderr"),
        _stream(bar[200:] + "\r\n", "stderr"),
        _stream("end\n"),
    ]
    html = report_html(_notebook(_code("load()", *outputs)), FACTS)
    assert re.findall(r"load: \d+%", html) == ["load: 100%"]
    assert "begin" in html
    assert "end" in html


def test_rendering_leaves_the_notebook_as_it_was() -> None:
    notebook = _notebook(_code("a", _stream("1\r2\n"), _stream("3\n"), tag="business_report"))
    before = nbformat.writes(notebook)
    report_html(notebook, FACTS)
    business_report_html(notebook, FACTS)
    assert nbformat.writes(notebook) == before


def test_the_business_page_has_the_tagged_cells_outputs_and_no_code() -> None:
    notebook = _notebook(
        _code("secret_code()", _stream("internal\n")),
        _code("draw_curve()", _picture(), _stream("for the manager\n"), tag="business_report"),
    )
    html = business_report_html(notebook, FACTS)
    assert "for the manager" in html
    assert f"base64,{PNG}" in html
    for hidden in ("secret_code", "draw_curve", "internal"):
        assert hidden not in html
    whole = report_html(notebook, FACTS)
    for shown in ("secret_code", "draw_curve", "internal", "for the manager"):
        assert shown in whole


def test_a_picture_has_the_width_that_the_notebook_gave_it() -> None:
    picture = _picture()
    picture.metadata = nbformat.NotebookNode({"image/png": {"width": 640, "height": "evil"}})
    html = report_html(_notebook(_code("show()", picture, _picture())), FACTS)
    assert re.findall(r'base64,[^"]+"([^>/]*)/?>', html) == [' width="640"', ""]


def test_a_failed_run_shows_reason_and_failing_cell_on_top_and_no_code_to_the_manager() -> None:
    error = nbformat.v4.new_output("error", ename="ValueError", evalue="bad", traceback=["ValueError: bad"])
    later = nbformat.v4.new_markdown_cell("## Never reached", metadata={"tags": ["business_report"]})
    notebook = _notebook(_code("fine()"), _code("broken_call()", error, tag="business_report"), later)
    facts = replace(FACTS, result="FAIL", reason="data_load.ipynb, 'Read': ValueError: bad")
    html = unescape(report_html(notebook, facts))
    assert html.index("data_load.ipynb, 'Read'") < html.index("broken_call") < html.index("fine")
    business = business_report_html(notebook, facts)
    assert "broken_call" not in business
    assert "Never reached" not in business


@pytest.mark.parametrize(("result", "status"), [("SUCCESS", "COMPLETE"), ("FAIL", "FAILED"), ("STOPPED", "STOPPED")])
def test_runinfo_has_sinaramls_fields_with_a_true_status_and_utc_times(result: str, status: str) -> None:
    info: dict[str, Any] = json.loads(run_info(replace(FACTS, result=result)))
    named = """start_time stop_time duration result status pipeline_params step_params substeps_params inputs outputs
    tmp origin commit step_name input_nb_name output_nb_name sinara_version sinara_server_image outputs_url
    notebook_report_url"""
    assert set(named.split()) <= set(info)
    assert (info["result"], info["status"]) == (result, status)
    assert datetime.fromisoformat(info["start_time"]) == START
    assert datetime.fromisoformat(info["start_time"]).utcoffset() == timedelta(0)
    assert info["duration"] == 90.0
    assert info["substeps_params"] == [{"substep_name": "data_load.ipynb", "substep_params": FACTS.substep_params}]
    assert info["notebook_report_url"] == FACTS.report_url


def test_metrics_json_holds_the_run_id_and_every_metric() -> None:
    assert json.loads(metrics_json(FACTS)) == {"run_id": FACTS.run_id, "AP50": 0.123456, "best": "epoch_2"}
