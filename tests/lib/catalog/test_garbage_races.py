"""A gc beside steps that resolve and publish: whatever a run has recorded and confirmed, it can read."""

import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone

import pytest

from lineage_cases import PRODUCER
from sinara_lib.catalog import garbage
from sinara_lib.catalog.garbage import collect_garbage
from sinara_lib.errors import ArtifactNotFoundError
from sinara_lib.layout import RunAddress, StepAddress
from sinara_lib.store import ArtifactStore
from sinara_lib.store.liveness import this_process
from sinara_lib.store.manifest import RunRecord, RunStatus
from store_cases import differences, publish_files

UPSTREAM, DOWNSTREAM = StepAddress("rest", "test", "data_load"), StepAddress("rest", "test", "data_prep")
OFTEN = 5
"""Reads, and removed runs, until the two sides have met often enough."""
LONGEST = 60
"""Seconds after which a side that gets nowhere has failed."""


def _start(store: ArtifactStore, step: StepAddress) -> tuple[RunAddress, RunRecord]:
    now = datetime.now(timezone.utc)
    record = RunRecord(run_id="", status=RunStatus.RUNNING, started=now, producer=PRODUCER, process=this_process())
    run = store.start_run(step, record, now=now)
    return run, record.model_copy(update={"run_id": run.run_id})


def _publish(store: ArtifactStore) -> None:
    run, record = _start(store, UPSTREAM)
    publish_files(store, run, "images")
    store.replace_record(run, record.model_copy(update={"status": RunStatus.SUCCESS}))
    time.sleep(0.05)


def _read(store: ArtifactStore) -> int:
    """Do what a notebook does: resolve, record, confirm, read; return how often reading was reached."""
    run, record = _start(store, DOWNSTREAM)
    try:
        chosen = store.resolve(UPSTREAM, ["images"])
        store.replace_record(run, record.with_inputs([store.url_of(chosen.entity("images"))]))
        store.resolve(UPSTREAM, ["images"], run_id=chosen.run_id)
    except ArtifactNotFoundError:
        store.replace_record(run, record.model_copy(update={"status": RunStatus.FAILED}))
        return 0
    time.sleep(0.05)
    assert differences(store, chosen.entity("images")) == []
    store.replace_record(run, record.model_copy(update={"status": RunStatus.FAILED}))
    return 1


def _collect(store: ArtifactStore) -> int:
    done = collect_garbage(store, keep_last=1, older_than=timedelta(0), now=datetime.now(timezone.utc), dry_run=False)
    return len(done.removed)


def test_what_a_run_has_confirmed_stays_while_it_works(store: ArtifactStore) -> None:
    _publish(store)
    counts: Counter[str] = Counter()
    over = time.monotonic() + LONGEST

    def again(work: Callable[[ArtifactStore], int | None]) -> None:
        while min(counts["_read"], counts["_collect"]) < OFTEN and time.monotonic() < over:
            counts[work.__name__] += work(store) or 0

    with ThreadPoolExecutor(4) as pool:
        for each in [pool.submit(again, work) for work in (_publish, _read, _read, _collect)]:
            each.result()
    assert min(counts["_read"], counts["_collect"]) >= OFTEN


def test_a_run_that_ends_while_gc_looks_around_keeps_what_it_published(
    store: ArtifactStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, record = _start(store, UPSTREAM)
    writer = store.begin(run.entity("images"))
    with writer.open("file.bin") as sink:
        sink.write(b"data")

    def end() -> None:
        if not store.is_committed(run.entity("images")):
            writer.commit()
            store.replace_record(run, record.model_copy(update={"status": RunStatus.SUCCESS}))

    for look in ("read_runs", "list_step"):
        monkeypatch.setattr(garbage, look, _followed_by(end, getattr(garbage, look)))
    _collect(store)

    assert store.is_committed(run.entity("images"))
    assert differences(store, run.entity("images")) == []


def _followed_by(then: Callable[[], None], first: Callable[..., object]) -> Callable[..., object]:
    def both(*arguments: object) -> object:
        found = first(*arguments)
        then()
        return found

    return both
