"""Names and URLs of the store: `<env root>/<pipeline>/<zone>/<step>/<run id>/<entity>`. Pure, no I/O."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from sinara_lib.errors import LayoutError

NAME = re.compile(r"[A-Za-z0-9_.-]+")
RUN_ID = re.compile(r"run-(\d\d-\d\d-\d\d-\d{6})(?:-([A-Za-z0-9_]+))?", re.ASCII)

PIPELINE_RUNS = "@runs"
"""Folder beside the steps' folders that holds the pipeline's runs; with its sign, no step can have the name."""
PIPELINE_RUN_ID = re.compile(r"pipeline-\d\d-\d\d-\d\d-\d{6}-\d{3}", re.ASCII)

_SECONDS = len("run-YY-MM-DD-HHMMSS")


def check_name(name: str, what: str) -> str:
    """Return `name` when it may stand in a URL. Raises LayoutError when it is empty, climbs or holds other signs."""
    if NAME.fullmatch(name) and name.strip("."):
        return name
    raise LayoutError(f"{what} name {name!r} is not usable: use letters, digits, '_', '-' and '.' (not dots alone).")


def entity_name(name: str) -> str:
    """Return the entity's name in the store: checked, with each dot turned into `_`."""
    return check_name(name, "entity").replace(".", "_")


def step_name(folder_name: str) -> str:
    """Return the step's name: its folder's name after the last `-` (`obj_detect-data_load` -> `data_load`)."""
    return check_name(folder_name.rsplit("-", 1)[-1], "step")


def new_run_id(now: datetime) -> str:
    """Return the run id of an aware time, to the millisecond: `run-26-11-21-013711-482` (UTC)."""
    utc = now.astimezone(timezone.utc)
    return f"run-{utc:%y-%m-%d-%H%M%S}-{utc.microsecond // 1000:03d}"


def run_sort_key(run_id: str) -> tuple[datetime, str]:
    """Return what run ids sort by: their time (UTC), then what follows it.

    SinaraML's ids without milliseconds are read too. Raises LayoutError for anything else.
    """
    match = RUN_ID.fullmatch(run_id)
    if match is None:
        raise LayoutError(f"{run_id!r} is not a run id: expected run-YY-MM-DD-HHMMSS, perhaps with -mmm.")
    year, month, day, clock = match[1].split("-")
    hour, minute, second = int(clock[:2]), int(clock[2:4]), int(clock[4:])
    try:  # by hand: strptime takes five times as long, and stores have thousands of runs
        time = datetime(int(_century(year) + year), int(month), int(day), hour, minute, second, tzinfo=timezone.utc)
    except ValueError as error:
        raise LayoutError(f"{run_id!r} is not a run id: its date and time do not exist ({error}).") from error
    return time, match[2] or ""


def run_id_order(run_id: str) -> tuple[str, str]:
    """Return what the text of run ids sorts by, cheaply: the order of `run_sort_key` for ids that are ones."""
    return _century(run_id[4:6]) + run_id[4:_SECONDS], run_id[_SECONDS:]


def sort_run_ids(names: Iterable[str]) -> list[str]:
    """Return the names that look like run ids, newest first; whether their dates exist is not asked."""
    return sorted(filter(RUN_ID.fullmatch, names), key=run_id_order, reverse=True)


def next_run_time(newest: str | None, now: datetime) -> datetime:
    """Return `now`, or the first time whose run id sorts after the run `newest` where the clock is behind that."""
    if newest is None:
        return now
    time, rest = run_sort_key(newest)
    if len(rest) == 3 and rest.isdecimal():
        return max(now, time + timedelta(milliseconds=int(rest) + 1))
    return max(now, time + timedelta(seconds=1 if rest else 0))


def is_run_id(name: str) -> bool:
    """Tell whether `name` is a run id."""
    try:
        run_sort_key(name)
    except LayoutError:
        return False
    return True


def new_pipeline_run_id(now: datetime) -> str:
    """Return the id of a pipeline's run at an aware time: `pipeline-26-11-21-013711-482` (UTC)."""
    return f"pipeline-{new_run_id(now).removeprefix('run-')}"


