"""Where a run's report is, opening it, and its short form for a pull request."""

import json
import re
from datetime import datetime
from pathlib import Path

import platformdirs
import pytest

from reported_runs import Reported
from sinara_lib.catalog.find import Target
from sinara_lib.cli.main import main
from sinara_lib.comparison.run_report import markdown, open_page, previous_run, read_base, report_pages
from sinara_lib.comparison.run_summary import RunSummary, read_summary
from sinara_lib.errors import ArtifactCorruptError, ArtifactNotFoundError, StoreUnavailableError
from sinara_lib.layout import RunAddress
from sinara_lib.store import ArtifactStore, store_at
from sinara_lib.store.manifest import RunStatus
from store_cases import lay_file

GATE = [{"name": "mean AP at IoU 0.50", "required": 0.5, "found": 0.625, "passed": True}]
QUALITY = "model_quality_report"


@pytest.fixture
def reported(store: ArtifactStore, now: datetime) -> Reported:
    """Makes runs with reports in a store, on every kind of filesystem."""
    return Reported(store, now)


def _summary(reported: Reported, run: RunAddress) -> RunSummary:
    return read_summary(Target(reported.store, run))


def _scored(reported: Reported, gate: object, *pictures: str) -> RunSummary:
    """A run that published a quality report."""
    run = reported.run("eval", metrics={"AP50": 0.625})
    record = reported.store.run_record(run)
    assert record is not None
    reported.store.replace_record(run, record.model_copy(update={"status": RunStatus.RUNNING}))
    pages = {name: b"png" for name in pictures} | {"report.html": b"<h1>", "metrics.json": json.dumps(gate).encode()}
    reported.publish(run, QUALITY, pages)
    reported.store.replace_record(run, record)
    return _summary(reported, run)


def test_the_quality_report_comes_first_then_each_notebooks_pages(reported: Reported) -> None:
    run = _scored(reported, {"gate": GATE})
    assert [page.url.removeprefix(f"{run.url}/") for page in report_pages(run)] == [
        "model_quality_report/report.html",
        "reports_eval_ipynb/report.html",
        "reports_eval_ipynb/business_report.html",
    ]


def test_markdown_has_the_gate_the_scores_with_their_change_three_pictures_and_links(reported: Reported) -> None:
    base = _summary(reported, reported.run("eval", metrics={"AP50": 0.5, "word": "a|b"}))
    run = _scored(reported, {"gate": GATE}, "a_curve.png", "b.png", "c.png", "curves.png")
    lines = list(markdown(run, base))
    assert lines[0] == f"### eval: SUCCESS ({run.run_id})"
    assert "Gate: passed (mean AP at IoU 0.50 0.625, threshold 0.500)." in lines
    assert f"| metric | {run.run_id} | {base.run_id} | change |" in lines
    assert "| AP50 | 0.625 | 0.5 | +0.125 |" in lines
    place = run.url.removeprefix("file://")
    assert [line for line in lines if line.startswith("!")] == [
        f"![curves]({place}/model_quality_report/curves.png)",
        f"![a curve]({place}/model_quality_report/a_curve.png)",
        f"![b]({place}/model_quality_report/b.png)",
    ]
    links = next(line for line in lines if line.startswith("Reports: "))
    assert f"[quality of the model]({place}/model_quality_report/report.html)" in links


def test_a_missed_bar_and_the_reason_of_a_failure_stand_on_top(reported: Reported) -> None:
    thresholds = [
        GATE[0] | {"passed": False, "verdict": "AP is 0.250, 0.250 below the threshold of 0.500"},
        {"name": "AP_bus", "passed": False, "found": None},
    ]
    run = _scored(reported, {"gate": thresholds})
    assert "Gate: NOT PASSED (AP is 0.250, 0.250 below the threshold of 0.500; AP_bus not measured)." in list(
        markdown(run, None)
    )
    failed = _summary(reported, reported.run("eval", status=RunStatus.FAILED, reason="too\nlow"))
    assert list(markdown(failed, None))[:3] == [f"### eval: FAILED ({failed.run_id})", "", "> too low"]


@pytest.mark.parametrize(
    "gate", [[], {}, {"gate": 3}, {"gate": [{}]}, {"gate": [{"name": "a", "passed": 1, "found": "x"}]}]
)
def test_a_gate_that_cannot_be_read_is_not_called_passed(reported: Reported, gate: object) -> None:
    (line,) = [line for line in markdown(_scored(reported, gate), None) if line.startswith("Gate: ")]
    assert line.startswith("Gate: not known: ")
    assert "has no readable gate" in line


