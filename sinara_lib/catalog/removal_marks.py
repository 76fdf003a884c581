"""The mark of a run that goes: nobody reads it from there on, and a removal that was cut short can be finished."""

import errno
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from sinara_lib.catalog.catalog import CatalogRun
from sinara_lib.errors import StoreUnavailableError
from sinara_lib.layout import run_sort_key
from sinara_lib.store import ArtifactStore
from sinara_lib.store.files import StoreFiles
from sinara_lib.store.manifest import RUN_FILE, Producer, RunRecord, RunStatus

log = logging.getLogger(__name__)


@contextmanager
def alone(store: ArtifactStore) -> Iterator[None]:
    """Wait until no other gc of this machine works on a store on its disks.

    Elsewhere they cannot know of each other: who comes too late for a run finds nothing to do.
    """
    if os.name != "posix" or not StoreFiles(store.fs).local or not os.path.isdir(store.root):
        yield
        return
    import fcntl  # Windows has none

    handle = os.open(store.root, os.O_RDONLY)  # the folder itself: a full disk takes no file for a lock
    try:
        with suppress(OSError):  # some network disks have no locks
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                log.info("another gc is at work on %s; waiting for its end", store.url)
                fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def mark_run(store: ArtifactStore, run: CatalogRun) -> bool:
    """Let a run's record say that it is being removed, and what it was; tell whether the run is still there."""
    record = run.record or RunRecord(
        run_id=run.address.run_id,
        status=RunStatus.REMOVING,
        started=run_sort_key(run.address.run_id)[0],
        producer=Producer(library="SinaraML"),
    )
    if record.status is not RunStatus.REMOVING:
        record = record.model_copy(update={"status": RunStatus.REMOVING, "status_before": record.status})
    try:
        store.replace_record(run.address, record)
    except StoreUnavailableError as error:
        files = StoreFiles(store.fs)
        if files.local and not files.exists(f"{store.root}/{run.address.path}"):
            return False  # another gc was faster
        if not (files.local and run.record and _is_full(error)):
            raise
        store.hide_record(run.address)
    return True


def unmark_run(store: ArtifactStore, run: CatalogRun) -> None:
    """Take the mark back; a run of SinaraML has no record again."""
    store.show_record(run.address)
    record = run.record
    if record is None or (record.status is RunStatus.REMOVING and record.status_before is None):
        StoreFiles(store.fs).remove_file(f"{store.root}/{run.address.path}/{RUN_FILE}")
        return
    if record.status is RunStatus.REMOVING:
        record = record.model_copy(update={"status": record.status_before, "status_before": None})
    if record != store.run_record(run.address):
        store.replace_record(run.address, record)


def _is_full(error: StoreUnavailableError) -> bool:
    return getattr(error.__cause__, "errno", None) in {errno.ENOSPC, errno.EDQUOT}
