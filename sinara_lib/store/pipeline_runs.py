"""The pipeline's runs in a store: started exclusively, their records replaced atomically, listed newest first."""

import logging
from collections.abc import Iterator
from datetime import datetime, timedelta

from sinara_lib.errors import ArtifactCorruptError, ArtifactExistsError
from sinara_lib.layout import (
    NAME,
    PIPELINE_RUNS,
    PipelineRunAddress,
    is_pipeline_run_id,
    new_pipeline_run_id,
    next_run_time,
)
from sinara_lib.store.artifact_store import ArtifactStore
from sinara_lib.store.files import StoreFiles
from sinara_lib.store.liveness import is_process_alive
from sinara_lib.store.pipeline_record import (
    PIPELINE_RUN_FILE,
    PipelineRunRecord,
    PipelineStatus,
    read_pipeline_record,
)

log = logging.getLogger(__name__)


class PipelineRuns:
    """The runs of one pipeline in one zone of a store; a run lies in a folder of its own, beside the steps' folders."""

    def __init__(self, store: ArtifactStore, pipeline: str, zone: str) -> None:
        self.store = store
        self._place = (pipeline, zone)
        self._files = StoreFiles(store.fs)

    def address(self, run_id: str) -> PipelineRunAddress:
        """Return the address of the run of that id. Raises LayoutError for what is no id."""
        return PipelineRunAddress(*self._place, run_id)

    def url_of(self, run_id: str) -> str:
        """Return a run's URL."""
        return f"{self.store.url}/{self.address(run_id).path}"

    def start(self, record: PipelineRunRecord, *, now: datetime) -> PipelineRunRecord:
        """Claim a new id, exclusively, and return the record with it. Costs one listing.

        The id is the time, or the first millisecond after the newest run where the clock is behind that.
        """
        newest = next(iter(self.ids()), None)
        start = next_run_time(newest and f"run-{newest.removeprefix('pipeline-')}", now)
        for attempt in range(1000):
            run_id = new_pipeline_run_id(start + timedelta(milliseconds=attempt))
            named = record.model_copy(update={"run_id": run_id})
            if self._files.claim_folder(self._path(run_id), PIPELINE_RUN_FILE, _bytes(named)):
                return named
        raise ArtifactExistsError(f"{self.store.url}: a thousand runs of the pipeline have ids around now; try again.")

    def go_on(self, record: PipelineRunRecord) -> PipelineRunRecord:
        """Claim, exclusively, the next attempt of a run that did not end well, and return the record with it.

        Raises ArtifactExistsError when somebody else was faster.
        """
        again = record.model_copy(update={"attempts": record.attempts + 1})
        if not self._files.claim_folder(f"{self._path(record.run_id)}/attempt-{again.attempts}", "claim", b"\n"):
            raise ArtifactExistsError(f"{self.url_of(record.run_id)} is being resumed by somebody else at this moment.")
        self.replace(again)
        return again

    def replace(self, record: PipelineRunRecord) -> None:
        """Replace a run's record in one atomic write."""
        self._files.write(f"{self._path(record.run_id)}/{PIPELINE_RUN_FILE}", _bytes(record))

    def record(self, run_id: str) -> PipelineRunRecord | None:
        """Return a run's record; None when there is none. Raises ArtifactCorruptError."""
        path = f"{self._path(run_id)}/{PIPELINE_RUN_FILE}"
        try:
            return read_pipeline_record(self._files.read(path), f"{self.url_of(run_id)}/{PIPELINE_RUN_FILE}")
        except FileNotFoundError:
            return None

    def ids(self) -> list[str]:
        """Return the ids of all runs, newest first; one listing."""
        found = self._files.folders(f"{self.store.root}/{'/'.join(self._place)}/{PIPELINE_RUNS}")
        return sorted(filter(is_pipeline_run_id, found), reverse=True)

    def newest_first(self, *statuses: PipelineStatus) -> Iterator[PipelineRunRecord]:
        """Yield the runs that stand so, newest first; one whose record is damaged is named in a warning."""
        for run_id in self.ids():
            try:
                record = self.record(run_id)
            except ArtifactCorruptError as error:
                log.warning("passed over: %s", error)
                continue
            if record is not None and status_of(record) in statuses:
                yield record

    def remove(self, run_id: str) -> None:
        """Remove a run's record and pages; the runs of its steps stay."""
        self._files.remove_folder(self._path(run_id))

    def _path(self, run_id: str) -> str:
        return f"{self.store.root}/{self.address(run_id).path}"


def status_of(record: PipelineRunRecord) -> PipelineStatus:
    """Return where a run stands; one whose process is gone has failed, whatever its record says."""
    dead = record.process is not None and is_process_alive(record.process) is False
    return PipelineStatus.FAILED if record.status is PipelineStatus.RUNNING and dead else record.status


def pipelines_of(store: ArtifactStore) -> list[PipelineRuns]:
    """Return every pipeline and zone of a store that has runs of the whole pipeline."""
    files, found = StoreFiles(store.fs), []
    for pipeline in sorted(filter(NAME.fullmatch, files.folders(store.root))):
        for zone in sorted(filter(NAME.fullmatch, files.folders(f"{store.root}/{pipeline}"))):
            if PIPELINE_RUNS in files.folders(f"{store.root}/{pipeline}/{zone}"):
                found.append(PipelineRuns(store, pipeline, zone))
    return found


def _bytes(record: PipelineRunRecord) -> bytes:
    return record.model_dump_json(indent=1).encode()
