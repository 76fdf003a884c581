"""The store's contract, on every filesystem that needs no server: runs, commits, what resolves and what does not."""

import multiprocessing
import os
import signal
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from sinara_lib.errors import ArtifactCorruptError, ArtifactExistsError, ArtifactNotFoundError, LayoutError
from sinara_lib.layout import RunAddress, StepAddress, run_sort_key
from sinara_lib.manifest import RunRecord, RunStatus
from sinara_lib.store import ArtifactStore, begin_entity, fetch_folder, open_entity, publish_folder, store_at

Finish = Callable[..., None]


def _start(store: ArtifactStore, step: StepAddress, record: RunRecord, now: datetime, *, later: int = 0) -> RunAddress:
    return store.start_run(step, record, now=now + timedelta(seconds=later))


def _publish(store: ArtifactStore, run: RunAddress, *names: str, data: bytes = b"data") -> None:
    for name in names:
        with store.begin(run.entity(name)) as writer, writer.open("file.bin") as sink:
            sink.write(data)


def _lay(store: ArtifactStore, path: str, data: bytes) -> None:
    store.fs.makedirs(f"{store.root}/{path}".rpartition("/")[0], exist_ok=True)
    store.fs.pipe_file(f"{store.root}/{path}", data)


def _files_below(store: ArtifactStore) -> list[str]:
    return sorted(store.fs.find(store.root))


def test_a_run_is_named_after_its_time_and_recorded_as_running(
    store: ArtifactStore, step: StepAddress, record: RunRecord, now: datetime
) -> None:
    run = _start(store, step, record, now)
    assert run.run_id == "run-26-11-21-013711-482"
    found = store.run_record(run)
    assert found is not None
    assert (found.run_id, found.status, found.started) == (run.run_id, RunStatus.RUNNING, now)


def test_runs_that_start_in_one_millisecond_get_ids_of_their_own(
    store: ArtifactStore, step: StepAddress, record: RunRecord, now: datetime
) -> None:
    ids = [_start(store, step, record, now).run_id for _ in range(5)]
    assert ids == [f"run-26-11-21-013711-{ms}" for ms in (482, 483, 484, 485, 486)]


def test_a_run_id_given_from_outside_is_used_and_taken_once(
    store: ArtifactStore, step: StepAddress, record: RunRecord, now: datetime
) -> None:
    given = record.model_copy(update={"run_id": "run-26-01-01-000000"})
    assert _start(store, step, given, now).run_id == "run-26-01-01-000000"
    with pytest.raises(ArtifactExistsError, match=r"run run-26-01-01-000000 exists; choose another id"):
        _start(store, step, given, now)


def test_a_given_run_id_of_another_form_is_refused(
    store: ArtifactStore, step: StepAddress, record: RunRecord, now: datetime
) -> None:
    with pytest.raises(LayoutError, match=r"'monday' is not a run id"):
        _start(store, step, record.model_copy(update={"run_id": "monday"}), now)
    assert _files_below(store) == []


def test_runs_are_listed_newest_first_with_old_ids_in_their_place(
    store: ArtifactStore, step: StepAddress, record: RunRecord, now: datetime
) -> None:
    for later in (5, 0, 9):
        _start(store, step, record, now, later=later)
    _start(store, step, record.model_copy(update={"run_id": "run-26-11-21-013713"}), now)
    store.fs.makedirs(f"{store.root}/{step.path}/notes", exist_ok=True)
    ids = [run.run_id for run in store.runs(step)]
    assert ids == sorted(ids, key=run_sort_key, reverse=True)
    assert ids[2] == "run-26-11-21-013713"
    assert len(ids) == 4


def test_an_empty_store_has_no_steps_and_no_runs(store: ArtifactStore, step: StepAddress) -> None:
    assert store.steps() == []
    assert store.runs(step) == []


def test_steps_are_found_and_other_folders_passed_over(store: ArtifactStore, run: RunAddress) -> None:
    _lay(store, "lost+found/a/b/c.txt", b"")
    _lay(store, "rest/test/my notes/c.txt", b"")
    assert store.steps() == [run.step]


