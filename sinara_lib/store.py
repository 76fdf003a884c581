"""The artifact store of one environment: runs and their entities under a root, over any fsspec filesystem."""

import os
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from fsspec import AbstractFileSystem
from fsspec.implementations.local import LocalFileSystem

from sinara_lib.entity import EntityReader
from sinara_lib.entity_writer import EntityWriter
from sinara_lib.errors import ArtifactExistsError, ArtifactNotFoundError
from sinara_lib.layout import (
    NAME,
    EntityAddress,
    RunAddress,
    StepAddress,
    is_run_id,
    new_run_id,
    run_sort_key,
    split_entity_url,
)
from sinara_lib.manifest import RUN_FILE, SUCCESS_FILE, Manifest, RunRecord, RunStatus, read_run_record
from sinara_lib.progress import progress
from sinara_lib.store_root import connect


class ArtifactStore:
    """Runs and entities below `root` on `fs`. Times come in from the caller, so that tests can hold the clock."""

    def __init__(self, fs: AbstractFileSystem, root: str, *, url: str) -> None:
        self.fs = fs
        self.root = root.rstrip("/")
        self.url = url.rstrip("/")

    def url_of(self, address: StepAddress | RunAddress | EntityAddress) -> str:
        """Return the URL of a step, run or entity."""
        return f"{self.url}/{address.path}"

    def start_run(self, step: StepAddress, record: RunRecord, *, now: datetime) -> RunAddress:
        """Create a run exclusively and return its address.

        An empty `record.run_id` asks for a new one: the time `now`, moved on by a millisecond at each collision.
        Raises ArtifactExistsError when a given id is taken.
        """
        given = record.run_id
        for attempt in range(1000):
            run_id = given or _later(now, attempt)
            run = RunAddress(step, run_id)
            data = record.model_copy(update={"run_id": run_id}).model_dump_json(indent=1).encode()
            if _claim(self.fs, self._path(run), data):
                return run
            if given:
                break
        raise ArtifactExistsError(f"{self.url}/{step.path}: run {given or 'ids around now'} exists; choose another id.")

    def run_record(self, run: RunAddress) -> RunRecord | None:
        """Return a run's record; None for a run that SinaraML wrote or that does not exist."""
        path = f"{self._path(run)}/{RUN_FILE}"
        try:
            data = self.fs.cat_file(path)
        except FileNotFoundError:
            return None
        return read_run_record(data, path)

    def replace_record(self, run: RunAddress, record: RunRecord) -> None:
        """Replace a run's record at one stroke."""
        _replace(self.fs, f"{self._path(run)}/{RUN_FILE}", record.model_dump_json(indent=1).encode())

    def runs(self, step: StepAddress) -> list[RunAddress]:
        """Return the runs of a step, newest first; one listing."""
        return sorted(
            (RunAddress(step, name) for name in self._names(step.path) if is_run_id(name)),
            key=lambda run: run_sort_key(run.run_id),
            reverse=True,
        )

    def entities(self, run: RunAddress) -> list[EntityAddress]:
        """Return the committed entities of a run, by name."""
        names = [n for n in self._names(run.path) if not n.startswith("_") and "." not in n]
        return [e for e in (EntityAddress(run, n) for n in sorted(names)) if self.is_committed(e)]

    def steps(self) -> list[StepAddress]:
        """Return every step that has a folder under the root."""
        return [
            StepAddress(pipeline, zone, step)
            for pipeline in self._names("")
            for zone in self._names(pipeline)
            for step in self._names(f"{pipeline}/{zone}")
        ]

    def is_committed(self, entity: EntityAddress) -> bool:
        """Tell whether the entity stands complete."""
        return bool(self.fs.exists(f"{self._path(entity)}/{SUCCESS_FILE}"))

    def begin(self, entity: EntityAddress) -> EntityWriter:
        """Start writing an entity of a running run. Raises ArtifactExistsError when it is committed already."""
        record = self.run_record(entity.run)
        if record is None:
            raise ArtifactNotFoundError(f"{self.url_of(entity.run)} has no {RUN_FILE}: start the run first.")
        if record.status not in {RunStatus.RUNNING, RunStatus.INTERACTIVE}:
            raise ArtifactExistsError(f"{self.url_of(entity.run)} is {record.status.value}: a finished run is closed.")
        return EntityWriter(self.fs, self._path(entity), address=entity, record=record)

    def open(self, entity: EntityAddress) -> EntityReader:
        """Open a committed entity. Raises ArtifactNotFoundError or ArtifactCorruptError."""
        return EntityReader(self.fs, self._path(entity), entity)

    def resolve(self, step: StepAddress, entities: Sequence[str], *, run_id: str | None = None) -> RunAddress:
        """Return the newest finished run of `step` in which all `entities` are committed; or `run_id`, checked.

        Costs one listing, then per run looked at one read and one look per entity.
        Raises ArtifactNotFoundError naming the runs looked at and why each was passed over.
        """
        candidates = [RunAddress(step, run_id)] if run_id else self.runs(step)
        refusals = []
        for run in candidates:
            refusal = self._refusal(run, entities)
            if refusal is None:
                return run
            refusals.append(f"{run.run_id}: {refusal}")
        shown = "; ".join(refusals[:5]) or "it has no runs"
        raise ArtifactNotFoundError(
            f"No run of step '{step.step}' under {self.url}/{step.path} offers {', '.join(entities)} ({shown}). "
            f"Run step '{step.step}' first."
        )

    def newest_url(self, entity: str) -> str:
        """Return the URL of the newest finished entity of that name, whatever step made it."""
        runs = sorted((run for step in self.steps() for run in self.runs(step)), key=lambda r: run_sort_key(r.run_id))
        found = next((run for run in reversed(runs) if self._refusal(run, [entity]) is None), None)
        if found is None:
            raise ArtifactNotFoundError(
                f"No finished run under {self.url} offers {entity}: run the step that makes it."
            )
        return self.url_of(found.entity(entity))

    def _refusal(self, run: RunAddress, entities: Sequence[str]) -> str | None:
        record = self.run_record(run)
        if record is not None and not record.status.resolvable:
            return record.status.value + (f" ({record.reason})" if record.reason else "")
        missing = [name for name in entities if not self.is_committed(run.entity(name))]
        return f"has no {', '.join(missing)}" if missing else None

    def _names(self, path: str) -> list[str]:
        """Return the folders below `path` that bear a usable name; others, such as `lost+found`, are not ours."""
        folder = f"{self.root}/{path}".rstrip("/")
        try:
            self.fs.invalidate_cache(folder)
            listing = self.fs.ls(folder, detail=True)
        except (FileNotFoundError, NotADirectoryError):
            return []
        names = (e["name"].rstrip("/").rsplit("/", 1)[-1] for e in listing if e["type"] == "directory")
        return [name for name in names if NAME.fullmatch(name)]

    def _path(self, address: RunAddress | EntityAddress) -> str:
        return f"{self.root}/{address.path}"


