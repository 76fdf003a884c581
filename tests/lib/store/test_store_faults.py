"""A run that fails or is killed at any operation: nothing of it is seen, the last good run stands, a new one can be."""

import json
import os
import random
import signal
from collections.abc import Callable
from datetime import datetime

import pytest

from child_processes import exit_code, start_child
from sinara_lib.errors import ArtifactNotFoundError
from sinara_lib.layout import RunAddress, StepAddress
from sinara_lib.store import ArtifactStore, store_at
from sinara_lib.store.manifest import RunRecord, RunStatus
from store_cases import differences, files_below, publish_files
from store_strikes import FAIL, KILL, LOSE_ANSWER, end_strike, strike_at

PART = 5 << 20
BIG = random.Random(1).randbytes(2 * PART + 1)
"""More than one part of an upload to S3."""
MOST_POINTS = 200
CLEAN, FAILED = 0, 3


@pytest.fixture
def small_parts(request: pytest.FixtureRequest, root: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let uploads to S3 go in parts of 5 MiB."""
    if root.startswith("s3:"):
        storage = json.loads(os.environ["SINARA_LOOPBACK_STORAGE"]) | {"default_block_size": PART}
        monkeypatch.setenv("SINARA_LOOPBACK_STORAGE", json.dumps(storage))


@pytest.fixture
def good(root: str, small_parts: None, step: StepAddress, record: RunRecord, now: datetime) -> RunAddress:
    """The last good run."""
    return _run_whole(store_at(root), step, record, now)


def _run_whole(store: ArtifactStore, step: StepAddress, record: RunRecord, now: datetime) -> RunAddress:
    """Start a run, publish an entity of two files, and end the run well."""
    run = store.start_run(step, record, now=now)
    with store.begin(run.entity("images")) as writer:
        for name, data in (("big.bin", BIG), ("deep/small.bin", b"small")):
            with writer.open(name) as sink:
                sink.write(data)
    found = store.run_record(run)
    assert found is not None
    store.replace_record(run, found.model_copy(update={"status": RunStatus.SUCCESS}))
    return run


def _struck(root: str, step: StepAddress, record: RunRecord, now: datetime, *, at: int, how: str) -> int:
    """Do the whole run with a strike at one point; CLEAN when that point is beyond the end, else FAILED."""
    store = store_at(root)
    with pytest.MonkeyPatch.context() as patch:
        strike = strike_at(at, how, store.fs, patch)
        try:
            _run_whole(store, step, record, now)
        except OSError:
            assert strike.struck
        finally:
            end_strike()
    return FAILED if strike.count > at else CLEAN


def _struck_in_a_child(root: str, step: StepAddress, record: RunRecord, now: datetime, *, at: int, how: str) -> int:
    code = exit_code(start_child(_struck, root, step, record, now, at=at, how=how))
    assert code in {CLEAN, -signal.SIGKILL}
    return code


def _check(root: str, step: StepAddress, good: RunAddress) -> None:
    """What readers see is the last good run, or the struck one when it had ended well; all that is seen is whole."""
    store = store_at(root)
    resolved = store.resolve(step, ["images"])
    runs = store.runs(step)
    for run in runs:
        for entity in store.entities(run):
            assert differences(store, entity) == []
        record = store.run_record(run)
        if run != good and run == resolved:
            assert record is not None
            assert record.status is RunStatus.SUCCESS
    assert resolved == max(runs, key=lambda run: (_ended_well(store, run), run.run_id))
    with store.open(resolved.entity("images")).open_checked("big.bin") as stream:
        assert stream.read() == BIG
    for run in runs:
        if not store.is_committed(run.entity("images")):
            with pytest.raises(ArtifactNotFoundError):
                store.open(run.entity("images"))


def _ended_well(store: ArtifactStore, run: RunAddress) -> bool:
    record = store.run_record(run)
    return record is not None and record.status is RunStatus.SUCCESS


def _walk(root: str, step: StepAddress, good: RunAddress, strike: Callable[[int], int]) -> int:
    """Strike at every point in turn, checking after each, and return how many there were."""
    for at in range(MOST_POINTS):
        outcome = strike(at)
        _check(root, step, good)
        if outcome == CLEAN:
            return at
    raise AssertionError(f"more than {MOST_POINTS} operations for one run")


@pytest.mark.parametrize("root", ["file", "s3"], indirect=True)
def test_a_run_killed_at_any_operation_leaves_the_last_good_one_standing(
    root: str, good: RunAddress, step: StepAddress, record: RunRecord, now: datetime
) -> None:
    points = _walk(root, step, good, lambda at: _struck_in_a_child(root, step, record, now, at=at, how=KILL))
    assert points >= 8
    assert store_at(root).resolve(step, ["images"]).run_id > good.run_id


@pytest.mark.parametrize("how", [FAIL, LOSE_ANSWER])
def test_a_run_that_fails_at_any_operation_leaves_the_last_good_one_standing(
    root: str, good: RunAddress, step: StepAddress, record: RunRecord, now: datetime, how: str
) -> None:
    points = _walk(root, step, good, lambda at: _struck(root, step, record, now, at=at, how=how))
    assert points >= 2
    _check_no_remains(store_at(root), step)


def _check_no_remains(store: ArtifactStore, step: StepAddress) -> None:
    """A failure that a process survives leaves no draft, no half entity, and no claim but on what is committed."""
    committed = {entity.path for run in store.runs(step) for entity in store.entities(run)}
    for path in files_below(store):
        inside = path.removeprefix(store.fs._strip_protocol(store.root)).lstrip("/")
        assert "/." not in inside
        entity = "/".join(inside.split("/")[:5]).replace("_WRITING.", "")
        assert inside.endswith("/_RUN.json") or entity in committed, inside


def test_a_struck_run_does_not_keep_others_from_publishing(
    store: ArtifactStore, step: StepAddress, record: RunRecord, now: datetime
) -> None:
    store.start_run(step, record, now=now)
    publish_files(store, store.start_run(step, record, now=now), "images")
    assert len(store.runs(step)) == 2
