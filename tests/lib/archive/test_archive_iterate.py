"""Streaming real archives from every kind of store, in threads and processes, without leaving anything open."""

import multiprocessing
import os
import pickle
import random
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sinara_lib.archive import ArchiveReader, open_archive, pack
from sinara_lib.archive import format as archive_format
from sinara_lib.archive.format import SCHEMA
from sinara_lib.archive.plan import list_members
from sinara_lib.archive.row_groups import GroupContent
from sinara_lib.archive.writer import write_archive
from sinara_lib.errors import ArtifactCorruptError, StoreUnavailableError
from sinara_lib.layout import RunAddress, StepAddress
from sinara_lib.store import ArtifactStore, begin_entity, store_at
from sinara_lib.store.manifest import RunRecord
from tests.s3_server import start_s3_server

Files = dict[str, bytes]


@pytest.fixture
def files() -> Files:
    """Sixty files of up to 3 kB, one of them empty."""
    chance = random.Random(1)
    return {f"images/{number:03}.jpg": chance.randbytes(chance.randrange(3000)) for number in range(59)} | {"none": b""}


@pytest.fixture
def small_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a few kilobytes fill rows, groups and shards, so that sixty files lie in several shards."""
    monkeypatch.setattr(archive_format, "ROW_BYTES", 1000)
    monkeypatch.setattr(archive_format, "GROUP_BYTES", 5000)
    monkeypatch.setattr(archive_format, "SHARD_BYTES", 20_000)


@pytest.fixture
def archive(url: str, files: Files, tmp_path: Path, small_groups: None) -> str:
    """URL of the files as an archive of several shards, with rows that are parts of files."""
    for name, data in files.items():
        (tmp_path / "files" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "files" / name).write_bytes(data)
    pack(tmp_path / "files", url)
    return url


@pytest.fixture
def without_index(url: str, files: Files) -> str:
    """URL of the files in one shard of several row groups, with no index."""
    when = datetime(2026, 1, 1, tzinfo=timezone.utc)
    rows = [
        {"relPath": name, "modificationTime": when, "length": len(data), "part": 0, "parts": 1, "content": data}
        for name, data in files.items()
    ]
    with begin_entity(url) as writer, writer.open("part-0.parquet") as sink:
        pq.write_table(pa.Table.from_pylist(rows, SCHEMA), sink, row_group_size=10)
    return url


@pytest.mark.parametrize(
    "order", [{}, {"shuffle_seed": 3}, {"shuffle_seed": 3, "shuffle_window": 9000}, {"prefetch": 0}]
)
def test_every_file_comes_once_with_its_bytes(archive: str, files: Files, order: dict[str, int]) -> None:
    with open_archive(archive) as reader:
        found = list(reader.iterate(**order))
        assert dict(found) == files
        assert len(found) == len(files)
        assert ([name for name, _ in found] == reader.names()) == ("shuffle_seed" not in order)


def test_many_files_are_read_at_once_in_the_order_asked_for(archive: str, files: Files) -> None:
    reader = open_archive(archive)
    wanted = ["none", *random.Random(2).sample(sorted(files), 30)]
    assert reader.read_many(wanted) == [files[name] for name in wanted]


def test_files_come_from_an_archive_without_an_index_and_each_row_group_is_read_at_most_once_per_batch(
    without_index: str, files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader, groups = open_archive(without_index), []
    read = GroupContent._contents
    monkeypatch.setattr(GroupContent, "_contents", lambda self, key: groups.append(key) or read(self, key))

    assert dict(reader.iterate(shuffle_seed=1)) == files
    assert sorted(groups) == [(0, number) for number in range(6)]


@pytest.mark.parametrize("root", ["s3"], indirect=True)
def test_an_object_store_is_asked_for_many_files_with_one_request(
    archive: str, files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    import s3fs

    requests: list[str] = []
    fetch = s3fs.S3FileSystem._cat_file

    async def counted(self: Any, path: str, **range_: Any) -> Any:
        requests.append(path)
        return await fetch(self, path, **range_)

    reader = open_archive(archive)
    monkeypatch.setattr(s3fs.S3FileSystem, "_cat_file", counted)

    assert dict(reader.iterate()) == files
    assert len(requests) == len(set(requests)) > 3


def _share(source: Any, part: tuple[int, int], answers: Any) -> None:
    reader = source if isinstance(source, ArchiveReader) else open_archive(source)
    answers.put(dict(reader.iterate(shuffle_seed=5, part=part)))


def _shares(start: str, source: Any, of: int) -> list[Files]:
    context = multiprocessing.get_context(start)
    answers = context.Queue()
    workers = [context.Process(target=_share, args=(source, (k, of), answers)) for k in range(of)]
    for worker in workers:
        worker.start()
    found = [answers.get(timeout=120) for _ in workers]
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0] * of
    return found


@pytest.mark.parametrize(
    ("root", "start"),
    [("file", "fork"), ("memory", "fork"), ("s3", "fork"), ("file", "spawn"), ("s3", "spawn")],
    indirect=["root"],
)
def test_processes_share_an_archive_each_with_the_reader_it_was_given(archive: str, files: Files, start: str) -> None:
    reader = open_archive(archive)
    reader.read("images/000.jpg")

    shares = _shares(start, reader, 3)

    assert sum(map(len, shares)) == len(files)
    assert {name: data for share in shares for name, data in share.items()} == files
    assert dict(reader) == files


@pytest.mark.parametrize("root", ["file", "s3"], indirect=True)
def test_a_forked_process_does_not_disturb_its_parent_where_there_is_no_index(without_index: str, files: Files) -> None:
    reader = open_archive(without_index)
    reader.read("images/000.jpg")

    shares = _shares("fork", reader, 3)

    assert {name: data for share in shares for name, data in share.items()} == files
    assert dict(reader) == files


@pytest.mark.parametrize("which", ["archive", "without_index"])
def test_a_pickled_reader_reads(request: pytest.FixtureRequest, url: str, files: Files, which: str) -> None:
    assert request.getfixturevalue(which) == url
    with open_archive(url) as reader:
        reader.read("images/000.jpg")
        copy = pickle.loads(pickle.dumps(reader))  # noqa: S301 - made here
    assert dict(copy.iterate()) == files


@pytest.mark.parametrize("root", ["file"], indirect=True)
@pytest.mark.parametrize("which", ["archive", "without_index"])
def test_no_descriptor_stays_open(request: pytest.FixtureRequest, root: str, files: Files, which: str) -> None:
    url = request.getfixturevalue(which)
    assert url.startswith(root)
    before = sorted(os.listdir("/proc/self/fd"))
    for seed in range(5):
        with open_archive(url) as reader:
            assert dict(reader.iterate(shuffle_seed=seed)) == files
            assert next(reader.iterate(shuffle_seed=seed))[0] in files
            reader.iterate()
    assert sorted(os.listdir("/proc/self/fd")) == before


def test_a_closed_reader_reads_on(archive: str, files: Files) -> None:
    reader = open_archive(archive)
    reader.close()
    assert dict(reader) == files


def _damage(store: ArtifactStore, run: RunAddress, needle: bytes, change: Callable[[bytes], bytes]) -> None:
    folder = f"{store.root}/{run.entity('files').path}"
    for path in store.fs.glob(f"{folder}/*.parquet"):
        data = store.fs.cat_file(path)
        if needle in data:
            store.fs.pipe_file(path, data.replace(needle, change(needle)))
            return
    raise AssertionError("no shard holds these bytes")


def test_a_changed_file_is_named_while_it_is_streamed(
    archive: str, files: Files, store: ArtifactStore, run: RunAddress
) -> None:
    reader = open_archive(archive)
    name = max(files, key=lambda one: len(files[one]))
    _damage(store, run, files[name][-300:-200], lambda data: bytes([data[0] ^ 1]) + data[1:])

    with pytest.raises(ArtifactCorruptError, match=rf"part-\d+\.parquet: '{name}' has another sha256"):
        list(reader.iterate())


def test_a_shard_that_vanishes_is_named(archive: str, store: ArtifactStore, run: RunAddress) -> None:
    reader = open_archive(archive)
    store.fs.rm(f"{store.root}/{run.entity('files').path}/part-00001.parquet")

    with pytest.raises(ArtifactCorruptError, match=r"part-00001\.parquet is gone"):
        list(reader.iterate())


def test_a_store_that_stops_answering_is_told_with_the_shard_and_what_to_check(
    files: Files, tmp_path: Path, record: RunRecord, now: datetime, step: StepAddress
) -> None:
    (tmp_path / "files" / "images").mkdir(parents=True)
    for name, data in files.items():
        (tmp_path / "files" / name).write_bytes(data)
    with start_s3_server() as server:
        store = store_at(f"{server.make_bucket('brief')}/store", storage=server.storage_options)
        run = store.start_run(step, record, now=now)
        with store.begin(run.entity("files")) as writer:
            write_archive(writer, tmp_path / "files", members=list_members(tmp_path / "files"))
        reader = ArchiveReader(store.open(run.entity("files")))
        assert reader.read("images/000.jpg") == files["images/000.jpg"]

    with pytest.raises(
        StoreUnavailableError, match=r"s3://brief/.*part-00000\.parquet: .*Check that the server answers"
    ):
        list(reader.iterate())
