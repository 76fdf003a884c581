"""Which runs of the pipeline stay, and which runs of steps stay for their sake."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from sinara_lib.catalog.retention import Rules
from sinara_lib.errors import ArtifactCorruptError
from sinara_lib.store import ArtifactStore
from sinara_lib.store.liveness import is_process_alive
from sinara_lib.store.pipeline_record import PipelineRunRecord, PipelineStatus
from sinara_lib.store.pipeline_runs import PipelineRuns, pipelines_of

Places = Callable[[str], frozenset[str]]


@dataclass(frozen=True)
class FoundPipelineRun:
    """A run of the pipeline as it was found; `record` is None where `damage` says why it cannot be read."""

    runs: PipelineRuns
    run_id: str
    record: PipelineRunRecord | None
    damage: str | None = None

    @property
    def url(self) -> str:
        """The run's URL."""
        return self.runs.url_of(self.run_id)

    def places(self, places: Places) -> frozenset[str]:
        """Return the places of the runs of steps that it has made or kept."""
        good = [step.run for step in (self.record.steps if self.record else ()) if step.run and step.state.is_good]
        return frozenset().union(*(places(f"{url}/entity") for url in good))


def read_pipeline_runs(store: ArtifactStore) -> list[FoundPipelineRun]:
    """Return every run of a pipeline in a store, newest first in each."""
    return [_read(runs, run_id) for runs in pipelines_of(store) for run_id in runs.ids()]


def choose_pipeline_runs(found: Sequence[FoundPipelineRun], rules: Rules) -> list[FoundPipelineRun]:
    """Return the runs that every given rule selects.

    `keep_last` counts per pipeline, good and failed ones apart. Those at work stay, those that nobody can read, and the
    newest that ended well.
    """
    ranks: dict[tuple[str, bool], int] = {}
    chosen = []
    for run in found:
        if run.record is None or _is_at_work(run.record, rules) or {run.run_id, run.url} & rules.keep:
            continue
        good = run.record.status is PipelineStatus.SUCCESS
        group = (run.url.rpartition("/")[0], good)
        ranks[group] = ranks.get(group, 0) + 1
        old = rules.older_than is None or rules.now - run.record.started > rules.older_than
        few = rules.keep_last is not None and ranks[group] <= rules.keep_last
        if rules.given and old and not few and not (good and ranks[group] == 1):
            chosen.append(run)
    return chosen


def places_in_use(found: Iterable[FoundPipelineRun], places: Places) -> dict[str, frozenset[str]]:
    """Return by the URL of each run the places of its steps' runs."""
    return {run.url: run.places(places) for run in found}


def _is_at_work(record: PipelineRunRecord, rules: Rules) -> bool:
    if record.status is not PipelineStatus.RUNNING:
        return False
    lives = is_process_alive(record.process) if record.process else None
    return (rules.older_than is None or rules.now - record.started <= rules.older_than) if lives is None else lives


def _read(runs: PipelineRuns, run_id: str) -> FoundPipelineRun:
    try:
        return FoundPipelineRun(runs, run_id, runs.record(run_id))
    except ArtifactCorruptError as error:
        return FoundPipelineRun(runs, run_id, None, str(error))
