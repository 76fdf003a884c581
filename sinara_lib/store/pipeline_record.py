"""The record of a pipeline's run: which steps, which of their runs, how far it came, by whom and why. Pure data."""

from enum import Enum
from typing import Any, Final, Literal

from pydantic import AwareDatetime, Field

from sinara_lib.store.manifest import Process
from sinara_lib.store.record import Record, parse_record

PIPELINE_RUN_FILE = "_PIPELINE_RUN.json"
PIPELINE_RUN_FORMAT: Final = 1


class StepState(str, Enum):
    """Where a step of a pipeline's run stands."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    KEPT = "kept"
    """Not run: an earlier run of it has made what this one would make."""
    FAILED = "failed"
    NOT_STARTED = "not started"
    """What it needs was not made."""

    @property
    def is_good(self) -> bool:
        """Whether later steps can read what there is."""
        return self in {StepState.DONE, StepState.KEPT}


class PipelineStatus(str, Enum):
    """Where a pipeline's run stands."""

    RUNNING = "RUNNING"
    SUCCESS = "SUCCESS"
    FAILED = "FAILED"


class StepOfRun(Record):
    """A step in a pipeline's run: its state, the URL of the run that was made or chosen, and why."""

    name: str
    state: StepState = StepState.WAITING
    run: str | None = None
    reason: str | None = None
    started: AwareDatetime | None = None
    finished: AwareDatetime | None = None


class PipelineRunRecord(Record):
    """A pipeline run's `_PIPELINE_RUN.json`. Times are UTC; `steps` are all of the pipeline, in their order."""

    format: Literal[1] = PIPELINE_RUN_FORMAT
    run_id: str
    status: PipelineStatus
    started: AwareDatetime
    finished: AwareDatetime | None = None
    reason: str | None = None
    user: str
    process: Process | None = None
    call: dict[str, Any] = Field(default_factory=dict)
    """What was asked for: steps, params file, base, what was forced."""
    base: str | None = None
    """URL of the pipeline's run whose steps before the first chosen one were taken."""
    library: str
    attempts: int = 1
    """How often it was started: once, and each time that it went on after it had failed."""
    steps: tuple[StepOfRun, ...]

    def step(self, name: str) -> StepOfRun:
        """Return the step of that name."""
        return next(step for step in self.steps if step.name == name)

    def with_step(self, changed: StepOfRun) -> "PipelineRunRecord":
        """Return the record with one step replaced."""
        steps = tuple(changed if step.name == changed.name else step for step in self.steps)
        return self.model_copy(update={"steps": steps})


def read_pipeline_record(data: bytes, url: str) -> PipelineRunRecord:
    """Parse the record of a pipeline's run. Raises ArtifactCorruptError when it is broken or of a newer format."""
    return parse_record(PipelineRunRecord, data, url)