def test_nothing_of_an_entity_can_be_seen_before_its_commit(store: ArtifactStore, run: RunAddress) -> None:
    entity = run.entity("images")
    with store.begin(entity) as writer:
        with writer.open("a.jpg") as sink:
            sink.write(b"x")
        assert not store.is_committed(entity)
        assert store.entities(run) == []
        with pytest.raises(ArtifactNotFoundError, match=r"images is not a committed entity"):
            store.open(entity)
    assert store.is_committed(entity)
    assert store.entities(run) == [entity]


def test_a_commit_writes_the_manifest_with_size_hash_producer_and_inputs(
    store: ArtifactStore, step: StepAddress, record: RunRecord, now: datetime
) -> None:
    run = _start(store, step, record.with_inputs(["https://host/a.zip"]), now)
    with store.begin(run.entity("images")) as writer, writer.open("a/b.txt") as sink:
        sink.write(b"abc")
    manifest = store.open(run.entity("images")).manifest
    assert manifest == writer.manifest
    assert [(f.path, f.size) for f in manifest.files] == [("a/b.txt", 3)]
    assert manifest.files[0].sha256 == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert (manifest.entity, manifest.run_id, manifest.bytes) == ("images", run.run_id, 3)
    assert (manifest.producer, manifest.inputs) == (record.producer, ("https://host/a.zip",))
    assert manifest.created.utcoffset() == timedelta(0)


def test_content_is_the_same_for_the_same_data_whatever_the_run(
    store: ArtifactStore, step: StepAddress, record: RunRecord, now: datetime
) -> None:
    contents = []
    for data in (b"same", b"same", b"other"):
        run = _start(store, step, record, now)
        _publish(store, run, "images", data=data)
        contents.append(store.open(run.entity("images")).manifest.content)
    assert contents[0] == contents[1] != contents[2]


def test_a_committed_entity_never_changes(store: ArtifactStore, run: RunAddress) -> None:
    _publish(store, run, "images", data=b"first")
    before = _files_below(store)
    with pytest.raises(ArtifactExistsError, match=r"is committed and never changes; start a new run"):
        _publish(store, run, "images", data=b"second")
    assert store.open(run.entity("images")).read("file.bin") == b"first"
    assert _files_below(store) == before


def test_a_slower_writer_of_the_same_entity_neither_replaces_nor_removes_the_committed_one(
    store: ArtifactStore, run: RunAddress
) -> None:
    slow = store.begin(run.entity("images"))
    _publish(store, run, "images", data=b"first")
    with pytest.raises(ArtifactExistsError), slow:
        pass
    assert store.open(run.entity("images")).read("file.bin") == b"first"


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_a_writer_that_fails_in_the_middle_leaves_nothing(
    store: ArtifactStore, run: RunAddress, error: type[BaseException]
) -> None:
    before = _files_below(store)
    with pytest.raises(error):
        _write_and_fail(store, run, error)
    assert _files_below(store) == before
    assert store.entities(run) == []
    _publish(store, run, "images")
    assert store.entities(run) == [run.entity("images")]


def _write_and_fail(store: ArtifactStore, run: RunAddress, error: type[BaseException]) -> None:
    with store.begin(run.entity("images")) as writer:
        writer.put(Path(__file__), "whole")
        raise error


def test_a_writer_that_fails_inside_a_file_leaves_nothing(store: ArtifactStore, run: RunAddress) -> None:
    before = _files_below(store)
    with pytest.raises(OSError, match=r"No space"):
        _fail_inside_a_file(store, run)
    assert _files_below(store) == before


def _fail_inside_a_file(store: ArtifactStore, run: RunAddress) -> None:
    with store.begin(run.entity("images")) as writer, writer.open("half") as sink:
        sink.write(b"x")
        raise OSError(28, "No space left on device")


