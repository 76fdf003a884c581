"""Entities of a run: seen whole after their commit or not at all, and never changed."""

import multiprocessing
import os
import signal
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from sinara_lib.errors import ArtifactExistsError, ArtifactNotFoundError
from sinara_lib.layout import RunAddress, StepAddress
from sinara_lib.store import ArtifactStore, begin_entity, fetch_folder, open_entity, publish_folder, store_at
from sinara_lib.store.entity_writer import EntityWriter
from sinara_lib.store.manifest import RunRecord, RunStatus
from store_cases import Finish, differences, files_below, publish_files, start_run


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
    run = start_run(store, step, record.with_inputs(["https://host/a.zip"]), now)
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
        run = start_run(store, step, record, now)
        publish_files(store, run, "images", data=data)
        contents.append(store.open(run.entity("images")).manifest.content)
    assert contents[0] == contents[1] != contents[2]


def test_a_committed_entity_never_changes(store: ArtifactStore, run: RunAddress) -> None:
    publish_files(store, run, "images", data=b"first")
    before = files_below(store)
    with pytest.raises(ArtifactExistsError, match=r"is committed and never changes; start a new run"):
        publish_files(store, run, "images", data=b"second")
    assert store.open(run.entity("images")).read("file.bin") == b"first"
    assert files_below(store) == before


def test_of_two_writers_of_one_entity_one_commits_and_the_other_is_told(store: ArtifactStore, run: RunAddress) -> None:
    refused: list[str] = []
    try:
        with store.begin(run.entity("images")) as slow:
            _write(slow, b"slow")
            try:
                with store.begin(run.entity("images")) as fast:
                    _write(fast, b"fast")
            except ArtifactExistsError:
                refused.append("fast")
    except ArtifactExistsError:
        refused.append("slow")
    winner = {"fast": b"slow", "slow": b"fast"}[refused[0]]
    assert len(refused) == 1
    assert store.open(run.entity("images")).read("file.bin") == winner
    assert differences(store, run.entity("images")) == []
    assert not [path for path in files_below(store) if "_WRITING" in path or "/." in path]


def _write(writer: EntityWriter, data: bytes) -> None:
    with writer.open("file.bin") as sink:
        sink.write(data)


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_a_writer_that_fails_in_the_middle_leaves_nothing(
    store: ArtifactStore, run: RunAddress, error: type[BaseException]
) -> None:
    before = files_below(store)
    with pytest.raises(error):
        _write_and_fail(store, run, error)
    assert files_below(store) == before
    assert store.entities(run) == []
    publish_files(store, run, "images")
    assert store.entities(run) == [run.entity("images")]


def _write_and_fail(store: ArtifactStore, run: RunAddress, error: type[BaseException]) -> None:
    with store.begin(run.entity("images")) as writer:
        writer.put(Path(__file__), "whole")
        raise error


def test_a_writer_that_fails_inside_a_file_leaves_nothing(store: ArtifactStore, run: RunAddress) -> None:
    before = files_below(store)
    with pytest.raises(OSError, match=r"No space"):
        _fail_inside_a_file(store, run)
    assert files_below(store) == before


def _fail_inside_a_file(store: ArtifactStore, run: RunAddress) -> None:
    with store.begin(run.entity("images")) as writer, writer.open("half") as sink:
        sink.write(b"x")
        raise OSError(28, "No space left on device")


def test_a_killed_writer_leaves_nothing_that_a_reader_sees(
    tmp_path: Path, step: StepAddress, record: RunRecord, now: datetime
) -> None:
    store = store_at(str(tmp_path / "store"))
    run = store.start_run(step, record, now=now)
    child = multiprocessing.get_context("fork").Process(target=_write_and_die, args=(store, run))
    child.start()
    child.join(20)
    assert child.exitcode == -signal.SIGKILL
    assert any("half" in name for name in files_below(store))
    assert store.entities(run) == []
    with pytest.raises(ArtifactNotFoundError):
        store.open(run.entity("images"))
    publish_files(store, run, "images")
    assert store.open(run.entity("images")).read("file.bin") == b"data"


def _write_and_die(store: ArtifactStore, run: RunAddress) -> None:
    with store.begin(run.entity("images")) as writer, writer.open("half") as sink:
        sink.write(b"x")
        sink.flush()
        os.kill(os.getpid(), signal.SIGKILL)


def test_remains_of_a_dead_writer_are_no_part_of_the_next_ones_entity(
    tmp_path: Path, step: StepAddress, record: RunRecord, now: datetime
) -> None:
    store = store_at(str(tmp_path / "store"))
    run = store.start_run(step, record, now=now)
    _write(store.begin(run.entity("images")), b"old")
    with store.begin(run.entity("images")) as writer, writer.open("new.bin") as sink:
        sink.write(b"new")
    fetch_folder(store.url_of(run.entity("images")), tmp_path / "out")
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["new.bin"]


@pytest.mark.parametrize("root", ["memory", "s3"], indirect=True)
def test_in_an_object_store_an_entity_whose_writer_died_needs_a_new_run(
    store: ArtifactStore, step: StepAddress, record: RunRecord, now: datetime
) -> None:
    run = store.start_run(step, record, now=now)
    _write(store.begin(run.entity("images")), b"old")
    with pytest.raises(ArtifactExistsError, match=r"another writer, or one died at it: .*_WRITING\.images stands"):
        store.begin(run.entity("images"))
    assert store.entities(run) == []
    publish_files(store, store.start_run(step, record, now=now), "images")


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


def test_a_writer_that_outlives_its_run_commits_nothing(store: ArtifactStore, run: RunAddress, finish: Finish) -> None:
    late = store.begin(run.entity("images"))
    _write(late, b"late")
    finish(run, RunStatus.FAILED)
    with pytest.raises(ArtifactExistsError, match=r"is FAILED: a finished run is closed"), late:
        pass
    assert store.entities(run) == []
    assert [path.rsplit("/", 1)[-1] for path in files_below(store)] == ["_RUN.json"]


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
