"""The index of an archive: it places every row to the byte; a row that is not the promised one is not handed out."""

import hashlib
import io
import multiprocessing
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sinara_lib.archive import ArchiveReader, open_archive, pack
from sinara_lib.archive import format as archive_format
from sinara_lib.archive import writer as archive_writer
from sinara_lib.archive.format import GROUP_ROWS, INDEX_FILE, INDEX_SCHEMA, SCHEMA
from sinara_lib.archive.plan import list_members
from sinara_lib.archive.writer import write_archive
from sinara_lib.errors import ArchiveError, ArtifactCorruptError, ArtifactNotFoundError
from sinara_lib.layout import RunAddress
from sinara_lib.store import ArtifactStore, begin_entity

FILES = {f"{n:02d}.bin": bytes((n * 7 + i) % 256 for i in range(n * 30)) for n in range(20)} | {"deep/a b": b"x" * 777}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of FILES and an empty folder; a few hundred bytes fill rows, groups and shards."""
    for name, size in (("ROW_BYTES", 200), ("GROUP_BYTES", 500), ("SHARD_BYTES", 1500)):
        monkeypatch.setattr(archive_format, name, size)
    (tmp_path / "in" / "deep").mkdir(parents=True)
    (tmp_path / "in" / "nothing").mkdir()
    for number, (name, data) in enumerate(FILES.items()):
        (tmp_path / "in" / name).write_bytes(data)
        os.utime(tmp_path / "in" / name, (number, number))
    return tmp_path / "in"


@pytest.fixture
def read_file(store: ArtifactStore, run: RunAddress) -> Callable[[str], bytes]:
    """Read a file of the entity as it lies in the store."""
    return lambda name: bytes(store.fs.cat_file(f"{store.root}/{run.entity('files').path}/{name}"))


def _index(data: bytes) -> pa.Table:
    return pa.ipc.open_file(pa.BufferReader(data)).read_all()


def test_every_row_lies_where_the_index_says(url: str, folder: Path, read_file: Callable[[str], bytes]) -> None:
    manifest = pack(folder, url)
    shards = [file.path for file in manifest.files if file.path != INDEX_FILE]
    index = _index(read_file(INDEX_FILE))
    assert index.schema.equals(INDEX_SCHEMA)
    tables = [pq.read_table(io.BytesIO(read_file(shard))) for shard in shards]
    for column in ("relPath", "modificationTime", "length", "part", "parts"):
        assert index[column].to_pylist() == [value for table in tables for value in table[column].to_pylist()]
    contents = [(number, value) for number, table in enumerate(tables) for value in table["content"].to_pylist()]
    assert len(contents) == manifest.rows > len(FILES)
    for row, (number, content) in zip(index.to_pylist(), contents, strict=True):
        assert row["shard"] == number
        assert read_file(shards[number])[row["offset"] : row["offset"] + row["length"]] == content
        assert row["sha256"] == hashlib.sha256(content).digest()


def test_each_row_group_has_one_page_of_content_that_ends_with_the_last_row(
    url: str, folder: Path, read_file: Callable[[str], bytes]
) -> None:
    pack(folder, url)
    index = _index(read_file(INDEX_FILE)).to_pylist()
    for number in {row["shard"] for row in index}:
        rows = iter([row for row in index if row["shard"] == number])
        metadata = pq.read_metadata(io.BytesIO(read_file(f"part-{number:05d}.parquet")))
        for group in map(metadata.row_group, range(metadata.num_row_groups)):
            mine = [next(rows) for _ in range(group.num_rows)]
            column = group.column(len(SCHEMA) - 1)
            end = column.data_page_offset + column.total_compressed_size
            assert mine[-1]["offset"] + mine[-1]["length"] == end
            assert mine[0]["offset"] - 4 == end - sum(4 + row["length"] for row in mine)
            assert (column.compression, column.dictionary_page_offset) == ("UNCOMPRESSED", None)


def test_the_bytes_do_not_depend_on_the_number_of_threads(store: ArtifactStore, run: RunAddress, folder: Path) -> None:
    contents = set()
    for threads in (1, 2, 7):
        with begin_entity(store.url_of(run.entity(f"files{threads}"))) as writer:
            write_archive(writer, folder, members=list_members(folder), threads=threads)
        assert writer.manifest is not None
        contents.add((writer.manifest.content, writer.manifest.files, writer.manifest.rows))
    assert len(contents) == 1


@pytest.mark.parametrize("root", ["file"], indirect=True)
def test_thousands_of_small_files_fill_more_than_one_group(url: str, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    names = [f"{number:04d}" for number in range(GROUP_ROWS + 5)]
    for name in names:
        (tmp_path / "in" / name).write_text(name)
    pack(tmp_path / "in", url)
    assert dict(open_archive(url)) == {name: name.encode() for name in names}


@pytest.mark.parametrize(
    "change", [{"data_page_size": 16, "write_batch_size": 1}, {"compression": "snappy"}, {"use_dictionary": True}]
)
def test_pages_laid_out_in_another_way_are_noticed_and_nothing_is_published(
    url: str, folder: Path, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any]
) -> None:
    columns = {**archive_writer._COLUMNS, **change}
    if "use_dictionary" in change:
        del columns["column_encoding"]
    monkeypatch.setattr(archive_writer, "_COLUMNS", columns)
    with pytest.raises(ArchiveError, match=r"lays out parquet pages in another way; nothing was published"):
        pack(folder, url)
    with pytest.raises(ArtifactNotFoundError):
        open_archive(url)


def test_a_flipped_bit_is_found_in_the_file_it_hits_and_leaves_the_others_readable(
    store: ArtifactStore, run: RunAddress, url: str, folder: Path, read_file: Callable[[str], bytes], tmp_path: Path
) -> None:
    pack(folder, url)
    row = next(row for row in _index(read_file(INDEX_FILE)).to_pylist() if row["relPath"] == "07.bin")
    shard = f"part-{row['shard']:05d}.parquet"
    data = bytearray(read_file(shard))
    data[row["offset"] + 100] ^= 1
    store.fs.pipe_file(f"{store.root}/{run.entity('files').path}/{shard}", bytes(data))
    reader = open_archive(url)
    with pytest.raises(ArtifactCorruptError, match=rf"{shard}: '07\.bin'.* sha256"):
        reader.read("07.bin")
    assert {name: reader.read(name) for name in reader.names() if name != "07.bin"} == {
        name: data for name, data in FILES.items() if name != "07.bin"
    }
    with pytest.raises(ArtifactCorruptError, match=r"07\.bin"):
        reader.unpack(tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_damaged_index_is_refused(
    store: ArtifactStore, run: RunAddress, url: str, folder: Path, read_file: Callable[[str], bytes]
) -> None:
    pack(folder, url)
    data = bytearray(read_file(INDEX_FILE))
    data[len(data) // 2] ^= 1
    store.fs.pipe_file(f"{store.root}/{run.entity('files').path}/{INDEX_FILE}", bytes(data))
    with pytest.raises(ArtifactCorruptError, match=rf"{INDEX_FILE}: expected sha256"):
        open_archive(url)


LINE = {"modificationTime": 0, "length": 1, "part": 0, "parts": 1, "shard": 0, "offset": 4, "sha256": b"s" * 32}


@pytest.mark.parametrize(
    ("line", "error", "message"),
    [
        ({"offset": 1 << 40}, ArtifactCorruptError, "lies outside of the archive's shards"),
        ({"offset": -1}, ArtifactCorruptError, "lies outside of the archive's shards"),
        ({"length": -1}, ArtifactCorruptError, "lies outside of the archive's shards"),
        ({"length": 1 << 62}, ArtifactCorruptError, "lies outside of the archive's shards"),
        ({"shard": 1}, ArtifactCorruptError, "lies outside of the archive's shards"),
        ({"shard": -1}, ArtifactCorruptError, "lies outside of the archive's shards"),
        ({"relPath": "../x"}, ArchiveError, "is refused"),
        ({"relPath": "/etc/passwd"}, ArchiveError, "is refused"),
        ({"part": 1, "parts": 2}, ArchiveError, "some are missing or twice"),
    ],
)
def test_an_index_that_points_elsewhere_is_refused_although_its_checksum_fits(
    url: str, line: dict[str, Any], error: type[Exception], message: str
) -> None:
    table = pa.Table.from_pylist([{"relPath": "a", **LINE, **line}], INDEX_SCHEMA)
    _write(url, table)
    with pytest.raises(error, match=message):
        open_archive(url)


def test_an_index_of_other_columns_or_none_at_all_is_refused(store: ArtifactStore, run: RunAddress) -> None:
    newer, broken = (store.url_of(run.entity(name)) for name in ("newer", "broken"))
    _write(newer, pa.table({"relPath": ["a"], "place": [1]}))
    with pytest.raises(ArtifactCorruptError, match=r"has other columns; a newer sinara_lib wrote it: update"):
        open_archive(newer)
    with begin_entity(broken) as writer:
        for name in ("part-00000.parquet", INDEX_FILE):
            with writer.open(name) as sink:
                sink.write(b"no table")
    with pytest.raises(ArtifactCorruptError, match=rf"{INDEX_FILE} is not an index"):
        open_archive(broken)


def _write(url: str, index: pa.Table) -> None:
    with begin_entity(url) as writer:
        with writer.open("part-00000.parquet") as sink:
            sink.write(b"PAR1 some bytes")
        with writer.open(INDEX_FILE) as sink, pa.ipc.new_file(sink, index.schema) as file:
            file.write_table(index)


def test_a_reader_travels_by_pickle(url: str, folder: Path) -> None:
    pack(folder, url)
    reader = open_archive(url)
    reader.read("07.bin")
    assert dict(pickle.loads(pickle.dumps(reader))) == FILES  # noqa: S301 - our own bytes


@pytest.mark.parametrize("root", ["file"], indirect=True)
def test_a_reader_works_in_processes_that_were_spawned_or_forked(url: str, folder: Path) -> None:
    pack(folder, url)
    reader = open_archive(url)
    reader.read("07.bin")
    for method in ("spawn", "fork"):
        with multiprocessing.get_context(method).Pool(2) as pool:
            assert pool.map(reader.read, FILES, chunksize=1) == list(FILES.values())


def test_an_archive_without_an_index_is_read_by_its_row_groups(
    store: ArtifactStore, run: RunAddress, url: str, folder: Path, read_file: Callable[[str], bytes], tmp_path: Path
) -> None:
    manifest = pack(folder, url)
    older = store.url_of(run.entity("older"))
    with begin_entity(older) as writer:
        for shard in (file.path for file in manifest.files if file.path != INDEX_FILE):
            with writer.open(shard) as sink:
                sink.write(read_file(shard))
    reader: ArchiveReader = open_archive(older)
    assert dict(reader) == FILES
    assert dict(pickle.loads(pickle.dumps(reader))) == FILES  # noqa: S301 - our own bytes
    reader.unpack(tmp_path / "out")
    assert {name: (tmp_path / "out" / name).read_bytes() for name in FILES} == FILES
    assert (tmp_path / "out" / "nothing").is_dir()
