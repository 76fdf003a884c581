"""Reading an archive: unsafe names, lost parts and damaged shards are refused before anything is written."""

from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sinara_lib.archive import open_archive, unpack
from sinara_lib.archive.format import SCHEMA, check_member
from sinara_lib.errors import ArchiveError, ArtifactCorruptError, ArtifactNotFoundError
from sinara_lib.layout import RunAddress
from sinara_lib.store import ArtifactStore, begin_entity, publish_folder

EVIL_NAMES = ["/etc/passwd", "../x", "a/../../x", "a/..", "..", ".", "./a", "a/./b", "a//b", "", "/", "C:x", "C:/x"]
EVIL_NAMES += ["a\\b", "..\\x", "a\0b"]


def _write_rows(url: str, rows: list[dict[str, Any]], schema: pa.Schema = SCHEMA) -> None:
    with begin_entity(url) as writer, writer.open("part-0.parquet") as sink:
        pq.write_table(pa.Table.from_pylist(rows, schema), sink)


def _row(name: str, content: bytes = b"x", *, part: int = 0, parts: int = 1) -> dict[str, Any]:
    when = datetime(2026, 1, 1, tzinfo=timezone.utc)
    return {
        "relPath": name,
        "modificationTime": when,
        "length": len(content),
        "part": part,
        "parts": parts,
        "content": content,
    }


@pytest.mark.parametrize("name", EVIL_NAMES)
def test_an_unsafe_name_in_a_shard_is_not_unpacked(url: str, tmp_path: Path, name: str) -> None:
    with pytest.raises(ArchiveError, match=r"is refused"):
        check_member(name)
    _write_rows(url, [_row("good"), _row(name)])
    with pytest.raises(ArchiveError, match=r"is refused"):
        unpack(url, tmp_path / "deep" / "out")
    assert [path for path in tmp_path.rglob("*") if path.is_file() and "store" not in path.parts] == []


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([_row("a"), _row("a")], "'a' has parts .*some are missing or twice"),
        ([_row("a", part=0, parts=3), _row("a", part=2, parts=3)], "'a' has parts"),
        ([_row("a", part=0, parts=2)], "'a' has parts"),
        ([_row("a", part=1, parts=2), _row("a", part=2, parts=2)], "'a' has parts"),
        ([_row("a"), _row("a/b")], "a is a file and a folder"),
        ([_row("a"), _row("a/b/c/d")], "a is a file and a folder"),
        ([_row("a"), _row("a/")], "a is a file and a folder"),
    ],
)
def test_names_that_repeat_clash_or_lack_parts_are_refused(url: str, rows: list[dict[str, Any]], message: str) -> None:
    _write_rows(url, rows)
    with pytest.raises(ArchiveError, match=message):
        open_archive(url)


def test_parts_are_joined_by_their_number_wherever_they_lie(url: str) -> None:
    _write_rows(
        url, [_row("a", b"3", part=2, parts=3), _row("a", b"1", part=0, parts=3), _row("a", b"2", part=1, parts=3)]
    )
    assert open_archive(url).read("a") == b"123"


def test_an_existing_file_is_not_overwritten_by_unpacking(url: str, tmp_path: Path) -> None:
    _write_rows(url, [_row("a", b"new")])
    (tmp_path / "a").write_bytes(b"old")
    with pytest.raises(ArchiveError, match=r"it is there already. Unpack into an empty folder"):
        unpack(url, tmp_path)
    assert (tmp_path / "a").read_bytes() == b"old"


def test_a_corrupt_shard_is_refused_before_its_rows_are_used(
    store: ArtifactStore, run: RunAddress, url: str, tmp_path: Path
) -> None:
    _write_rows(url, [_row("a", b"x" * 1000)])
    path = f"{store.root}/{run.entity('files').path}/part-0.parquet"
    data = bytearray(store.fs.cat_file(path))
    data[data.index(b"xxxx") + 100] ^= 1
    store.fs.pipe_file(path, bytes(data))
    with pytest.raises(ArtifactCorruptError, match=r"part-0\.parquet: expected sha256"):
        unpack(url, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_entity_of_plain_files_is_no_archive(url: str, tmp_path: Path) -> None:
    (tmp_path / "report").mkdir()
    (tmp_path / "report" / "report.html").write_text("x")
    publish_folder(tmp_path / "report", url)
    with pytest.raises(ArchiveError, match=r"it holds plain files; use fetch_folder"):
        open_archive(url)


def test_a_parquet_table_of_something_else_is_no_archive(url: str) -> None:
    _write_rows(url, [{"x": 1}], pa.schema([("x", pa.int64())]))
    with pytest.raises(ArchiveError, match=r"has no column content, length, modificationTime, relPath"):
        open_archive(url)


def test_a_file_that_the_archive_lacks_is_named_with_some_it_has(url: str) -> None:
    _write_rows(url, [_row("a.jpg"), _row("b.jpg")])
    with pytest.raises(ArtifactNotFoundError, match=r"has no file 'c\.jpg'; it holds 2, such as a\.jpg, b\.jpg"):
        open_archive(url).read("c.jpg")
