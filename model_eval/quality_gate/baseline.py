"""The run that a model is compared with: the last one that passed its gate on the same ground truth."""

from __future__ import annotations

from dataclasses import dataclass

from eval_params import LAST
from quality_gate.metrics import Metrics
from sinara_lib.errors import ArtifactError, ArtifactNotFoundError, LayoutError
from sinara_lib.gate import METRICS_PAGE, QUALITY_REPORT, ScoredModel, read_page
from sinara_lib.layout import is_run_id, split_run_url
from sinara_lib.store import ArtifactStore, open_entity, store_at


@dataclass(frozen=True)
class Baseline:
    """What a model is compared with, or why with nothing."""

    run_id: str
    """Empty where there is nothing to compare with."""
    metrics: Metrics
    words: str
    """In a sentence: which run it is, or why there is none."""
    missing: bool = False
    """True when a run was named and cannot be compared with: then no comparison is passed."""


def find_baseline(asked: str, *, run_url: str, ground_truth: str) -> Baseline:
    """Return the baseline of the run at `run_url`, whose ground truth has this id.

    `asked` is "last", or the URL of another run of this step or of its report. A run that is gone or was measured on
    other ground truth is said in words; it is no error.
    """
    if asked == LAST:
        return _last(run_url, ground_truth)
    last_name = asked.rstrip("/").rsplit("/", 1)[-1]
    url = f"{asked.rstrip('/')}/{QUALITY_REPORT}" if is_run_id(last_name) else asked
    try:
        page = read_page(open_entity(url).read(METRICS_PAGE), ScoredModel)
    except ArtifactNotFoundError:
        words = f"The baseline {asked} is not in the store; was it removed?"
        return Baseline("", metrics={}, words=words, missing=True)
    except (ArtifactError, LayoutError, ValueError) as error:
        return Baseline("", metrics={}, words=f"The baseline {asked} cannot be read: {error}", missing=True)
    if page.ground_truth != ground_truth:
        words = f"The baseline {page.run_id} was measured on other ground truth, so the scores cannot be compared."
        return Baseline("", metrics={}, words=words, missing=True)
    return _as_baseline(page)


def _last(run_url: str, ground_truth: str) -> Baseline:
    root, own = split_run_url(run_url)
    store, others = store_at(root), 0
    for run in store.runs(own.step):
        if run.run_id == own.run_id or not _resolvable(store, run_url=store.url_of(run)):
            continue
        try:
            page = read_page(open_entity(f"{store.url_of(run)}/{QUALITY_REPORT}").read(METRICS_PAGE), ScoredModel)
        except (ArtifactError, ValueError):
            continue  # an older or damaged report, or one that is being removed: the next older run is as good
        if not page.passed:
            continue
        if page.ground_truth == ground_truth:
            return _as_baseline(page)
        others += 1
    words = "No earlier run passed the gate"
    words += f" on this ground truth ({others} on other ground truth)." if others else "."
    return Baseline("", metrics={}, words=f"{words} There is nothing to compare with.")


def _resolvable(store: ArtifactStore, *, run_url: str) -> bool:
    try:
        record = store.run_record(split_run_url(run_url)[1])
    except ArtifactError:
        return False
    return record is not None and record.status.resolvable


def _as_baseline(page: ScoredModel) -> Baseline:
    return Baseline(page.run_id, metrics=page.metrics, words=f"Compared with {page.run_id}.")
