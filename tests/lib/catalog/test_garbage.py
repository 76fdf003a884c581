"""Removing: what goes, what stays, and that a kill at any point harms nobody."""

from datetime import timedelta

import pytest
from fsspec.implementations.local import LocalFileSystem

from garbage_cases import collect, finish_run, leave_remains, run_ids_left
from lineage_cases import History
from sinara_lib.catalog.catalog import Catalog, read_runs
from sinara_lib.errors import ArtifactError, ArtifactNotFoundError
from sinara_lib.layout import RunAddress, StepAddress
from sinara_lib.store import ArtifactStore, store_at
from sinara_lib.store.liveness import this_process
from sinara_lib.store.manifest import RUN_FILE, SUCCESS_FILE, Process, RunRecord, RunStatus
from store_cases import differences, files_below, lay_file, publish_files


def test_old_runs_go_with_every_file_and_the_rest_stays_whole(history: History) -> None:
    old, newer = history.run("data_load", "images", "labels"), history.run("data_load", "images")
    done = collect(history, keep_last=1)
    assert run_ids_left(history) == {newer.run_id}
    assert [one.url for one in done.removed] == [history.store.url_of(old)]
    assert not any(old.run_id in path for path in files_below(history.store))
    if isinstance(history.store.fs, LocalFileSystem):
        assert not history.store.fs.exists(f"{history.store.root}/{old.path}")
    assert differences(history.store) == []


def test_dry_run_prints_the_same_plan_and_touches_nothing(history: History, dead: Process) -> None:
    for _ in range(3):
        history.run("data_load", "images")
    history.run("data_prep", "train", status=RunStatus.RUNNING, process=dead)
    before = {path: history.store.fs.cat_file(path) for path in files_below(history.store)}
    planned = collect(history, keep_last=1, dry_run=True)
    assert {path: history.store.fs.cat_file(path) for path in files_below(history.store)} == before
    done = collect(history, keep_last=1)
    assert (planned.removed, planned.kept) == (done.removed, done.kept)
    assert len(done.removed) == 3
    sizes = {path: len(data) for path, data in before.items()}
    assert done.bytes == sum(sizes.values()) - sum(history.store.fs.size(p) for p in files_below(history.store))
    assert [line.replace("would remove", "removed") for line in planned.lines()] == done.lines()
    assert done.lines()[-1] == f"removed 3 runs and remains, {done.bytes / 1e6:.1f} MB"


def test_a_run_whose_process_was_killed_goes_and_one_that_lives_stays(history: History, dead: Process) -> None:
    killed = history.run("data_load", "images", status=RunStatus.RUNNING, process=dead)
    lives = history.run("data_load", "images", status=RunStatus.RUNNING, process=this_process())
    elsewhere = this_process().model_copy(update={"machine": "other"})
    foreign = history.run("data_load", status=RunStatus.RUNNING, process=elsewhere)
    (removed,) = collect(history).removed
    assert (removed.url, removed.why) == (history.store.url_of(killed), "its process is gone")
    assert run_ids_left(history) == {lives.run_id, foreign.run_id}
    collect(history, older_than=timedelta(days=1))
    assert run_ids_left(history) == {lives.run_id}


def test_remains_in_finished_runs_go_and_drafts_of_living_ones_stay(history: History) -> None:
    finished = history.run("data_load", "images", status=RunStatus.RUNNING, process=this_process())
    leave_remains(history.store, finished)
    lives = history.run("data_prep", "train", status=RunStatus.RUNNING, process=this_process())
    leave_remains(history.store, lives)
    finish_run(history.store, finished)
    kept = [path for path in files_below(history.store) if lives.run_id in path]
    done = collect(history)
    assert done.removed
    assert all(finished.run_id in one.url for one in done.removed)
    assert [path for path in files_below(history.store) if lives.run_id in path] == kept
    names = {path.split(f"{finished.run_id}/")[1] for path in files_below(history.store) if finished.run_id in path}
    assert names == {RUN_FILE, "images/file.bin", "images/_MANIFEST.json", f"images/{SUCCESS_FILE}"}
    assert collect(history).removed == ()


def test_what_is_not_the_librarys_is_left_alone(history: History) -> None:
    run = history.run("data_load", "images")
    for path in (f"{run.path}/notes/a.txt", f"{run.path}/notes.txt", "rest/test/data_load/readme.txt", "lost+found/x"):
        lay_file(history.store, path, b"mine")
    before = files_below(history.store)
    assert collect(history, keep_last=1).removed == ()
    assert files_below(history.store) == before


