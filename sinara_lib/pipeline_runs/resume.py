"""A run of the pipeline that failed or was killed goes on: under its own id, with the steps that it has."""

import logging
from dataclasses import dataclass

from sinara_lib.catalog.pipeline_show import find_pipeline_runs, names_pipeline_run
from sinara_lib.errors import ArtifactCorruptError, ArtifactNotFoundError, LayoutError, StepFailedError
from sinara_lib.layout import split_run_url
from sinara_lib.store import ArtifactStore
from sinara_lib.store.pipeline_record import PipelineRunRecord, PipelineStatus, StepOfRun, StepState
from sinara_lib.store.pipeline_runs import PipelineRuns, pipelines_of, status_of

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class UnfinishedRun:
    """A run to go on with: where it lies, its record as it goes on, and the runs that unfinished steps have left."""

    runs: PipelineRuns
    record: PipelineRunRecord
    unfinished: dict[str, str]


def find_unfinished(store: ArtifactStore, text: str | None, *, steps: list[str]) -> UnfinishedRun:
    """Return the run that `text` names, or else the newest that did not end well, of a pipeline of these steps.

    Raises ArtifactNotFoundError when there is none, StepFailedError for one that ended well or still runs.
    """
    if text is not None and not names_pipeline_run(text):
        raise LayoutError(f"--resume {text}: no run of a pipeline; `sinara ls --pipelines` lists them.")
    runs, record = find_pipeline_runs(store, text)[0] if text else _newest_failed(store, steps)
    status = status_of(record)
    if status is PipelineStatus.SUCCESS:
        raise StepFailedError(f"{record.run_id} cannot be resumed: it ended well.")
    if status is PipelineStatus.RUNNING:
        raise StepFailedError(f"{record.run_id} cannot be resumed: it still runs, as far as can be known from here.")
    if [step.name for step in record.steps] != steps:
        other = ", ".join(step.name for step in record.steps)
        raise StepFailedError(f"{record.run_id} cannot be resumed: its steps are {other}, here they are {steps}.")
    asked = [str(name) for name in record.call.get("steps", steps)]
    unfinished = {s.name: s.run for s in record.steps if s.run and not s.state.is_good and s.name in asked}
    goes_on = tuple(_goes_on(store, step, asked) for step in record.steps)
    return UnfinishedRun(runs, record.model_copy(update={"steps": goes_on}), unfinished)


def _newest_failed(store: ArtifactStore, steps: list[str]) -> tuple[PipelineRuns, PipelineRunRecord]:
    found = []
    for runs in pipelines_of(store):
        try:
            found += [(runs, record) for run_id in runs.ids()[:1] if (record := runs.record(run_id))]
        except ArtifactCorruptError as error:
            log.warning("passed over: %s", error)
    found = [(runs, record) for runs, record in found if [step.name for step in record.steps] == steps]
    if not found:
        raise ArtifactNotFoundError(f"{store.url} has no run of this pipeline; see `sinara ls --pipelines`.")
    return max(found, key=lambda each: each[1].run_id)


def _goes_on(store: ArtifactStore, step: StepOfRun, asked: list[str]) -> StepOfRun:
    """Return a step as it stands when its run goes on: good ones stay, where their runs can still be read."""
    if step.name not in asked:
        return step
    record = store.run_record(split_run_url(step.run)[1]) if step.state.is_good and step.run else None
    if record is not None and record.status.resolvable:
        return step
    return StepOfRun(name=step.name, state=StepState.WAITING)
