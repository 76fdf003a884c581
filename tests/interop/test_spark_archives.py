"""We read what SinaraML's recipe makes of a folder with a real Spark: binaryFile rows, parts of large files."""

from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from sinara_lib.archive import open_archive, unpack
from sinara_lib.layout import RunAddress, StepAddress


@pytest.fixture
def legacy(tmp_path: Path) -> tuple[str, Path]:
    """URL and folder of an entity in a run without a record, as SinaraML's are."""
    address = RunAddress(StepAddress("rest", "test", "data_load"), "run-21-06-01-120000").entity("files")
    folder = tmp_path / "store" / address.path
    return folder.as_uri(), folder


def _pack_with_spark(spark: SparkSession, folder: Path, *, target: Path, row_size: int, partitions: int = 6) -> None:
    """Write a folder as SinaraML stores it: files up to the row size as they are, larger ones as numbered parts.

    Spark's reader leaves empty files out; so did SinaraML.
    """
    for path in [path for path in folder.rglob("*") if path.is_file() and path.stat().st_size > row_size]:
        data, parts = path.read_bytes(), path.with_name(path.name + ".parts")
        parts.mkdir()
        (parts / "_PARTS").touch()
        for number, start in enumerate(range(0, len(data), row_size)):
            (parts / f"part-{number:04d}").write_bytes(data[start : start + row_size])
    files = spark.read.format("binaryFile").option("recursiveFileLookup", "true").load(f"file://{folder}")
    named = files.filter(F.col("length") <= row_size).withColumn(
        "relPath", F.regexp_replace("path", f"file:{folder}", "")
    )
    named.drop("path").repartition(partitions).write.mode("overwrite").parquet(f"file://{target}")


@pytest.mark.parametrize("timestamps", ["INT96", "TIMESTAMP_MICROS", "TIMESTAMP_MILLIS"])
def test_files_times_and_parts_come_back(
    spark: SparkSession, legacy: tuple[str, Path], tmp_path: Path, timestamps: str
) -> None:
    spark.conf.set("spark.sql.parquet.outputTimestampType", timestamps)
    files = {"a b.jpg": b"a", "deep/er/b.txt": b"b" * 1000, "large.bin": bytes(range(250)) * 30}
    source = tmp_path / "in"
    for name, data in files.items():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes(data)
    url, folder = legacy
    _pack_with_spark(spark, source, target=folder, row_size=1000)
    assert (folder / "_SUCCESS").read_bytes() == b""
    reader = open_archive(url)
    assert {name: reader.read(name) for name in reader.names()} == files
    unpack(url, tmp_path / "out")
    for name, data in files.items():
        assert (tmp_path / "out" / name).read_bytes() == data
    times = [
        (folder / name).stat().st_mtime_ns // 10**6 for folder in (source, tmp_path / "out") for name in ["a b.jpg"]
    ]
    assert times[0] == times[1]


def test_more_than_10_000_parts_are_joined_by_number(
    spark: SparkSession, legacy: tuple[str, Path], tmp_path: Path
) -> None:
    (tmp_path / "in").mkdir()
    data = b"".join(number.to_bytes(2, "big") for number in range(10_050))
    (tmp_path / "in" / "large.bin").write_bytes(data)
    url, folder = legacy
    _pack_with_spark(spark, tmp_path / "in", target=folder, row_size=2)
    assert open_archive(url).read("large.bin") == data
    unpack(url, tmp_path / "out")
    assert (tmp_path / "out" / "large.bin").read_bytes() == data
