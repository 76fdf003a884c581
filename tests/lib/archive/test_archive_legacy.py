"""Archives that SinaraML's Spark job packed: read as ours are, and as strictly."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from folder_contents import contents
from sinara_lib.archive import fetch, open_archive, unpack
from sinara_lib.errors import ArchiveError, ArtifactCorruptError
from sinara_lib.layout import RunAddress, StepAddress
from sinara_lib.store import ArtifactStore

LEGACY = pa.schema(
    [
        ("path", pa.string()),
        ("modificationTime", pa.timestamp("us")),
        ("length", pa.int64()),
        ("content", pa.binary()),
        ("relPath", pa.string()),
    ]
)
LEGACY_TIME = datetime(2021, 6, 1, 12, 0, 0, 123_456)  # noqa: DTZ001 - Spark writes no zone; it means UTC


@pytest.fixture
def legacy(store: ArtifactStore, step: StepAddress) -> Iterator[Callable[[dict[str, bytes]], str]]:
    """Write files as SinaraML's Spark job does, two rows to a shard, and give the entity's URL."""

    def write(files: dict[str, bytes]) -> str:
        entity = RunAddress(step, "run-21-06-01-120000").entity("files")
        folder = f"{store.root}/{entity.path}"
        store.fs.makedirs(folder, exist_ok=True)
        rows = [
            {"path": f"file:/tmp{n}", "modificationTime": LEGACY_TIME, "length": len(d), "content": d, "relPath": n}
            for n, d in files.items()
        ]
        for start in range(0, len(rows), 5000):
            with store.fs.open(f"{folder}/part-{start:05d}-0c1d.c000.snappy.parquet", "wb") as sink:
                pq.write_table(pa.Table.from_pylist(rows[start : start + 5000], LEGACY), sink, compression="snappy")
        store.fs.pipe_file(f"{folder}/.part-00000.crc", b"crc")
        store.fs.pipe_file(f"{folder}/_SUCCESS", b"")
        return store.url_of(entity)

    return write


def test_files_that_sinaraml_packed_come_back_without_their_leading_slash(
    legacy: Callable[[dict[str, bytes]], str], tmp_path: Path
) -> None:
    url = legacy({"/a.jpg": b"a", "/deep/b c.jpg": b"b"})
    unpack(url, tmp_path / "out")
    time = (LEGACY_TIME.replace(tzinfo=timezone.utc) - datetime.fromtimestamp(0, timezone.utc)) // timedelta(
        microseconds=1
    )
    assert contents(tmp_path / "out") == {"a.jpg": (b"a", time), "deep/b c.jpg": (b"b", time)}


def test_parts_that_sinaraml_wrote_are_joined_in_the_order_of_their_numbers_beyond_10_000(
    legacy: Callable[[dict[str, bytes]], str],
) -> None:
    parts = {f"/big.bin.parts/part-{n:04d}": n.to_bytes(2, "big") for n in range(10_050)}
    url = legacy({"/a.jpg": b"a", **dict(sorted(parts.items())), "/big.bin.parts/_PARTS": b""})
    reader = open_archive(url)
    assert reader.names() == ["a.jpg", "big.bin"]
    assert reader.read("big.bin") == b"".join(n.to_bytes(2, "big") for n in range(10_050))


def test_a_missing_part_of_sinaraml_is_refused(legacy: Callable[[dict[str, bytes]], str]) -> None:
    with pytest.raises(ArchiveError, match=r"'big\.bin' has parts \[0, 2\]"):
        open_archive(legacy({"/big.bin.parts/part-0000": b"a", "/big.bin.parts/part-0002": b"c"}))


@pytest.mark.parametrize("name", ["/../x", "//etc/passwd", "/a/../../x"])
def test_an_unsafe_name_that_sinaraml_packed_is_refused(legacy: Callable[[dict[str, bytes]], str], name: str) -> None:
    with pytest.raises(ArchiveError, match=r"is refused"):
        open_archive(legacy({name: b"x"}))


def test_a_shard_without_checksum_that_is_no_parquet_is_refused(
    store: ArtifactStore, step: StepAddress, legacy: Callable[[dict[str, bytes]], str]
) -> None:
    url = legacy({"/a.jpg": b"a"})
    folder = f"{store.root}/{RunAddress(step, 'run-21-06-01-120000').entity('files').path}"
    store.fs.pipe_file(f"{folder}/part-00000-0c1d.c000.snappy.parquet", b"PAR1 half of it")
    with pytest.raises(ArtifactCorruptError, match=r"is not a parquet file"):
        open_archive(url)


def test_an_archive_of_sinaraml_is_fetched_as_files(legacy: Callable[[dict[str, bytes]], str], tmp_path: Path) -> None:
    assert fetch(legacy({"/a.jpg": b"a"}), tmp_path / "out") == ["a.jpg"]
    assert (tmp_path / "out" / "a.jpg").read_bytes() == b"a"


def _shard(path: Path, column: str) -> None:
    """A shard in which some kilobytes of one column unpack to very much more than its rows tell."""
    row = {"path": "/a", "modificationTime": LEGACY_TIME, "length": 1, "content": b"a", "relPath": "/a.jpg"}
    table, size = pa.Table.from_pylist([row] * 3, LEGACY), 100 << 20
    if column == "content":
        table = table.set_column(3, "content", pa.array([bytes(size), b"a", b"a"], pa.binary()))
    elif column == "relPath":
        table = table.set_column(4, "relPath", pa.array([f"/{n}{'a' * (size // 3)}" for n in range(3)]))
    elif column == "length":
        table = table.set_column(2, "length", pa.array([size * 4] * 3))
    else:
        table = pa.Table.from_pylist([row], LEGACY).take(pa.array([0] * 1_100_000))
    pq.write_table(table, path, compression="zstd", use_dictionary=column == "rows")


@pytest.mark.parametrize(
    ("column", "told"),
    [
        ("content", r"its pages unpack to 104,85\d,\d+ bytes where its rows tell of 3"),
        ("relPath", r"its pages unpack to 104,85\d,\d+ bytes where its rows tell of 3"),
        ("length", r"its rows tell of 1,258,291,200 bytes in [\d,]+"),
        ("rows", r"[\d,]+ bytes announce 1,100,000 rows"),
    ],
)
def test_a_shard_that_unpacks_to_far_more_than_it_holds_is_damage_before_it_is_unpacked(
    legacy: Callable[[dict[str, bytes]], str], store: ArtifactStore, tmp_path: Path, column: str, told: str
) -> None:
    url = legacy({"/b.jpg": b"b"})
    _shard(tmp_path / "bomb.parquet", column)
    data = (tmp_path / "bomb.parquet").read_bytes()
    assert len(data) < 100_000
    entity = store.root + url.removeprefix(store.url)
    store.fs.pipe_file(f"{entity}/part-00001-0c1d.c000.snappy.parquet", data)
    with (
        pytest.raises(ArtifactCorruptError, match=rf"part-00001\S*: {told}; refused as a bomb"),
        open_archive(url) as a,
    ):
        a.names()
