"""The artifact store of one environment: runs and their entities under a root, over any fsspec filesystem."""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from fsspec import AbstractFileSystem

from sinara_lib.errors import ArtifactCorruptError, ArtifactExistsError, ArtifactNotFoundError
from sinara_lib.layout import (
    NAME,
    EntityAddress,
    RunAddress,
    StepAddress,
    is_run_id,
    new_run_id,
    next_run_time,
    run_id_order,
    sort_run_ids,
    split_entity_url,
)
from sinara_lib.store.entity import EntityReader
from sinara_lib.store.entity_folder import fetch_files, put_files
from sinara_lib.store.entity_writer import EntityWriter
from sinara_lib.store.files import StoreFiles
from sinara_lib.store.manifest import MARK_FILE, RUN_FILE, SUCCESS_FILE, Manifest, RunRecord, RunStatus, read_run_record
from sinara_lib.store.root import connect

log = logging.getLogger(__name__)


class ArtifactStore:
    """Runs and entities below `root` on `fs`. Times come in from the caller, so that tests can hold the clock.

    Whatever the filesystem: a place that cannot be reached, written or read raises StoreUnavailableError.
    """

    def __init__(self, fs: AbstractFileSystem, root: str, *, url: str) -> None:
        self.fs = fs
        self.root = root.rstrip("/")
        self.url = url.rstrip("/")
        self._files = StoreFiles(fs)

    def url_of(self, address: StepAddress | RunAddress | EntityAddress) -> str:
        """Return the URL of a step, run or entity."""
        return f"{self.url}/{address.path}"

    def start_run(self, step: StepAddress, record: RunRecord, *, now: datetime) -> RunAddress:
        """Create a run exclusively and return its address.

        An empty `record.run_id` asks for a new one: the time `now`, or the first millisecond after the step's newest
        run where the clock is behind that, moved on by a millisecond at each collision. Costs one listing.
        Raises ArtifactExistsError when a given id is taken.
        """
        given = record.run_id
        for run_id in [given] if given else self._new_ids(step, now):
            run = RunAddress(step, run_id)
            data = record.model_copy(update={"run_id": run_id}).model_dump_json(indent=1).encode()
            if self._files.claim_folder(self._path(run), RUN_FILE, data):
                return run
        raise ArtifactExistsError(f"{self.url}/{step.path}: run {given or 'ids around now'} exists; choose another id.")

    def run_record(self, run: RunAddress) -> RunRecord | None:
        """Return a run's record; None for a run that SinaraML wrote or that does not exist."""
        return self._record(f"{self._path(run)}/{RUN_FILE}")

    def hidden_record(self, run: RunAddress) -> RunRecord | None:
        """Return the record of a run that is being removed on a full disk; None for any other run."""
        record = self._record(f"{self._path(run)}/{MARK_FILE}") if self._files.local else None
        if record is None or record.status is RunStatus.REMOVING:
            return record
        return record.model_copy(update={"status": RunStatus.REMOVING, "status_before": record.status})

    def replace_record(self, run: RunAddress, record: RunRecord) -> None:
        """Replace a run's record in one atomic write."""
        self._files.write(f"{self._path(run)}/{RUN_FILE}", record.model_dump_json(indent=1).encode())

    def hide_record(self, run: RunAddress) -> None:
        """Rename a run's record, which takes no space, so that no reader takes the run any more."""
        self._files.rename_file(f"{self._path(run)}/{RUN_FILE}", f"{self._path(run)}/{MARK_FILE}")

    def show_record(self, run: RunAddress) -> None:
        """Take `hide_record` back, where it was done."""
        if self._files.local:
            self._files.rename_file(f"{self._path(run)}/{MARK_FILE}", f"{self._path(run)}/{RUN_FILE}")

    def runs(self, step: StepAddress) -> list[RunAddress]:
        """Return the runs of a step, newest first; one listing."""
        return [RunAddress(step, run_id) for run_id in self._run_ids(step) if is_run_id(run_id)]

    def entities(self, run: RunAddress) -> list[EntityAddress]:
        """Return the committed entities of a run, by name."""
        found = self._files.folders(self._path(run))
        names = [n for n in found if NAME.fullmatch(n) and not n.startswith("_") and "." not in n]
        return [e for e in (EntityAddress(run, n) for n in sorted(names)) if self.is_committed(e)]

    def steps(self) -> list[StepAddress]:
        """Return every step that has a folder under the root, each once, whatever links lead to it."""
        found: dict[object, StepAddress] = {}
        for pipeline in self._names(""):
            for zone in self._names(pipeline):
                for name in self._names(f"{pipeline}/{zone}"):
                    step = StepAddress(pipeline, zone, name)
                    found.setdefault(self._files.identity(f"{self.root}/{step.path}"), step)
        return list(found.values())

    def listed(self, run: RunAddress) -> RunAddress:
        """Return the address under which a run is listed that was reached over links within the store."""
        parts = self._files.true_path(self._path(run), within=self.root).split("/")
        if len(parts) != 4 or not is_run_id(parts[3]) or not all(map(NAME.fullmatch, parts)):
            return run
        return RunAddress(StepAddress(*parts[:3]), parts[3])

    def is_link(self, run: RunAddress) -> bool:
        """Tell whether a run's folder is a link to one outside of the store."""
        return self._files.is_link(self._path(run))

    @property
    def place(self) -> object:
        """What tells the store's root from every other one, whatever links lead to it."""
        return self._files.identity(self.root)

    def identity(self, run: RunAddress) -> object:
        """Return what tells a run from every other one, however its folder is reached."""
        return self._files.identity(self._path(run))

    def is_committed(self, entity: EntityAddress) -> bool:
        """Tell whether the entity stands complete."""
        return self._files.exists(f"{self._path(entity)}/{SUCCESS_FILE}")

    def begin(self, entity: EntityAddress) -> EntityWriter:
        """Start writing an entity of a running run. Raises ArtifactExistsError when it is committed already."""
        self._open_record(entity.run)
        return EntityWriter(self.fs, self._path(entity), address=entity, record=lambda: self._open_record(entity.run))

    def open(self, entity: EntityAddress) -> EntityReader:
        """Open a committed entity. Raises ArtifactNotFoundError or ArtifactCorruptError."""
        return EntityReader(self.fs, self._path(entity), entity)

    def resolve(self, step: StepAddress, entities: Sequence[str], *, run_id: str | None = None) -> RunAddress:
        """Return the newest finished run of `step` in which all `entities` are committed; or `run_id`, checked.

        Costs one listing of the step's folder (none for a given `run_id`), however many runs it has; then, per run
        looked at, one read and one look per entity. Runs are looked at from the newest back to the first that fits.
        A run whose record is damaged is named in a warning and passed over.
        Raises ArtifactNotFoundError naming the runs looked at and why each was passed over.
        """
        refusals = []
        for run in self._addresses(step, [run_id] if run_id else self._run_ids(step)):
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
        for url in self.newest_urls(entity):
            return url
        raise ArtifactNotFoundError(f"No finished run under {self.url} offers {entity}: run the step that makes it.")

    def newest_urls(self, entity: str) -> Iterator[str]:
        """Yield the URLs of finished entities of that name, newest first; looks no further than it is asked."""
        found = [(run_id_order(run_id), step, run_id) for step in self.steps() for run_id in self._run_ids(step)]
        for _, step, run_id in sorted(found, key=lambda each: each[0], reverse=True):
            for run in self._addresses(step, [run_id]):
                if self._refusal(run, [entity]) is None:
                    yield self.url_of(run.entity(entity))

    def _record(self, path: str) -> RunRecord | None:
        try:
            data = self._files.read(path)
        except FileNotFoundError:
            return None
        return read_run_record(data, path)

    def _open_record(self, run: RunAddress) -> RunRecord:
        """Return the record of a run that goes on. Raises ArtifactNotFoundError or ArtifactExistsError."""
        record = self.run_record(run)
        if record is None:
            raise ArtifactNotFoundError(f"{self.url_of(run)} has no {RUN_FILE}: start the run first.")
        if record.status not in {RunStatus.RUNNING, RunStatus.INTERACTIVE}:
            raise ArtifactExistsError(f"{self.url_of(run)} is {record.status.value}: a finished run is closed.")
        return record

    def _refusal(self, run: RunAddress, entities: Sequence[str]) -> str | None:
        try:
            record = self.run_record(run)
        except ArtifactCorruptError as error:
            log.warning("passed over: %s", error)
            return f"its {RUN_FILE} cannot be read"
        if record is None:
            return self._refusal_of_foreign(run, entities)
        if not record.status.resolvable:
            return record.status.value + (f" ({record.reason})" if record.reason else "")
        missing = [name for name in entities if not self.is_committed(run.entity(name))]
        return f"has no {', '.join(missing)}" if missing else None

    def _refusal_of_foreign(self, run: RunAddress, entities: Sequence[str]) -> str | None:
        """Judge a run without a record: one that SinaraML wrote has empty marks, one of ours has lost its record."""
        for name in entities:
            try:
                mark = self._files.read(f"{self._path(run.entity(name))}/{SUCCESS_FILE}")
            except FileNotFoundError:
                return f"has no {name}"
            if mark.strip():
                return f"has lost its {RUN_FILE}"
        return None

    def _new_ids(self, step: StepAddress, now: datetime) -> Iterable[str]:
        newest = next((run_id for run_id in self._run_ids(step) if is_run_id(run_id)), None)
        start = next_run_time(newest, now)
        if start - now > timedelta(seconds=1):
            log.warning("the clock is behind run %s: the new run is named after that one, not after the time", newest)
        return (new_run_id(start + timedelta(milliseconds=attempt)) for attempt in range(1000))

    def _run_ids(self, step: StepAddress) -> list[str]:
        """Return what looks like a run's id, newest first; whether its date exists is for the caller to ask."""
        return sort_run_ids(self._files.folders(f"{self.root}/{step.path}", within=self.root))

    def _addresses(self, step: StepAddress, run_ids: Iterable[str]) -> Iterable[RunAddress]:
        return (RunAddress(step, run_id) for run_id in run_ids if is_run_id(run_id))

    def _names(self, path: str) -> list[str]:
        """Return the folders below `path` that bear a usable name; others, such as `lost+found`, are not ours."""
        found = self._files.folders(f"{self.root}/{path}".rstrip("/"), within=self.root)
        return sorted(name for name in found if NAME.fullmatch(name))

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
    """Publish the files of a folder, as they are, as the entity at `url`.

    Raises LayoutError for a folder that is not there or holds what an entity cannot, such as an empty folder.

    >>> [file.path for file in publish_folder("photos", url).files]
    ['cat.jpg', 'more/dog.jpg']
    """
    with begin_entity(url) as writer:
        put_files(writer, Path(folder))
    assert writer.manifest is not None  # noqa: S101 - a clean exit has committed
    return writer.manifest


def fetch_folder(url: str, folder: str | Path) -> Path:
    """Copy the files of the entity at `url` into a local folder, checked, and return the folder."""
    fetch_files(open_entity(url), Path(folder))
    return Path(folder)
