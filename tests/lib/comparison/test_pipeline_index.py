"""The page in front of a pipeline's run: all steps, all reports, and a place that nothing takes for an artifact."""

import re
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from reported_runs import Reported
from sinara_lib.comparison.pipeline_index import write_index
from sinara_lib.layout import RunAddress
from sinara_lib.settings import Settings
from sinara_lib.settings_file import place_of
from sinara_lib.store import ArtifactStore, store_at
from sinara_lib.store.manifest import RunStatus
from store_cases import differences, lay_file


@pytest.fixture
def reported(store: ArtifactStore, now: datetime) -> Reported:
    """Makes runs with reports in a store, on every kind of filesystem."""
    return Reported(store, now)


def _write(reported: Reported, *runs: RunAddress) -> tuple[str, str]:
    place = place_of(reported.store.url)
    settings = Settings(None, (), {"user": reported.store.url}, {"user": place.storage if place else {}})
    url = write_index([reported.store.url_of(run) for run in runs], settings)
    path = f"{reported.store.root}{url.removeprefix(reported.store.url)}"
    return url, reported.store.fs.cat_file(path).decode()


def _chain(reported: Reported) -> list[RunAddress]:
    data = reported.run("load", metrics={"images": 7}, outputs={"d": b"d"})
    model = reported.run("train", inputs=[reported.store.url_of(data.entity("d"))], outputs={"m": b"m"})
    return [data, model, reported.run("eval", inputs=[reported.store.url_of(model.entity("m"))])]


def test_a_run_of_the_last_step_alone_still_shows_all_that_it_was_made_from(reported: Reported) -> None:
    data, model, score = _chain(reported)
    _other = reported.run("load")
    url, html = _write(reported, score)
    assert url == f"{reported.store.url}/rest/test/index.html"
    assert re.findall(r"<h2>(\w+) ", html) == ["load", "train", "eval"]
    links = re.findall(r'href="([^"]+)"', html)
    assert [link for link in links if link.endswith("/report.html")] == [
        f"{run.step.step}/{run.run_id}/reports_{run.step.step}_ipynb/report.html" for run in (data, model, score)
    ]
    for link in links:
        assert not urlsplit(link).scheme
        assert reported.store.fs.exists(f"{reported.store.root}/rest/test/{link}")


def test_of_a_step_that_read_an_earlier_run_of_itself_the_newest_run_is_shown(reported: Reported) -> None:
    def prepare(*earlier: RunAddress) -> tuple[RunAddress, RunAddress]:
        data = reported.run("load", outputs={"d": b"d"})
        read = [reported.store.url_of(one) for one in (data.entity("d"), *(run.entity("split") for run in earlier))]
        return data, reported.run("prep", inputs=read, outputs={"split": b"s"})

    _, first = prepare()
    data, second = prepare(first)
    _, html = _write(reported, second)
    assert re.findall(r"<h2>(\w+) ", html) == ["load", "prep"]
    assert data.run_id in html
    assert second.run_id in html


def test_the_page_is_no_artifact_and_is_written_anew(reported: Reported) -> None:
    runs = _chain(reported)
    before = reported.store.steps()
    _write(reported, *runs)
    url, html = _write(reported, runs[0])
    assert reported.store.steps() == before
    assert differences(reported.store) == []
    assert re.findall(r"<h2>(\w+) ", html) == ["load"]
    assert _write(reported, *runs)[0] == url


def test_a_step_that_nothing_after_it_has_read_is_shown_as_well(reported: Reported) -> None:
    lonely, score = reported.run("load"), reported.run("eval")
    assert re.findall(r"<h2>(\w+) ", _write(reported, lonely, score)[1]) == ["load", "eval"]


def test_a_step_that_failed_comes_first_with_what_it_was_to_be_made_from_below(reported: Reported) -> None:
    data = reported.run("load", outputs={"d": b"d"})
    inputs = [reported.store.url_of(data.entity("d"))]
    bad = reported.run("train", inputs=inputs, status=RunStatus.FAILED, reason="the loss became nan")
    html = _write(reported, data, bad)[1]
    assert re.findall(r"<h2>(\w+) ", html) == ["train", "load"]
    assert "the loss became nan" in html
    assert "2 steps, what failed on top" in html


def test_a_damaged_report_is_told_on_its_card(reported: Reported) -> None:
    run = reported.run("load")
    lay_file(reported.store, f"{run.path}/reports_load_ipynb/metrics.json", b"{")
    html = _write(reported, run)[1]
    assert "metrics.json: expected" in html
    assert "No report." in html


def test_markup_in_what_a_run_says_is_escaped(reported: Reported) -> None:
    evil = "<script>alert(1)</script>"
    run = reported.run("load", metrics={evil: evil}, status=RunStatus.FAILED, reason=evil)
    html = _write(reported, run)[1]
    assert "<script" not in html
    assert html.count("&lt;script&gt;") == 3


def test_runs_in_another_environment_are_linked_by_their_whole_url(tmp_path: Path, now: datetime) -> None:
    prod, user = (Reported(store_at(str(tmp_path / env)), now) for env in ("prod", "user"))
    data = prod.run("load", outputs={"d": b"d"})
    score = user.run("eval", inputs=[prod.store.url_of(data.entity("d"))])
    settings = Settings(None, (), {"user": user.store.url, "prod": prod.store.url})
    write_index([user.store.url_of(score)], settings)
    html = (tmp_path / "user" / "rest" / "test" / "index.html").read_text()
    assert f'href="{prod.store.url_of(data)}/reports_load_ipynb/report.html"' in html


def test_an_environment_without_its_key_does_not_spoil_the_end_of_a_run(tmp_path: Path, now: datetime) -> None:
    user = Reported(store_at(str(tmp_path / "user")), now)
    roots = {"user": user.store.url, "prod": "s3://far"}
    write_index(
        [user.store.url_of(user.run("load"))], Settings(None, (), roots, {"user": {}, "prod": {"key_env": "NONE"}})
    )
    assert (tmp_path / "user" / "rest" / "test" / "index.html").is_file()
