"""The earlier run of the pipeline that a part of it goes on from: found, and refused where it does not fit."""

from collections.abc import Sequence

from sinara_lib.errors import ArtifactNotFoundError, LayoutError, ParamsError
from sinara_lib.layout import is_pipeline_run_id, split_pipeline_run_url, split_run_url
from sinara_lib.settings import Settings
from sinara_lib.store import store_at
from sinara_lib.store.pipeline_record import PipelineRunRecord, PipelineStatus, StepOfRun, StepState
from sinara_lib.store.pipeline_runs import PipelineRuns


def find_base(runs: PipelineRuns, text: str | None, *, needed: Sequence[str]) -> PipelineRunRecord | None:
    """Return the run that `text` names, or else the newest whole one; None where there is no whole one.

    Raises ArtifactNotFoundError when the named run is not there or lacks a step of `needed`, ParamsError for a run of
    another pipeline, LayoutError for what names no run of a pipeline.
    """
    if text is None:
        return next((one for one in runs.newest_first(PipelineStatus.SUCCESS) if is_whole(one)), None)
    run_id = _id_within(runs, text)
    record = runs.record(run_id)
    if record is None:
        raise ArtifactNotFoundError(
            f"--base {text}: {runs.url_of(run_id)} does not exist; see `sinara ls --pipelines`."
        )
    good = {step.name for step in record.steps if step.state.is_good}
    if missing := [name for name in needed if name not in good]:
        raise ArtifactNotFoundError(
            f"--base {text}: that run has no good {', '.join(missing)}; begin with {missing[0]}."
        )
    return record


def is_whole(record: PipelineRunRecord) -> bool:
    """Tell whether every step of a run is good."""
    return all(step.state.is_good for step in record.steps)


def taken_steps(record: PipelineRunRecord, names: Sequence[str], settings: Settings) -> list[StepOfRun]:
    """Return the steps `names` of a base as those of the run that goes on from it.

    Raises ArtifactNotFoundError when the run of one is gone, or can be read no more.
    """
    return [_taken(record.step(name), record.run_id, settings) for name in names]


def _taken(step: StepOfRun, base: str, settings: Settings) -> StepOfRun:
    url = str(step.run)
    root, address = split_run_url(url)
    store = next((one for env in settings.roots if (one := settings.store(env)).url == root), None) or store_at(root)
    found = store.run_record(address)
    if found is None or not found.status.resolvable:
        state = "gone" if found is None else found.status.value
        raise ArtifactNotFoundError(f"{url}, which {base} has as its {step.name}, is {state}: begin with {step.name}.")
    return StepOfRun(name=step.name, state=StepState.KEPT, run=url, reason=f"taken from {base}")


def _id_within(runs: PipelineRuns, text: str) -> str:
    if is_pipeline_run_id(text):
        return text
    if "/" not in text:
        raise LayoutError(
            f"--base {text}: neither the id of a pipeline's run (pipeline-YY-MM-DD-HHMMSS-mmm) nor a URL of one; "
            "see `sinara ls --pipelines`."
        )
    root, address = split_pipeline_run_url(text)
    if f"{root}/{address.path}" != runs.url_of(address.run_id):
        raise ParamsError(
            f"--base {text}: that is a run of another pipeline; this one's lie in {runs.url_of(address.run_id)}."
        )
    return address.run_id