def test_the_base_is_the_steps_success_before_the_run_unless_one_is_named(reported: Reported) -> None:
    first, failed = reported.run(), reported.run(status=RunStatus.FAILED)
    run, _later = _summary(reported, reported.run()), reported.run()
    before = previous_run(run)
    assert before is not None
    assert before.address == first
    assert previous_run(_summary(reported, first)) is None
    base = read_base(run, Target(reported.store, failed))
    assert base is not None
    assert base.address == failed


def test_a_run_without_an_earlier_one_says_so_and_makes_up_no_change(reported: Reported) -> None:
    run = _summary(reported, reported.run(metrics={"AP50": 0.5}))
    assert "| AP50 | 0.5 | - |  |" in list(markdown(run, None))
    assert f"| metric | {run.run_id} | no earlier run | change |" in list(markdown(run, None))


def test_markup_does_not_break_the_table(reported: Reported) -> None:
    lines = list(markdown(_summary(reported, reported.run(metrics={"a|b": "<img src=x>\n| c"})), None))
    assert r"| a\|b | &lt;img src=x> \| c | - |  |" in lines


def test_a_damaged_page_of_facts_is_told_and_what_can_be_read_is_shown(reported: Reported) -> None:
    run = reported.run(metrics={"AP50": 0.5})
    page = f"{run.path}/reports_train_ipynb/runinfo.json"
    size = reported.store.fs.size(f"{reported.store.root}/{page}")
    lay_file(reported.store, page, b"{" * size)
    lines = list(markdown(_summary(reported, run), None))
    assert any(line.startswith("> cannot be read: ") and "runinfo.json" in line for line in lines)
    assert "| AP50 | 0.5 | - |  |" in lines


def test_a_run_without_report_and_one_whose_report_is_broken_are_told_apart(reported: Reported) -> None:
    run = reported.run()
    reported.store.fs.rm(f"{reported.store.root}/{run.path}/reports_train_ipynb/report.html")
    with pytest.raises(ArtifactCorruptError, match=r"report\.html is missing; its manifest promises it"):
        report_pages(_summary(reported, run))
    reported.store.fs.rm(f"{reported.store.root}/{run.path}/reports_train_ipynb", recursive=True)
    with pytest.raises(ArtifactNotFoundError, match=r"\(SUCCESS\) has no report"):
        report_pages(_summary(reported, run))


def test_a_report_of_sinaraml_is_found(reported: Reported) -> None:
    summary = _summary(reported, reported.foreign())
    assert [page.name for page in report_pages(summary)] == ["report.html"]
    assert "| AP50 | 0.4 | - |  |" in list(markdown(summary, None))


def test_a_page_is_opened_where_it_lies_and_from_far_away_fetched_first(
    reported: Reported, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    monkeypatch.setattr(platformdirs, "user_cache_dir", lambda *_, **__: str(tmp_path / "cache"))
    monkeypatch.setattr("webbrowser.open", lambda url: opened.append(url) or True)
    page = report_pages(_summary(reported, reported.run()))[0]
    path = open_page(page)
    assert opened == [f"file://{path}"]
    assert Path(path).read_text() == "<h1>report</h1>"
    assert open_page(page) == path
    monkeypatch.setattr("webbrowser.open", lambda url: False)
    with pytest.raises(StoreUnavailableError, match="No browser could be started; open /"):
        open_page(page)


def test_the_command_prints_paths_or_markdown_and_refuses_an_unknown_run_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, now: datetime, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SINARA_PROD_ROOT", str(tmp_path / "prod"))
    monkeypatch.chdir(tmp_path)
    reported = Reported(store_at(str(tmp_path / "prod")), now)
    base, run = reported.run(metrics={"AP50": 0.5}), reported.run(metrics={"AP50": 0.75})
    assert main(["report", run.run_id]) == 0
    assert capsys.readouterr().out.splitlines()[0].split() == [
        f"{tmp_path}/prod/rest/test/train/{run.run_id}/reports_train_ipynb/report.html",
        "(train.ipynb)",
    ]
    assert main(["report", run.run_id, "--format", "md"]) == 0
    assert "| AP50 | 0.75 | 0.5 | +0.25 |" in capsys.readouterr().out
    assert main(["report", run.run_id, "--format", "md", "--base", "run-26-01-01-000000-000"]) == 1
    assert "No run run-26-01-01-000000-000 in user, test, prod" in capsys.readouterr().out
    assert main(["report", base.run_id, "--env", "user"]) == 1
    assert "Traceback" not in capsys.readouterr().out


def test_a_comment_calls_nobody_and_refers_to_no_issue(reported: Reported) -> None:
    call = "@team closes #12, GH-3 and a/b#4"
    failed = reported.run("eval", metrics={call: call}, status=RunStatus.FAILED, reason=f"by {call}")
    run = _summary(reported, failed)
    text = "\n".join(markdown(run, None))
    assert re.search(r"@[\w-]|#\d|GH-\d", text) is None
    assert text.replace("\u2060", "").count(call) == 3