def store_at(root: str, *, storage: Mapping[str, Any] | None = None) -> ArtifactStore:
    """Return the store at a root URL of any fsspec scheme, or at a plain path.

    `storage` are options of the filesystem; without it, those of the environment whose root this is.
    Raises LayoutError for a root that cannot be used.
    """
    fs, path, url = connect(root, storage)
    return ArtifactStore(fs, path, url=url)


def open_entity(url: str) -> EntityReader:
    """Open a committed entity by its URL."""
    root, address = split_entity_url(url)
    return store_at(root).open(address)


def begin_entity(url: str) -> EntityWriter:
    """Start writing the entity at `url`."""
    root, address = split_entity_url(url)
    return store_at(root).begin(address)


def publish_folder(folder: str | Path, url: str) -> Manifest:
    """Publish the files of a folder, as they are, as the entity at `url`."""
    folder = Path(folder)
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    with begin_entity(url) as writer:
        for file in progress(files, label="publish", unit="file"):
            writer.put(file, file.relative_to(folder).as_posix())
    assert writer.manifest is not None  # noqa: S101 - a clean exit has committed
    return writer.manifest


def fetch_folder(url: str, folder: str | Path) -> Path:
    """Copy the files of the entity at `url` into a local folder, checked, and return the folder."""
    reader = open_entity(url)
    for entry in progress(reader.manifest.files, label="fetch", unit="file"):
        reader.copy(entry.path, Path(folder) / entry.path)
    return Path(folder)


def _claim(fs: AbstractFileSystem, folder: str, data: bytes) -> bool:
    """Make a run's folder with its record unless it exists, and tell whether this call made it."""
    try:
        if isinstance(fs, LocalFileSystem):
            Path(folder).parent.mkdir(parents=True, exist_ok=True)
            Path(folder).mkdir()
            _replace(fs, f"{folder}/{RUN_FILE}", data)
        else:
            return create_once(fs, f"{folder}/{RUN_FILE}", data)
    except FileExistsError:
        return False
    return True


def create_once(fs: AbstractFileSystem, path: str, data: bytes) -> bool:
    """Create a small file in an object store unless it exists, and tell whether this call made it."""
    try:
        fs.pipe_file(path, data, mode="create")
    except FileExistsError:
        return False
    except OSError as error:
        answer = getattr(error.__cause__, "response", None) or {}
        if answer.get("Error", {}).get("Code") in {"PreconditionFailed", "ConditionalRequestConflict"}:
            return False
        raise
    return True


def _replace(fs: AbstractFileSystem, path: str, data: bytes) -> None:
    """Write a small file at one stroke, over an older one."""
    if not isinstance(fs, LocalFileSystem):
        fs.pipe_file(path, data)
        return
    draft = f"{path}.{uuid.uuid4().hex[:8]}"
    fs.pipe_file(draft, data)
    os.replace(draft, path)


def _later(now: datetime, attempt: int) -> str:
    return new_run_id(now + timedelta(milliseconds=attempt))