def test_a_failure_while_committing_leaves_nothing(
    store: ArtifactStore, run: RunAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = _files_below(store)
    writer = store.begin(run.entity("images"))

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(writer, "_write_mark", fail)
    with pytest.raises(OSError, match=r"No space"), writer:
        pass
    assert _files_below(store) == before


def test_a_killed_writer_leaves_nothing_that_a_reader_sees(
    tmp_path: Path, step: StepAddress, record: RunRecord, now: datetime
) -> None:
    store = store_at(str(tmp_path / "store"))
    run = store.start_run(step, record, now=now)
    child = multiprocessing.get_context("fork").Process(target=_write_and_die, args=(store, run))
    child.start()
    child.join(20)
    assert child.exitcode == -signal.SIGKILL
    assert any("half" in name for name in _files_below(store))
    assert store.entities(run) == []
    with pytest.raises(ArtifactNotFoundError):
        store.open(run.entity("images"))
    _publish(store, run, "images")
    assert store.open(run.entity("images")).read("file.bin") == b"data"


def _write_and_die(store: ArtifactStore, run: RunAddress) -> None:
    with store.begin(run.entity("images")) as writer, writer.open("half") as sink:
        sink.write(b"x")
        sink.flush()
        os.kill(os.getpid(), signal.SIGKILL)


def test_remains_of_a_dead_writer_are_no_part_of_the_next_ones_entity(
    store: ArtifactStore, run: RunAddress, tmp_path: Path
) -> None:
    dead = store.begin(run.entity("images"))
    with dead.open("old") as sink:
        sink.write(b"old")
    _publish(store, run, "images", data=b"new")
    fetch_folder(store.url_of(run.entity("images")), tmp_path / "out")
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["file.bin"]


def test_nothing_is_published_outside_a_run(store: ArtifactStore, step: StepAddress) -> None:
    run = RunAddress(step, "run-26-11-21-013711-482")
    with pytest.raises(ArtifactNotFoundError, match=r"has no _RUN\.json: start the run first"):
        store.begin(run.entity("images"))


@pytest.mark.parametrize("status", [RunStatus.SUCCESS, RunStatus.FAILED])
def test_a_finished_run_is_closed_to_writers(
    store: ArtifactStore, run: RunAddress, finish: Finish, status: RunStatus
) -> None:
    finish(run, status)
    with pytest.raises(ArtifactExistsError, match=f"is {status.value}: a finished run is closed"):
        store.begin(run.entity("images"))


def test_the_newest_finished_run_resolves(
    store: ArtifactStore, step: StepAddress, record: RunRecord, now: datetime, finish: Finish
) -> None:
    runs = [_start(store, step, record, now, later=later) for later in range(3)]
    for run in runs:
        _publish(store, run, "images")
        finish(run)
    assert store.resolve(step, ["images"]) == runs[2]


@pytest.mark.parametrize("status", [RunStatus.RUNNING, RunStatus.FAILED])
def test_a_run_that_goes_on_or_failed_is_passed_over(
    store: ArtifactStore, step: StepAddress, record: RunRecord, now: datetime, finish: Finish, status: RunStatus
) -> None:
    old, new = (_start(store, step, record, now, later=later) for later in range(2))
    for run in (old, new):
        _publish(store, run, "images")
    finish(old)
    finish(new, status)
    assert store.resolve(step, ["images"]) == old


def test_a_notebook_run_by_hand_resolves(
    store: ArtifactStore, step: StepAddress, record: RunRecord, now: datetime
) -> None:
    run = _start(store, step, record.model_copy(update={"status": RunStatus.INTERACTIVE}), now)
    _publish(store, run, "images")
    assert store.resolve(step, ["images"]) == run


def test_all_entities_come_from_one_run_though_a_newer_one_holds_some_of_them(
    store: ArtifactStore, step: StepAddress, record: RunRecord, now: datetime, finish: Finish
) -> None:
    old, new = (_start(store, step, record, now, later=later) for later in range(2))
    _publish(store, old, "images", "labels")
    _publish(store, new, "images")
    finish(old)
    finish(new)
    assert store.resolve(step, ["images", "labels"]) == old
    assert store.resolve(step, ["images"]) == new


def test_a_pinned_run_is_taken_or_refused_but_never_replaced(
    store: ArtifactStore, step: StepAddress, record: RunRecord, now: datetime, finish: Finish
) -> None:
    old, new = (_start(store, step, record, now, later=later) for later in range(2))
    _publish(store, old, "images")
    _publish(store, new, "images", "labels")
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
    first, second = (_start(store, step, record, now, later=later) for later in range(2))
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
    _publish(store, run, "images")
    finish(run)
    for other in (StepAddress("rest", "prod", "data_load"), StepAddress("other", "test", "data_load")):
        with pytest.raises(ArtifactNotFoundError):
            store.resolve(other, ["images"])
    assert store.resolve(step, ["images"]) == run


def test_a_run_that_sinaraml_wrote_resolves_and_reads(store: ArtifactStore, step: StepAddress) -> None:
    run = RunAddress(step, "run-21-06-01-120000")
    for name, data in (("part-0.parquet", b"rows"), (".part-0.parquet.crc", b"c"), ("_SUCCESS", b"")):
        _lay(store, f"{run.path}/images/{name}", data)
    assert store.run_record(run) is None
    assert store.resolve(step, ["images"]) == run
    reader = store.open(run.entity("images"))
    assert reader.read("part-0.parquet") == b"rows"
    assert reader.manifest.producer.library == "SinaraML"
    reader.verify()


def test_a_half_written_entity_of_sinaraml_does_not_resolve(store: ArtifactStore, step: StepAddress) -> None:
    run = RunAddress(step, "run-21-06-01-120000")
    _lay(store, f"{run.path}/images/part-0.parquet", b"rows")
    with pytest.raises(ArtifactNotFoundError):
        store.resolve(step, ["images"])


def test_the_newest_url_of_an_entity_is_found_whatever_step_made_it(
    store: ArtifactStore, record: RunRecord, now: datetime, finish: Finish
) -> None:
    pack, eval_ = StepAddress("rest", "test", "model_pack"), StepAddress("rest", "test", "model_eval")
    runs = [_start(store, pack, record, now), _start(store, eval_, record, now, later=1)]
    _publish(store, runs[0], "bento_service")
    _publish(store, runs[1], "report")
    with pytest.raises(ArtifactNotFoundError, match=r"offers bento_service: run the step that makes it"):
        store.newest_url("bento_service")
    finish(runs[0])
    assert store.newest_url("bento_service") == store.url_of(runs[0].entity("bento_service"))


def test_a_damaged_run_record_is_named(store: ArtifactStore, run: RunAddress) -> None:
    store.fs.pipe_file(f"{store.root}/{run.path}/_RUN.json", b"{")
    with pytest.raises(ArtifactCorruptError, match=rf"{run.run_id}/_RUN\.json cannot be read"):
        store.run_record(run)


def test_a_record_is_replaced_at_one_stroke_and_leaves_no_draft(
    store: ArtifactStore, run: RunAddress, finish: Finish
) -> None:
    finish(run)
    assert [name.rsplit("/", 1)[-1] for name in _files_below(store)] == ["_RUN.json"]
    found = store.run_record(run)
    assert found is not None
    assert found.status is RunStatus.SUCCESS


def test_a_folder_of_plain_files_is_published_and_fetched_as_it_was(
    store: ArtifactStore, run: RunAddress, tmp_path: Path
) -> None:
    source = tmp_path / "report"
    (source / "pictures").mkdir(parents=True)
    (source / "pictures" / "a b.png").write_bytes(b"\x89PNG")
    (source / "empty.txt").write_bytes(b"")
    url = store.url_of(run.entity("report"))
    assert publish_folder(source, url).bytes == 4
    fetched = fetch_folder(url, tmp_path / "out")
    assert {p.relative_to(fetched).as_posix(): p.read_bytes() for p in fetched.rglob("*") if p.is_file()} == {
        "pictures/a b.png": b"\x89PNG",
        "empty.txt": b"",
    }


def test_urls_lead_to_the_entity_they_name(store: ArtifactStore, run: RunAddress) -> None:
    url = store.url_of(run.entity("images"))
    with begin_entity(url) as writer, writer.open("a") as sink:
        sink.write(b"1")
    assert url == f"{store.url}/rest/test/data_load/{run.run_id}/images"
    assert open_entity(url).read("a") == b"1"


def test_a_root_may_hold_spaces_and_signs(tmp_path: Path, step: StepAddress, record: RunRecord, now: datetime) -> None:
    store = store_at(str(tmp_path / "my store #1 %20 ü"))
    run = store.start_run(step, record, now=now)
    _publish(store, run, "images")
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
