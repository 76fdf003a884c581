"""Spark, DuckDB, pandas and Hugging Face `datasets` read what we wrote, by the path that a user would give."""

import os
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path

import datasets
import duckdb
import pandas as pd
import pytest
from pyspark.sql import SparkSession

from sinara_lib.archive import format as archive_format
from sinara_lib.archive import pack

WHEN = datetime(2024, 2, 29, 23, 59, 58, 123_456, tzinfo=timezone.utc)
FILES = {
    "a b.jpg": b"\xff\xd8 not quite a picture",
    "deep/er/caf\u00e9.txt": "t\u00e4xt".encode(),
    "empty": b"",
    "large.bin": bytes(range(256)) * 20,
}
Rows = dict[str, bytes]


@pytest.fixture
def packed(new_entity: Callable[[], tuple[str, Path]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of an archive of FILES in several shards, with `large.bin` in parts."""
    for name, size in (("ROW_BYTES", 1000), ("GROUP_BYTES", 2000), ("SHARD_BYTES", 3000)):
        monkeypatch.setattr(archive_format, name, size)
    for name, data in FILES.items():
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        os.utime(path, ns=(0, int(WHEN.timestamp()) * 10**9 + 123_456_000))
    url, folder = new_entity()
    pack(tmp_path / "in", url)
    assert len(list(folder.glob("*.parquet"))) > 2
    return folder


def _joined(rows: list[tuple[str, int, int, int, bytes]]) -> Rows:
    """Return name -> bytes of rows of name, length, part, parts, content."""
    files: dict[str, list[bytes]] = {}
    for name, length, part, parts, content in sorted(rows, key=lambda row: (row[0], row[2])):
        assert len(content) == length
        assert part == len(files.setdefault(name, []))
        assert part < parts
        files[name].append(bytes(content))
    return {name: b"".join(parts) for name, parts in files.items()}


COLUMNS = ["relPath", "length", "part", "parts", "content"]


def test_spark_reads_the_folder(spark: SparkSession, packed: Path) -> None:
    table = spark.read.parquet(f"file://{packed}")
    assert _joined([tuple(row) for row in table.select(COLUMNS).collect()]) == FILES
    assert [row[0] for row in table.selectExpr("unix_micros(modificationTime)").distinct().collect()] == [
        int(WHEN.timestamp()) * 10**6 + WHEN.microsecond
    ]


def test_duckdb_reads_the_shards(packed: Path) -> None:
    with duckdb.connect() as connection:
        table = connection.read_parquet(f"{packed}/*.parquet")
        found = table.project(", ".join(COLUMNS)).fetchall()
        times = table.project("epoch_us(modificationTime)").distinct().fetchall()
    assert _joined(found) == FILES
    assert times == [(int(WHEN.timestamp()) * 10**6 + WHEN.microsecond,)]


def test_pandas_reads_the_folder(packed: Path) -> None:
    frame = pd.read_parquet(packed)
    assert _joined(list(frame[COLUMNS].itertuples(index=False, name=None))) == FILES
    assert set(frame["modificationTime"]) == {pd.Timestamp(WHEN)}


@pytest.mark.parametrize("how", ["the folder", "its shards"])
def test_hugging_face_datasets_reads(packed: Path, tmp_path: Path, how: str) -> None:
    ways = {"the folder": (str(packed), None), "its shards": ("parquet", f"{packed}/*.parquet")}
    path, shards = ways[how]
    found = datasets.load_dataset(path, data_files=shards, split="train", cache_dir=str(tmp_path / "cache"))
    assert _joined([tuple(row[column] for column in COLUMNS) for row in found]) == FILES
    assert {row["modificationTime"] for row in found} == {WHEN}
