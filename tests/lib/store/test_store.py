"""Runs of a store, on every filesystem that needs no server: ids, records, lists and roots."""

import multiprocessing
from datetime import datetime
from pathlib import Path

import pytest

from sinara_lib.errors import ArtifactCorruptError, ArtifactExistsError, LayoutError
from sinara_lib.layout import RunAddress, StepAddress, run_sort_key
from sinara_lib.store import ArtifactStore, open_entity, store_at
from sinara_lib.store.manifest import RunRecord, RunStatus
from store_cases import Finish, files_below, lay_file, publish_files, start_run


def test_a_run_is_named_after_its_time_and_recorded_as_running(
    store: ArtifactStore, step: StepAddress, record: RunRecord, now: datetime
) -> None:
    run = start_run(store, step, record, now)
    assert run.run_id == "run-26-11-21-013711-482"
    found = store.run_record(run)
    assert found is not None
    assert (found.run_id, found.status, found.started) == (run.run_id, RunStatus.RUNNING, now)


def test_runs_that_start_in_one_millisecond_get_ids_of_their_own(
    store: ArtifactStore, step: StepAddress, record: RunRecord, now: datetime
) -> None:
    ids = [start_run(store, step, record, now).run_id for _ in range(5)]
    assert ids == [f"run-26-11-21-013711-{ms}" for ms in (482, 483, 484, 485, 486)]


def test_a_run_id_given_from_outside_is_used_and_taken_once(
    store: ArtifactStore, step: StepAddress, record: RunRecord, now: datetime
) -> None:
    given = record.model_copy(update={"run_id": "run-26-01-01-000000"})
    assert start_run(store, step, given, now).run_id == "run-26-01-01-000000"
    with pytest.raises(ArtifactExistsError, match=r"run run-26-01-01-000000 exists; choose another id"):
        start_run(store, step, given, now)


def test_a_given_run_id_of_another_form_is_refused(
    store: ArtifactStore, step: StepAddress, record: RunRecord, now: datetime
) -> None:
    with pytest.raises(LayoutError, match=r"'monday' is not a run id"):
        start_run(store, step, record.model_copy(update={"run_id": "monday"}), now)
    assert files_below(store) == []


def test_runs_are_listed_newest_first_with_old_ids_in_their_place(
    store: ArtifactStore, step: StepAddress, record: RunRecord, now: datetime
) -> None:
    for run_id in (
        "run-26-11-21-013716-482",
        "run-26-11-21-013711-482",
        "run-26-11-21-013720-482",
        "run-26-11-21-013713",
    ):
        start_run(store, step, record.model_copy(update={"run_id": run_id}), now)
    store.fs.makedirs(f"{store.root}/{step.path}/notes", exist_ok=True)
    ids = [run.run_id for run in store.runs(step)]
    assert ids == sorted(ids, key=run_sort_key, reverse=True)
    assert ids[2] == "run-26-11-21-013713"
    assert len(ids) == 4


def test_an_empty_store_has_no_steps_and_no_runs(store: ArtifactStore, step: StepAddress) -> None:
    assert store.steps() == []
    assert store.runs(step) == []


def test_steps_are_found_and_other_folders_passed_over(store: ArtifactStore, run: RunAddress) -> None:
    lay_file(store, "lost+found/a/b/c.txt", b"")
    lay_file(store, "rest/test/my notes/c.txt", b"")
    assert store.steps() == [run.step]


def test_a_damaged_run_record_is_named(store: ArtifactStore, run: RunAddress) -> None:
    store.fs.pipe_file(f"{store.root}/{run.path}/_RUN.json", b"{")
    with pytest.raises(ArtifactCorruptError, match=rf"{run.run_id}/_RUN\.json: cannot be read"):
        store.run_record(run)


def test_a_record_is_replaced_at_one_stroke_and_leaves_no_draft(
    store: ArtifactStore, run: RunAddress, finish: Finish
) -> None:
    finish(run)
    assert [name.rsplit("/", 1)[-1] for name in files_below(store)] == ["_RUN.json"]
    found = store.run_record(run)
    assert found is not None
    assert found.status is RunStatus.SUCCESS


def test_a_root_may_hold_spaces_and_signs(tmp_path: Path, step: StepAddress, record: RunRecord, now: datetime) -> None:
    store = store_at(str(tmp_path / "my store #1 %20 ü"))
    run = store.start_run(step, record, now=now)
    publish_files(store, run, "images")
    assert open_entity(store.url_of(run.entity("images"))).read("file.bin") == b"data"


@pytest.mark.parametrize("root", ["nonsense://x", "memory://", "file:///", "/"])
def test_a_root_that_cannot_be_used_is_refused(root: str) -> None:
    with pytest.raises(LayoutError, match=rf"The store's root {root} cannot be used: "):
        store_at(root)


def test_two_processes_that_start_together_get_runs_of_their_own(
    tmp_path: Path, step: StepAddress, record: RunRecord, now: datetime
) -> None:
    store = store_at(str(tmp_path / "store"))
    context = multiprocessing.get_context("fork")
    children = [context.Process(target=_start_some, args=(store, step, record, now)) for _ in range(4)]
    for child in children:
        child.start()
    for child in children:
        child.join(30)
    runs = store.runs(step)
    assert [child.exitcode for child in children] == [0] * 4
    assert len({run.run_id for run in runs}) == len(runs) == 40
    assert all(store.run_record(run) is not None for run in runs)


def _start_some(store: ArtifactStore, step: StepAddress, record: RunRecord, now: datetime) -> None:
    for _ in range(10):
        store.start_run(step, record, now=now)