def is_pipeline_run_id(name: str) -> bool:
    """Tell whether `name` is the id of a pipeline's run."""
    return bool(PIPELINE_RUN_ID.fullmatch(name)) and is_run_id(f"run-{name.removeprefix('pipeline-')}")


def _century(year: str) -> str:
    """Return the first two digits of a year of two digits, as strptime reads it."""
    return "19" if year >= "69" else "20"


@dataclass(frozen=True)
class StepAddress:
    """A step's place in an environment's store."""

    pipeline: str
    zone: str
    step: str

    def __post_init__(self) -> None:
        check_name(self.pipeline, "pipeline")
        check_name(self.zone, "zone")
        check_name(self.step, "step")

    @property
    def path(self) -> str:
        """Path under the environment's root."""
        return f"{self.pipeline}/{self.zone}/{self.step}"


@dataclass(frozen=True)
class RunAddress:
    """A run of a step."""

    step: StepAddress
    run_id: str

    def __post_init__(self) -> None:
        run_sort_key(self.run_id)

    @property
    def path(self) -> str:
        """Path under the environment's root."""
        return f"{self.step.path}/{self.run_id}"

    def entity(self, name: str) -> "EntityAddress":
        """Return the address of an entity of this run."""
        return EntityAddress(self, entity_name(name))


@dataclass(frozen=True)
class PipelineRunAddress:
    """A run of a whole pipeline."""

    pipeline: str
    zone: str
    run_id: str

    def __post_init__(self) -> None:
        check_name(self.pipeline, "pipeline")
        check_name(self.zone, "zone")
        if not is_pipeline_run_id(self.run_id):
            raise LayoutError(f"{self.run_id!r} is no id of a pipeline's run: expected pipeline-YY-MM-DD-HHMMSS-mmm.")

    @property
    def folder(self) -> str:
        """Path, under the environment's root, of the folder of all runs of this pipeline."""
        return f"{self.pipeline}/{self.zone}/{PIPELINE_RUNS}"

    @property
    def path(self) -> str:
        """Path under the environment's root."""
        return f"{self.folder}/{self.run_id}"


@dataclass(frozen=True)
class EntityAddress:
    """What a run publishes under one name."""

    run: RunAddress
    name: str

    def __post_init__(self) -> None:
        if entity_name(self.name) != self.name:
            raise LayoutError(f"entity name {self.name!r} holds a dot; in the store it is {entity_name(self.name)!r}.")

    @property
    def path(self) -> str:
        """Path under the environment's root."""
        return f"{self.run.path}/{self.name}"


def split_run_url(url: str) -> tuple[str, RunAddress]:
    """Split a run's URL into the environment's root and the run's address. Raises LayoutError."""
    root, *names = url.rstrip("/").rsplit("/", 4)
    if len(names) != 4 or not root:
        raise LayoutError(f"{url} is not a run URL: expected <root>/<pipeline>/<zone>/<step>/<run id>.")
    pipeline, zone, step, run_id = names
    return root, RunAddress(StepAddress(pipeline, zone, step), run_id)


def split_pipeline_run_url(url: str) -> tuple[str, PipelineRunAddress]:
    """Split the URL of a pipeline's run into the environment's root and the run's address. Raises LayoutError."""
    root, *names = url.rstrip("/").rsplit("/", 4)
    if len(names) != 4 or not root or names[2] != PIPELINE_RUNS:
        raise LayoutError(
            f"{url} is no URL of a pipeline's run: expected <root>/<pipeline>/<zone>/{PIPELINE_RUNS}/<pipeline run id>."
        )
    return root, PipelineRunAddress(names[0], names[1], names[3])


def split_entity_url(url: str) -> tuple[str, EntityAddress]:
    """Split an entity's URL into the environment's root and the entity's address. Raises LayoutError."""
    run_url, _, name = url.rstrip("/").rpartition("/")
    try:
        root, run = split_run_url(run_url)
    except LayoutError as error:
        raise LayoutError(
            f"{url} is not an entity URL: expected <root>/<pipeline>/<zone>/<step>/<run id>/<entity>."
        ) from error
    return root, EntityAddress(run, name)
