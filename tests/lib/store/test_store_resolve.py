"""Which run's entities a reader gets, and what it is told when there are none."""

from datetime import datetime

import pytest

from sinara_lib.errors import ArtifactNotFoundError
from sinara_lib.layout import RunAddress, StepAddress
from sinara_lib.store import ArtifactStore
from sinara_lib.store.manifest import RunRecord, RunStatus
from store_cases import Finish, differences, lay_file, publish_files, start_run


def test_the_newest_finished_run_resolves(
    store: ArtifactStore, step: StepAddress, record: RunRecord, now: datetime, finish: Finish
) -> None:
    runs = [start_run(store, step, record, now, later=later) for later in range(3)]
    for run in runs:
        publish_files(store, run, "images")
        finish(run)
    assert store.resolve(step, ["images"]) == runs[2]


@pytest.mark.parametrize("status", [RunStatus.RUNNING, RunStatus.FAILED])
def test_a_run_that_goes_on_or_failed_is_passed_over(
    store: ArtifactStore, step: StepAddress, record: RunRecord, now: datetime, finish: Finish, status: RunStatus
) -> None:
    old, new = (start_run(store, step, record, now, later=later) for later in range(2))
    for run in (old, new):
        publish_files(store, run, "images")
    finish(old)
    finish(new, status)
    assert store.resolve(step, ["images"]) == old


def test_a_notebook_run_by_hand_resolves(
    store: ArtifactStore, step: StepAddress, record: RunRecord, now: datetime
) -> None:
    run = start_run(store, step, record.model_copy(update={"status": RunStatus.INTERACTIVE}), now)
    publish_files(store, run, "images")
    assert store.resolve(step, ["images"]) == run


def test_all_entities_come_from_one_run_though_a_newer_one_holds_some_of_them(
    store: ArtifactStore, step: StepAddress, record: RunRecord, now: datetime, finish: Finish
) -> None:
    old, new = (start_run(store, step, record, now, later=later) for later in range(2))
    publish_files(store, old, "images", "labels")
    publish_files(store, new, "images")
    finish(old)
    finish(new)
    assert store.resolve(step, ["images", "labels"]) == old
    assert store.resolve(step, ["images"]) == new


def test_a_pinned_run_is_taken_or_refused_but_never_replaced(
    store: ArtifactStore, step: StepAddress, record: RunRecord, now: datetime, finish: Finish
) -> None:
    old, new = (start_run(store, step, record, now, later=later) for later in range(2))
    publish_files(store, old, "images")
    publish_files(store, new, "images", "labels")
    finish(old)
    finish(new)
    assert store.resolve(step, ["images"], run_id=old.run_id) == old
    with pytest.raises(ArtifactNotFoundError, match=f"{old.run_id}: has no labels"):
        store.resolve(step, ["labels"], run_id=old.run_id)
    with pytest.raises(ArtifactNotFoundError, match=r"run-20-01-01-000000: has no images"):
        store.resolve(step, ["images"], run_id="run-20-01-01-000000")


def test_when_nothing_resolves_the_message_says_why_and_which_step_to_run(
    store: ArtifactStore, step: StepAddress, record: RunRecord, now: datetime, finish: Finish
) -> None:
    with pytest.raises(ArtifactNotFoundError, match=r"it has no runs\). Run step 'data_load' first"):
        store.resolve(step, ["images"])
    first, second = (start_run(store, step, record, now, later=later) for later in range(2))
    finish(first, RunStatus.FAILED, "no memory")
    finish(second)
    with pytest.raises(ArtifactNotFoundError) as caught:
        store.resolve(step, ["images", "labels"])
    message = str(caught.value)
    assert f"{second.run_id}: has no images, labels; {first.run_id}: FAILED (no memory)" in message
    assert store.url_of(step) in message


def test_another_zone_or_pipeline_is_another_step(
    store: ArtifactStore, run: RunAddress, finish: Finish, step: StepAddress
) -> None:
    publish_files(store, run, "images")
    finish(run)
    for other in (StepAddress("rest", "prod", "data_load"), StepAddress("other", "test", "data_load")):
        with pytest.raises(ArtifactNotFoundError):
            store.resolve(other, ["images"])
    assert store.resolve(step, ["images"]) == run


def test_a_run_that_sinaraml_wrote_resolves_and_reads(store: ArtifactStore, step: StepAddress) -> None:
    run = RunAddress(step, "run-21-06-01-120000")
    for name, data in (("part-0.parquet", b"rows"), (".part-0.parquet.crc", b"c"), ("_SUCCESS", b"")):
        lay_file(store, f"{run.path}/images/{name}", data)
    assert store.run_record(run) is None
    assert store.resolve(step, ["images"]) == run
    reader = store.open(run.entity("images"))
    assert reader.read("part-0.parquet") == b"rows"
    assert reader.manifest.producer.library == "SinaraML"
    assert differences(store, run.entity("images")) == []


def test_a_half_written_entity_of_sinaraml_does_not_resolve(store: ArtifactStore, step: StepAddress) -> None:
    run = RunAddress(step, "run-21-06-01-120000")
    lay_file(store, f"{run.path}/images/part-0.parquet", b"rows")
    with pytest.raises(ArtifactNotFoundError):
        store.resolve(step, ["images"])


def test_the_newest_url_of_an_entity_is_found_whatever_step_made_it(
    store: ArtifactStore, record: RunRecord, now: datetime, finish: Finish
) -> None:
    pack, eval_ = StepAddress("rest", "test", "model_pack"), StepAddress("rest", "test", "model_eval")
    runs = [start_run(store, pack, record, now), start_run(store, eval_, record, now, later=1)]
    publish_files(store, runs[0], "bento_service")
    publish_files(store, runs[1], "report")
    with pytest.raises(ArtifactNotFoundError, match=r"offers bento_service: run the step that makes it"):
        store.newest_url("bento_service")
    finish(runs[0])
    assert store.newest_url("bento_service") == store.url_of(runs[0].entity("bento_service"))
