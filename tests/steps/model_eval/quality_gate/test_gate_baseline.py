"""The baseline is the last run that passed on the same ground truth; whatever else is there is said in words."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from quality_gate.baseline import find_baseline
from sinara_lib.layout import RunAddress, StepAddress
from sinara_lib.store import ArtifactStore, publish_folder, store_at
from sinara_lib.store.manifest import Producer, RunRecord, RunStatus

STEP = StepAddress("obj_detect_rest", "test", "model_eval")
AddRun = Callable[..., RunAddress]


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return store_at(str(tmp_path / "user"))


@pytest.fixture
def add_run(store: ArtifactStore, tmp_path: Path) -> AddRun:
    def add(
        *, ap50: float, passed: bool = True, truth: str = "same", status: RunStatus = RunStatus.SUCCESS, lacks: str = ""
    ) -> RunAddress:
        number = len(store.runs(STEP))
        now = datetime(2026, 1, 1, tzinfo=timezone.utc) + timedelta(hours=number)
        record = RunRecord(run_id="", status=RunStatus.RUNNING, started=now, producer=Producer(library="test"))
        run = store.start_run(STEP, record, now=now)
        page = {"run_id": run.run_id, "ground_truth": truth, "metrics": {"AP50": ap50}, "gate": [{"passed": passed}]}
        page.pop(lacks, None)
        folder = tmp_path / f"report{number}"
        folder.mkdir()
        (folder / "metrics.json").write_text(json.dumps(page))
        publish_folder(folder, store.url_of(run.entity("model_quality_report")))
        record = store.run_record(run)
        assert record is not None
        store.replace_record(run, record.model_copy(update={"status": status}))
        return run

    return add


@pytest.fixture
def own_url(store: ArtifactStore, add_run: AddRun) -> str:
    """The URL of the run that asks, older than all others."""
    return store.url_of(add_run(ap50=0.99))


def test_the_newest_run_that_passed_is_taken(own_url: str, add_run: AddRun) -> None:
    add_run(ap50=0.1)
    expected = add_run(ap50=0.2)
    add_run(ap50=0.3, passed=False, status=RunStatus.FAILED)
    add_run(ap50=0.4, passed=False, status=RunStatus.INTERACTIVE)
    add_run(ap50=0.5, status=RunStatus.REMOVING)
    add_run(ap50=0.6, truth="other")
    add_run(ap50=0.7, lacks="metrics")
    found = find_baseline("last", run_url=own_url, ground_truth="same")
    assert (found.run_id, found.metrics, found.missing) == (expected.run_id, {"AP50": 0.2}, False)


def test_the_run_itself_is_no_baseline(own_url: str) -> None:
    found = find_baseline("last", run_url=own_url, ground_truth="same")
    assert (found.run_id, found.missing) == ("", False)
    assert found.words == "No earlier run passed the gate. There is nothing to compare with."


def test_runs_on_other_ground_truth_are_counted_in_words(own_url: str, add_run: AddRun) -> None:
    add_run(ap50=0.6, truth="other")
    found = find_baseline("last", run_url=own_url, ground_truth="same")
    assert "on this ground truth (1 on other ground truth)" in found.words


def test_a_run_may_be_named_by_its_url_or_its_reports(own_url: str, store: ArtifactStore, add_run: AddRun) -> None:
    run = add_run(ap50=0.2, passed=False)
    add_run(ap50=0.3)
    for url in (store.url_of(run), store.url_of(run) + "/", store.url_of(run.entity("model_quality_report"))):
        assert find_baseline(url, run_url=own_url, ground_truth="same").metrics == {"AP50": 0.2}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"truth": "other"}, "was measured on other ground truth"),
        ({"lacks": "metrics"}, "cannot be read: its metrics.json lacks metrics; an older version wrote it"),
    ],
)
def test_a_named_run_that_cannot_be_compared_is_missing(
    own_url: str, store: ArtifactStore, add_run: AddRun, change: dict[str, str], words: str
) -> None:
    found = find_baseline(store.url_of(add_run(ap50=0.2, **change)), run_url=own_url, ground_truth="same")
    assert (found.run_id, found.metrics, found.missing) == ("", {}, True)
    assert words in found.words


def test_a_named_run_that_was_removed_is_said_in_words(own_url: str, store: ArtifactStore, add_run: AddRun) -> None:
    run = add_run(ap50=0.2)
    store.fs.rm(f"{store.root}/{run.path}", recursive=True)
    found = find_baseline(store.url_of(run), run_url=own_url, ground_truth="same")
    assert found.missing
    assert found.words == f"The baseline {store.url_of(run)} is not in the store; was it removed?"


@pytest.mark.parametrize("asked", ["nonsense", "file:///nowhere/run-26-01-01-000000-000", "run-26-01-01-000000-000"])
def test_what_is_no_run_is_said_in_words(own_url: str, asked: str) -> None:
    found = find_baseline(asked, run_url=own_url, ground_truth="same")
    assert found.missing
    assert asked in found.words