def test_an_entity_that_lost_its_mark_is_damage_for_verify_and_no_garbage(history: History) -> None:
    run = history.run("data_load", "images")
    history.store.fs.rm_file(f"{history.store.root}/{run.path}/images/{SUCCESS_FILE}")
    assert collect(history).removed == ()
    assert [f.problem for f in differences(history.store)] == ["is missing beside its manifest"]


def test_a_run_that_died_while_it_was_made_goes_once_it_is_old(history: History) -> None:
    history.run("data_load", "images")
    lay_file(history.store, f"rest/test/data_load/.run-26-11-01-000000-000.0123abcd/{RUN_FILE}", b"{}")
    assert collect(history, keep_last=1).removed == ()
    (removed,) = collect(history, older_than=timedelta(days=5)).removed
    assert removed.why == "a run that died while it was made"


def test_what_other_environments_use_stays(history: History) -> None:
    prod = store_at("memory://prod-of-gc")
    old, _ = history.run("data_load", "images"), history.run("data_load", "images")
    history.run("data_prep", "train", inputs=[history.url(old, "images")], store=prod)
    try:
        done = collect(history, keep_last=1, others=Catalog({"prod": prod}, tuple(read_runs("prod", prod)), {}))
        assert (done.removed, done.kept) == ((), (history.store.url_of(old),))
        assert "a run that is kept was made from it" in done.lines()[0]
        assert len(collect(history, keep_last=1).removed) == 1
    finally:
        prod.fs.rm(prod.root, recursive=True)


def test_with_an_environment_that_cannot_be_reached_only_what_nobody_can_have_read_goes(
    history: History, dead: Process
) -> None:
    old, _ = history.run("data_load", "images"), history.run("data_load", "images")
    killed = history.run("data_load", status=RunStatus.RUNNING, process=dead)
    done = collect(history, keep_last=1, others=Catalog({}, (), {"prod": "no network."}))
    assert [one.url for one in done.removed] == [history.store.url_of(killed)]
    assert done.kept == (history.store.url_of(old),)
    assert done.lines()[1:3] == [
        "unknown  environment prod  what was read there: no network.",
        f"kept  {history.store.url_of(old)}  what others read is not known",
    ]


def test_a_run_that_comes_into_use_while_gc_works_is_given_back(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, _ = history.run("data_load", "images"), history.run("data_load", "images")
    before = history.store.run_record(old)
    reader = history.run("data_prep", status=RunStatus.RUNNING, process=this_process())
    replace = ArtifactStore.replace_record

    def mark_just_after_a_notebook_has_recorded_what_it_reads(
        store: ArtifactStore, run: RunAddress, record: RunRecord
    ) -> None:
        if record.status is RunStatus.REMOVING:
            found = store.run_record(reader)
            assert found is not None
            replace(store, reader, found.with_inputs([history.url(old, "images")]))
        replace(store, run, record)

    monkeypatch.setattr(ArtifactStore, "replace_record", mark_just_after_a_notebook_has_recorded_what_it_reads)
    done = collect(history, keep_last=1)
    assert done.removed == ()
    assert done.kept == (history.store.url_of(old),)
    assert history.store.run_record(old) == before
    assert history.store.resolve(old.step, ["images"], run_id=old.run_id) == old


def test_a_marked_run_is_not_resolved(history: History) -> None:
    old, newer = history.run("data_load", "images"), history.run("data_load", "images", "labels")
    record = history.store.run_record(newer)
    assert record is not None
    history.store.replace_record(newer, record.model_copy(update={"status": RunStatus.REMOVING}))
    assert history.store.resolve(old.step, ["images"]) == old
    with pytest.raises(ArtifactNotFoundError, match=r"REMOVING"):
        history.store.resolve(old.step, ["labels"])


def test_runs_of_sinaraml_are_removed_whole_and_only_by_both_rules(history: History) -> None:
    legacy = [RunAddress(StepAddress("rest", "test", "data_load"), f"run-21-06-0{n}-120000") for n in (1, 2)]
    for run in legacy:
        lay_file(history.store, f"{run.path}/images/{SUCCESS_FILE}", b"")
        lay_file(history.store, f"{run.path}/images/part-0.parquet", b"PAR1")
    assert collect(history, keep_last=1).removed == ()
    (removed,) = collect(history, keep_last=1, older_than=timedelta(days=1)).removed
    assert removed.url == history.store.url_of(legacy[0])
    assert run_ids_left(history) == {legacy[1].run_id}
    assert history.store.run_record(legacy[1]) is None


def test_a_writer_that_comes_too_late_for_its_removed_run_is_told(history: History) -> None:
    old, _ = history.run("data_load", "images"), history.run("data_load", "images")
    collect(history, keep_last=1)
    with pytest.raises(ArtifactError, match=r"has no _RUN\.json"):
        publish_files(history.store, old, "late")
