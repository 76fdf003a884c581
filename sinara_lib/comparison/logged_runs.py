"""Which runs' TensorBoard logs to look at, and where to lay them when nobody says."""

import shutil
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import platformdirs

from sinara_lib.catalog.find import find_run
from sinara_lib.layout import RunAddress
from sinara_lib.runs.tensorboard_logs import LOGS_ENTITY
from sinara_lib.settings import Settings
from sinara_lib.store import ArtifactStore

LoggedRun = tuple[ArtifactStore, RunAddress]


def named_runs(settings: Settings, names: Sequence[str], *, env: str | None = None) -> Iterator[LoggedRun]:
    """Yield the runs that a person names, see `find_run`."""
    for name in names:
        target = find_run(settings, name, env=env)
        if isinstance(target.address, RunAddress):
            yield target.store, target.address


def newest_logged_runs(
    store: ArtifactStore, *, limit: int, pipeline: str | None = None, step: str | None = None
) -> Iterator[LoggedRun]:
    """Yield the newest `limit` runs with logs of each step of a store, or of those that `pipeline` and `step` name."""
    for each in store.steps():
        if pipeline in {None, each.pipeline} and step in {None, each.step}:
            logged = (run for run in store.runs(each) if store.is_committed(run.entity(LOGS_ENTITY)))
            yield from ((store, run) for run in islice(logged, limit))


def new_log_cache() -> Path:
    """Return an empty folder among the user's caches; what lay there before is gone."""
    folder = Path(platformdirs.user_cache_dir("sinara", appauthor=False)) / "tensorboard"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder
