"""TensorBoard's event files: where a notebook writes them, publishing them with the run, gathering those of many runs.

<folder of the run's temporary files>/tensorboard/<log name>/<run id>/...    while the run goes on
<run>/tensorboard_logs/<log name>/...                                        what is published
<folder>/<log name>/<run id>/...                                             what `tensorboard --logdir` is given
"""

import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from sinara_lib.errors import ArtifactNotFoundError
from sinara_lib.layout import RunAddress, check_name
from sinara_lib.store import ArtifactStore
from sinara_lib.store.entity_folder import fetch_files, put_files

LOGS_ENTITY = "tensorboard_logs"
_MARK = "tfevents"


def log_folder(tmp: Path, log_name: str, run_id: str) -> Path:
    """Make and return the folder that a run writes the event files of one log into; its siblings are other runs'."""
    folder = tmp / "tensorboard" / check_name(log_name, "log") / run_id
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def publish_logs(tmp: Path, store: ArtifactStore, run: RunAddress) -> str | None:
    """Publish the event files that a run has written as its entity `tensorboard_logs`; return its URL, if any.

    Published once: a later call changes nothing. Files are numbered in the order they were begun in: the names that
    writers give them hold the machine's name.
    """
    if store.is_committed(run.entity(LOGS_ENTITY)):
        return store.url_of(run.entity(LOGS_ENTITY))
    with tempfile.TemporaryDirectory(prefix="sinara-logs-") as folder:
        for log in sorted((tmp / "tensorboard").glob(f"*/{run.run_id}")):
            for place in (log, *filter(Path.is_dir, sorted(log.rglob("*")))):
                target = Path(folder, log.parent.name, place.relative_to(log))
                for number, file in enumerate(_event_files(place)):
                    target.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(file, target / f"events.out.{_MARK}.{number:03d}")
        if not any(Path(folder).iterdir()):
            return None
        with store.begin(run.entity(LOGS_ENTITY)) as writer:
            put_files(writer, Path(folder))
    return store.url_of(run.entity(LOGS_ENTITY))


def gather_logs(runs: Iterable[tuple[ArtifactStore, RunAddress]], folder: Path) -> list[RunAddress]:
    """Lay the published logs of runs into `folder`, and return those of the runs that have any.

    What an earlier call laid there stays, so that a folder can grow; logs of the same runs are laid anew.
    Raises ArtifactNotFoundError when none of them has any.
    """
    found = []
    asked = list(runs)
    for store, run in asked:
        address = run.entity(LOGS_ENTITY)
        if not store.is_committed(address):
            continue
        with tempfile.TemporaryDirectory(prefix="sinara-logs-") as fetched:
            fetch_files(store.open(address), Path(fetched))
            for log in sorted(Path(fetched).iterdir()):
                target = folder / log.name / run.run_id
                shutil.rmtree(target, ignore_errors=True)
                shutil.copytree(log, target)
        found.append(run)
    if not found:
        raise ArtifactNotFoundError(
            f"No logs among {len(asked)} run(s) looked at: model_train publishes them as {LOGS_ENTITY}, and so does "
            "any notebook that writes event files into substep.tensorboard_log_dir()."
        )
    return found


def _event_files(folder: Path) -> Iterator[Path]:
    """Yield the event files right in a folder, by the time in their names."""
    yield from sorted(file for file in folder.iterdir() if file.is_file() and _MARK in file.name)
