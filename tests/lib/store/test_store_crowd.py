"""Many at once: processes that run the same step, threads that write one entity, ten thousand runs in a folder."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from child_processes import exit_code, start_child
from sinara_lib.errors import LayoutError
from sinara_lib.layout import RunAddress, StepAddress, new_run_id
from sinara_lib.store import ArtifactStore, store_at
from sinara_lib.store.files import StoreFiles
from sinara_lib.store.manifest import RunRecord, RunStatus
from store_cases import Finish, differences, files_below, publish_files, start_run

CROWD = 16


def _run_once(root: str, step: StepAddress, record: RunRecord, now: datetime) -> None:
    store = store_at(root)
    run = store.start_run(step, record, now=now)
    publish_files(store, run, "images", "labels", data=run.run_id.encode())
    store.replace_record(run, record.model_copy(update={"run_id": run.run_id, "status": RunStatus.SUCCESS}))


@pytest.mark.parametrize("root", ["file", "s3"], indirect=True)
def test_sixteen_processes_of_one_step_get_runs_of_their_own_and_leave_no_lock(
    root: str, step: StepAddress, record: RunRecord, now: datetime
) -> None:
    crowd = [start_child(_run_once, root, step, record, now) for _ in range(CROWD)]
    assert [exit_code(child, seconds=120) for child in crowd] == [0] * CROWD
    store = store_at(root)
    runs = store.runs(step)
    assert len({run.run_id for run in runs}) == len(runs) == CROWD
    for run in runs:
        for entity in store.entities(run):
            assert differences(store, entity) == []
            assert store.open(entity).read("file.bin") == run.run_id.encode()
    assert [len(store.entities(run)) for run in runs] == [2] * CROWD
    assert store.resolve(step, ["images", "labels"]) == runs[0]
    names = {path.rsplit("/", 1)[-1] for path in files_below(store)}
    assert names == {"_RUN.json", "file.bin", "_MANIFEST.json", "_SUCCESS"}


@pytest.mark.parametrize("root", ["file", "s3"], indirect=True)
def test_of_sixteen_processes_that_write_one_entity_one_commits(
    root: str, store: ArtifactStore, step: StepAddress, record: RunRecord, now: datetime
) -> None:
    run = start_run(store, step, record, now)
    crowd = [start_child(_write_one, root, run, number) for number in range(CROWD)]
    codes = [exit_code(child, seconds=120) for child in crowd]
    assert codes.count(0) == 1
    reader = store_at(root).open(run.entity("images"))
    assert differences(store, run.entity("images")) == []
    assert reader.read("number.txt") == str(codes.index(0)).encode() * 1000
    assert [entry.path for entry in reader.manifest.files] == ["number.txt"]
    assert not [path for path in files_below(store) if "_WRITING" in path or "/.images" in path]


def _write_one(root: str, run: RunAddress, number: int) -> None:
    with store_at(root).begin(run.entity("images")) as writer, writer.open("number.txt") as sink:
        sink.write(str(number).encode() * 1000)


def test_threads_write_files_of_one_entity_at_once(store: ArtifactStore, run: RunAddress) -> None:
    together = threading.Barrier(4)

    def write(number: int) -> None:
        with writer.open(f"shard/{number}.bin") as sink:
            together.wait(20)
            sink.write(bytes([number]) * 10_000)

    with store.begin(run.entity("images")) as writer, ThreadPoolExecutor(4) as threads:
        list(threads.map(write, range(40)))
    reader = store.open(run.entity("images"))
    assert differences(store, run.entity("images")) == []
    assert {entry.path for entry in reader.manifest.files} == {f"shard/{number}.bin" for number in range(40)}


def test_threads_cannot_take_one_name_twice(store: ArtifactStore, run: RunAddress) -> None:
    def write(number: int) -> str:
        try:
            with writer.open("Same.bin" if number % 2 else "same.bin") as sink:
                sink.write(bytes([number]))
                together.wait(20)
        except LayoutError:
            together.wait(20)
            return "refused"
        return "written"

    together = threading.Barrier(8)
    with store.begin(run.entity("images")) as writer, ThreadPoolExecutor(8) as threads:
        outcomes = list(threads.map(write, range(8)))
    assert sorted(outcomes) == ["refused"] * 7 + ["written"]
    assert len(store.open(run.entity("images")).manifest.files) == 1


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What the store asks of its filesystem, by name."""
    asked: list[str] = []

    def note(name: str) -> None:
        ask = getattr(StoreFiles, name)

        def noted(self: StoreFiles, *args: object, **options: object) -> object:
            asked.append(name)
            return ask(self, *args, **options)

        monkeypatch.setattr(StoreFiles, name, noted)

    for name in ("folders", "read", "exists", "sizes"):
        note(name)
    return asked


def test_resolving_costs_one_listing_one_read_and_a_look_per_entity(
    store: ArtifactStore, step: StepAddress, record: RunRecord, now: datetime, finish: Finish, calls: list[str]
) -> None:
    for _ in range(20):
        run = start_run(store, step, record, now)
        publish_files(store, run, "images", "labels")
        finish(run)
    failed = start_run(store, step, record, now)
    calls.clear()
    assert store.resolve(step, ["images", "labels"]) == run
    assert sorted(calls) == ["exists", "exists", "folders", "read", "read"]
    finish(failed)
    calls.clear()
    assert store.resolve(step, ["images"], run_id=run.run_id) == run
    assert sorted(calls) == ["exists", "read"]


def test_among_ten_thousand_runs_resolving_and_starting_cost_what_they_cost_among_ten(
    tmp_path: Path, step: StepAddress, record: RunRecord, now: datetime, calls: list[str]
) -> None:
    store = store_at(str(tmp_path / "store"))
    finished = record.model_copy(update={"status": RunStatus.SUCCESS})
    folder = tmp_path / "store" / step.path
    for number in range(10_000):
        run_id = new_run_id(now + timedelta(seconds=number))
        (folder / run_id).mkdir(parents=True)
        text = finished.model_copy(update={"run_id": run_id}).model_dump_json()
        (folder / run_id / "_RUN.json").write_text(text)
    newest = RunAddress(step, run_id)
    (folder / run_id / "images").mkdir()
    (folder / run_id / "images" / "_SUCCESS").write_text("")
    calls.clear()
    assert store.resolve(step, ["images"]) == newest
    assert sorted(calls) == ["exists", "folders", "read"]
    calls.clear()
    assert store.start_run(step, record, now=now).run_id == new_run_id(now + timedelta(seconds=9_999, milliseconds=1))
    assert calls == ["folders"]
    assert len(store.runs(step)) == 10_001
