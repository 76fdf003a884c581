"""One run of the pipeline while it goes on: every change of a step is recorded at once, from any thread."""

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timezone
from typing import Any

import sinara_lib
from sinara_lib.errors import SinaraError
from sinara_lib.layout import split_run_url
from sinara_lib.runs.instructions import Instructions
from sinara_lib.store.liveness import this_process
from sinara_lib.store.pipeline_record import PipelineRunRecord, PipelineStatus, StepOfRun, StepState
from sinara_lib.store.pipeline_runs import PipelineRuns
from sinara_lib.urls import params_without_credentials, without_credentials

log = logging.getLogger(__name__)


class RunInProgress:
    """A run of the pipeline whose record this process keeps true."""

    def __init__(self, runs: PipelineRuns, record: PipelineRunRecord) -> None:
        self._runs = runs
        self._record = record
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        """The run's URL; the runs of its steps name it."""
        return self._runs.url_of(self._record.run_id)

    @property
    def record(self) -> PipelineRunRecord:
        """The record as it was last written."""
        return self._record

    def instructions(self) -> Instructions:
        """Return what a step that starts now is told: this run, and the runs that were made or chosen so far."""
        good = [step.run for step in self._record.steps if step.run and step.state.is_good]
        chosen = {split_run_url(url)[1].step.step: url for url in good}
        return Instructions(pipeline_run=self.url, chosen=chosen)

    def step_starts(self, name: str) -> None:
        """Record that a step starts."""
        self._change(name, state=StepState.RUNNING, started=_now())

    def step_runs(self, name: str, run: str) -> None:
        """Record the run that a step has begun."""
        self._change(name, run=run)

    def step_done(self, name: str, run: str) -> None:
        """Record the run that a step has made."""
        self._change(name, state=StepState.DONE, run=run, finished=_now())

    def step_kept(self, name: str, run: str, reason: str) -> None:
        """Record that a step was not run, and which earlier run later steps read."""
        self._change(name, state=StepState.KEPT, run=run, reason=reason, finished=_now())

    def step_failed(self, name: str, reason: str) -> None:
        """Record that a step has failed."""
        self._change(name, state=StepState.FAILED, reason=without_credentials(reason), finished=_now())

    def step_not_started(self, name: str, reason: str) -> None:
        """Record that a step was not started, and why."""
        self._change(name, state=StepState.NOT_STARTED, reason=without_credentials(reason))

    def end(self, status: PipelineStatus, reason: str | None = None) -> None:
        """Record the end; steps that wait were not started."""
        with self._lock:
            left = {"state": StepState.NOT_STARTED, "reason": "the run ended before it"}
            steps = tuple(
                step.model_copy(update=left) if step.state is StepState.WAITING else step for step in self._record.steps
            )
            update = {"status": status, "finished": _now(), "reason": reason and without_credentials(reason)}
            self._write(self._record.model_copy(update={**update, "steps": steps}))

    def _change(self, name: str, **update: Any) -> None:
        with self._lock:
            self._write(self._record.with_step(self._record.step(name).model_copy(update=update)))

    def _write(self, record: PipelineRunRecord) -> None:
        self._runs.replace(record)
        self._record = record


@contextmanager
def started_run(
    runs: PipelineRuns,
    steps: Sequence[StepOfRun],
    *,
    user: str,
    call: dict[str, Any] | None = None,
    base: str | None = None,
    on_start: Callable[[str], object] | None = None,
) -> Iterator[RunInProgress]:
    """Start a run of the pipeline, and record how it ends: well, or by what the block raises.

    `call` is what was asked for, `base` the URL of the run from which steps were taken; `on_start` is told this run's.
    """
    record = PipelineRunRecord(
        run_id="",
        status=PipelineStatus.RUNNING,
        started=_now(),
        user=user,
        process=this_process(),
        call=params_without_credentials(call or {}),
        base=base,
        library=f"sinara_lib {sinara_lib.__version__}",
        steps=tuple(steps),
    )
    with _until_its_end(RunInProgress(runs, runs.start(record, now=record.started)), on_start) as run:
        yield run


@contextmanager
def resumed_run(
    runs: PipelineRuns, record: PipelineRunRecord, *, on_start: Callable[[str], object] | None = None
) -> Iterator[RunInProgress]:
    """Go on with a run that did not end well, and record how it ends, as `started_run` does."""
    update = {"status": PipelineStatus.RUNNING, "process": this_process(), "finished": None, "reason": None}
    with _until_its_end(RunInProgress(runs, runs.go_on(record.model_copy(update=update))), on_start) as run:
        yield run


@contextmanager
def _until_its_end(run: RunInProgress, on_start: Callable[[str], object] | None) -> Iterator[RunInProgress]:
    if on_start:
        on_start(run.url)
    try:
        yield run
    except BaseException as error:
        try:
            run.end(PipelineStatus.FAILED, str(error) or type(error).__name__)
        except SinaraError as later:  # what came first is the one to tell
            log.warning("the end of %s is not recorded: %s", run.url, later)
        raise
    run.end(PipelineStatus.SUCCESS)


def _now() -> datetime:
    return datetime.now(timezone.utc)
