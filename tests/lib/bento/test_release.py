"""What is served without being named is the newest model that no gate has refused."""

import json
import logging
from collections.abc import Callable
from datetime import datetime, timedelta, timezone

import pytest

from sinara_lib.bento.release import newest_service
from sinara_lib.errors import ArtifactNotFoundError, QualityGateError
from sinara_lib.layout import RunAddress, StepAddress
from sinara_lib.store import ArtifactStore
from sinara_lib.store.manifest import Producer, RunRecord, RunStatus

Pack = Callable[[], str]
Judge = Callable[..., RunAddress]


class Clock:
    """One run a minute."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=timezone.utc)

    def tick(self) -> datetime:
        self.now += timedelta(minutes=1)
        return self.now


def add_run(
    store: ArtifactStore, step: str, *, now: datetime, entity: str, content: dict[str, bytes], **update: object
) -> RunAddress:
    address = StepAddress("obj_detect_rest", "test", step)
    record = RunRecord(run_id="", status=RunStatus.RUNNING, started=now, producer=Producer(library="test"))
    run = store.start_run(address, record, now=now)
    with store.begin(run.entity(entity)) as writer:
        for name, data in content.items():
            with writer.open(name) as sink:
                sink.write(data)
    done = store.run_record(run)
    assert done is not None
    store.replace_record(run, done.model_copy(update={"status": RunStatus.SUCCESS, **update}))
    return run


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def pack(store: ArtifactStore, clock: Clock) -> Pack:
    def packed() -> str:
        run = add_run(store, "model_pack", now=clock.tick(), entity="bento_service", content={"model.zip": b"zip"})
        return store.url_of(run.entity("bento_service"))

    return packed


@pytest.fixture
def judge(store: ArtifactStore, clock: Clock) -> Judge:
    def judged(url: str, *, passed: bool, page: bytes | None = None) -> RunAddress:
        gate = json.dumps({"gate": [{"passed": True}, {"passed": passed}]}).encode()
        status = RunStatus.SUCCESS if passed else RunStatus.FAILED
        content = {"metrics.json": gate if page is None else page}
        update = {"status": status, "inputs": (url,)}
        return add_run(store, "model_eval", now=clock.tick(), entity="model_quality_report", content=content, **update)

    return judged


def test_a_model_that_failed_its_gate_is_passed_over(
    store: ArtifactStore, pack: Pack, judge: Judge, caplog: pytest.LogCaptureFixture
) -> None:
    good = pack()
    judge(good, passed=True)
    bad = pack()
    run = judge(bad, passed=False)
    assert newest_service(store) == good
    assert bad in caplog.text
    assert run.run_id in caplog.text


def test_the_last_evaluation_decides(store: ArtifactStore, pack: Pack, judge: Judge) -> None:
    pack()
    newest = pack()
    judge(newest, passed=False)
    judge(newest, passed=True)
    assert newest_service(store) == newest


def test_a_model_that_was_not_evaluated_is_taken_with_a_word_about_it(
    store: ArtifactStore, pack: Pack, judge: Judge, caplog: pytest.LogCaptureFixture
) -> None:
    judge(pack(), passed=True)
    fresh = pack()
    with caplog.at_level(logging.INFO):
        assert newest_service(store) == fresh
    assert f"{fresh} was not evaluated yet" in caplog.text


def test_a_report_that_cannot_be_read_vouches_for_nothing(store: ArtifactStore, pack: Pack, judge: Judge) -> None:
    good, odd = pack(), pack()
    judge(odd, passed=True, page=b"{}")
    assert newest_service(store) == good


def test_when_every_model_was_refused_the_newest_is_named(store: ArtifactStore, pack: Pack, judge: Judge) -> None:
    bad = pack()
    judge(bad, passed=False)
    with pytest.raises(QualityGateError, match=r"Every bento_service .* failed its quality gate") as caught:
        newest_service(store)
    assert bad in str(caught.value)


def test_without_any_model_the_error_is_that_of_a_missing_one(store: ArtifactStore) -> None:
    with pytest.raises(ArtifactNotFoundError, match="offers bento_service"):
        newest_service(store)
