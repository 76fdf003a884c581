"""Runs of the pipeline described in lines of text: a list of them, and one with its steps."""

from collections.abc import Iterator

from sinara_lib.errors import ArtifactCorruptError, ArtifactNotFoundError
from sinara_lib.layout import is_pipeline_run_id, split_pipeline_run_url
from sinara_lib.store import ArtifactStore
from sinara_lib.store.pipeline_record import PipelineRunRecord, PipelineStatus, StepOfRun, StepState
from sinara_lib.store.pipeline_runs import PipelineRuns, pipelines_of, status_of
from sinara_lib.tables import text_table

_HEAD = ["pipeline run", "status", "user", "steps"]


def pipeline_rows(store: ArtifactStore) -> list[list[str]]:
    """Return a head, then id, status, user and states of the steps of each run of a pipeline, the oldest first."""
    rows = []
    for runs in pipelines_of(store):
        for run_id in reversed(runs.ids()):
            try:
                record = runs.record(run_id)
            except ArtifactCorruptError:
                rows.append([run_id, "(damaged record)", "", ""])
                continue
            if record is not None:
                rows.append([run_id, status_of(record).value, record.user, _states(record)])
    return [_HEAD, *sorted(rows)]


def names_pipeline_run(text: str) -> bool:
    """Tell whether `text` is the id or the URL of a pipeline's run, by its last part."""
    return is_pipeline_run_id(text.rstrip("/").rsplit("/", 1)[-1])


def find_pipeline_runs(store: ArtifactStore, text: str) -> list[tuple[PipelineRuns, PipelineRunRecord]]:
    """Return the runs of that id in any pipeline of the store, or the one at a URL.

    Raises ArtifactNotFoundError when there is none, ArtifactCorruptError when its record cannot be read.
    """
    if is_pipeline_run_id(text):
        places, run_id = pipelines_of(store), text
    else:
        root, address = split_pipeline_run_url(text)
        there = store if root == store.url else None
        if there is None:
            raise ArtifactNotFoundError(f"{text} does not lie in {store.url}: name its environment with --env.")
        places, run_id = [PipelineRuns(there, address.pipeline, address.zone)], address.run_id
    found = [(runs, record) for runs in places if (record := runs.record(run_id))]
    if not found:
        raise ArtifactNotFoundError(f"{store.url} has no {text}; `sinara ls --pipelines` lists the pipeline's runs.")
    return found


def pipeline_run_lines(runs: PipelineRuns, record: PipelineRunRecord) -> Iterator[str]:
    """Yield what is known of one run: when, by whom, why it failed, and a table of its steps."""
    finished = f"{record.finished:%H:%M:%S}" if record.finished else "not yet"
    status = status_of(record)
    killed = status is not record.status
    reason = "its process is gone; `sinara run --resume` goes on" if killed else record.reason
    yield runs.url_of(record.run_id)
    yield f"  status    {status.value}" + (f": {reason}" if reason else "")
    yield f"  time      {record.started:%Y-%m-%d %H:%M:%S} to {finished} UTC"
    yield f"  by        {record.user}, {record.library}"
    if record.base:
        yield f"  from      {record.base}"
    yield from text_table([["step", "state", "run", "why"], *(step_row(step) for step in record.steps)])


def step_row(step: StepOfRun) -> list[str]:
    """Return name, state, run and reason of a step; of a kept one the state says what it was kept from."""
    return [step.name, step.state.value, step.run or "-", step.reason or ""]


def _states(record: PipelineRunRecord) -> str:
    """Return how many steps stand how: `3 done, 2 kept`."""
    counts = {state: sum(step.state is state for step in record.steps) for state in StepState}
    gone = status_of(record) is PipelineStatus.FAILED
    words = {StepState.RUNNING: "stopped", StepState.WAITING: "not started"} if gone else {}
    return ", ".join(f"{count} {words.get(state, state.value)}" for state, count in counts.items() if count)
