"""The archive: a folder comes back exactly, on every filesystem, and nothing unsafe goes in or out."""

import os
import tempfile
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sinara_lib import archive
from sinara_lib.archive import SCHEMA, SinaraArchive, check_member, open_archive, pack, unpack
from sinara_lib.errors import ArchiveError, ArtifactCorruptError, ArtifactNotFoundError
from sinara_lib.layout import RunAddress, StepAddress
from sinara_lib.manifest import Manifest, RunRecord
from sinara_lib.store import ArtifactStore, begin_entity, open_entity, publish_folder

EVIL_NAMES = ["/etc/passwd", "../x", "a/../../x", "a/..", "..", ".", "./a", "a/./b", "a//b", "", "/", "C:x", "C:/x"]
EVIL_NAMES += ["a\\b", "..\\x", "a\0b"]

segments = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="/\\:\0"), min_size=1, max_size=20
).filter(lambda text: text not in {".", ".."})
leaves = st.tuples(st.binary(max_size=200), st.integers(0, 4_000_000_000_000_000))
trees = st.dictionaries(
    segments, st.recursive(leaves, lambda inner: st.dictionaries(segments, inner, max_size=3), max_leaves=6), max_size=4
)


@pytest.fixture
def url(store: ArtifactStore, run: RunAddress) -> str:
    """URL to pack to."""
    return store.url_of(run.entity("files"))


@pytest.fixture
def new_url(store: ArtifactStore, step: StepAddress, record: RunRecord, now: datetime) -> Callable[[], str]:
    """Give URLs to pack to, each of a run of its own."""
    return lambda: store.url_of(store.start_run(step, record, now=now).entity("files"))


@pytest.fixture
def small_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a few hundred bytes fill rows, groups and shards."""
    monkeypatch.setattr(archive, "ROW_BYTES", 100)
    monkeypatch.setattr(archive, "GROUP_BYTES", 250)
    monkeypatch.setattr(archive, "SHARD_BYTES", 600)


def _grow(folder: Path, tree: dict[str, Any]) -> None:
    folder.mkdir(exist_ok=True)
    for name, node in tree.items():
        if isinstance(node, dict):
            _grow(folder / name, node)
        else:
            (folder / name).write_bytes(node[0])
            os.utime(folder / name, ns=(0, node[1] * 1000 + 789))


def _contents(folder: Path) -> dict[str, tuple[bytes, int] | None]:
    """Name -> bytes and time in microseconds of each file; None for an empty folder."""
    found: dict[str, tuple[bytes, int] | None] = {}
    for path in folder.rglob("*"):
        name = str(path.relative_to(folder))
        if path.is_file():
            found[name] = (path.read_bytes(), path.stat().st_mtime_ns // 1000)
        elif not any(path.iterdir()):
            found[name] = None
    return found


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


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tree=trees, group=st.sampled_from([1, 250, 1 << 20]))
def test_a_folder_comes_back_with_the_same_names_bytes_times_and_empty_folders(
    new_url: Callable[[], str], tree: dict[str, Any], group: int
) -> None:
    with tempfile.TemporaryDirectory() as temporary, pytest.MonkeyPatch.context() as patch:
        source, target = Path(temporary, "in"), Path(temporary, "out")
        for limit, size in (("ROW_BYTES", 70), ("GROUP_BYTES", group), ("SHARD_BYTES", group * 2)):
            patch.setattr(archive, limit, size)
        _grow(source, tree)
        url = new_url()
        manifest = pack(source, url)
        unpack(url, target)
        assert _contents(target) == _contents(source)
        assert manifest == open_entity(url).manifest
        files = {name: node[0] for name, node in _contents(source).items() if node}
        reader = open_archive(url)
        assert dict(reader) == {name: reader.read(name) for name in reader.names()} == files


def test_an_empty_folder_is_an_archive_of_nothing(url: str, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    assert pack(tmp_path / "in", url).rows == 0
    assert open_archive(url).names() == []
    unpack(url, tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.usefixtures("small_rows")
@pytest.mark.parametrize("size", [0, 1, 99, 100, 101, 200, 250, 1_234])
def test_a_file_at_and_around_the_row_limit_comes_back(url: str, tmp_path: Path, size: int) -> None:
    (tmp_path / "in").mkdir()
    data = bytes(i % 251 for i in range(size))
    (tmp_path / "in" / "big").write_bytes(data)
    (tmp_path / "in" / "later").write_bytes(b"later")
    manifest = pack(tmp_path / "in", url)
    assert manifest.rows == max(1, -(-size // 100)) + 1
    assert dict(open_archive(url)) == {"big": data, "later": b"later"}
    assert open_archive(url).read("big") == data


@pytest.mark.usefixtures("small_rows")
def test_many_files_are_spread_over_shards_and_read_in_shard_order(url: str, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for number in range(30):
        (tmp_path / "in" / f"{number:02d}").write_bytes(b"x" * 90)
    manifest = pack(tmp_path / "in", url)
    assert len(manifest.files) > 3
    assert all(file.path.endswith(".parquet") for file in manifest.files)
    names = [f"{number:02d}" for number in range(30)]
    assert open_archive(url).names() == names
    assert [name for name, _ in open_archive(url)] == names


def test_a_shard_has_the_columns_of_sparks_binary_file_table_and_the_order_of_parts(
    store: ArtifactStore, run: RunAddress, url: str, tmp_path: Path
) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a").write_bytes(b"abc")
    shard = pack(tmp_path / "in", url).files[0].path
    with store.fs.open(f"{store.root}/{run.entity('files').path}/{shard}") as stream:
        table = pq.read_table(stream)
    assert table.schema.equals(SCHEMA)
    row = table.to_pylist()[0]
    assert (row["relPath"], row["length"], row["part"], row["parts"], row["content"]) == ("a", 3, 0, 1, b"abc")


def test_the_same_folder_gives_the_same_bytes(new_url: Callable[[], str], tmp_path: Path) -> None:
    manifests: list[Manifest] = []
    for names in (["b", "a", "c/d"], ["c/d", "a", "b"]):
        folder = tmp_path / "".join(names).replace("/", "")
        for name in names:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(name.encode())
            os.utime(folder / name, (1, 1))
        manifests.append(pack(folder, new_url()))
    assert manifests[0].content == manifests[1].content
    assert manifests[0].files == manifests[1].files


def test_what_is_not_a_folder_is_not_packed(url: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    for path in (tmp_path / "file", tmp_path / "nothing"):
        with pytest.raises(ArchiveError, match=r"it is not a folder"):
            pack(path, url)
    with pytest.raises(ArtifactNotFoundError):
        open_archive(url)


@pytest.mark.parametrize("name", ["C:x", "a\\b", b"caf\xe9"])
def test_an_unsafe_name_is_not_packed_and_nothing_is_published(url: str, tmp_path: Path, name: str | bytes) -> None:
    (tmp_path / "in").mkdir()
    Path(os.fsdecode(os.path.join(os.fsencode(tmp_path / "in"), os.fsencode(name)))).write_bytes(b"x")
    with pytest.raises(ArchiveError, match=r"is refused"):
        pack(tmp_path / "in", url)
    with pytest.raises(ArtifactNotFoundError):
        open_archive(url)


def test_a_link_to_a_folder_is_refused_and_a_link_to_a_file_is_packed_as_the_file(url: str, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    (folder / "real").mkdir(parents=True)
    (folder / "real" / "a").write_bytes(b"abc")
    (folder / "link").symlink_to(folder / "real")
    with pytest.raises(ArchiveError, match=r"link: it is a link to a folder"):
        pack(folder, url)
    (folder / "link").unlink()
    (folder / "link").symlink_to(folder / "real" / "a")
    pack(folder, url)
    assert dict(open_archive(url)) == {"link": b"abc", "real/a": b"abc"}


def test_a_folder_that_cannot_be_listed_is_an_error_and_not_left_out(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "in" / "closed").mkdir(parents=True)
    (tmp_path / "in" / "a").write_bytes(b"a")
    scan = os.scandir

    def refuse(path: Any) -> Any:
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(PermissionError):
        pack(tmp_path / "in", url)


@pytest.mark.parametrize("change", ["grows", "shrinks"])
def test_a_file_that_changes_while_it_is_packed_is_refused(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a").write_bytes(b"abc")
    members = archive._members

    def list_and_write(folder: Path) -> list[str]:
        stat, names = Path.stat, members(folder)

        def stat_then_write(self: Path, **options: Any) -> os.stat_result:
            found = stat(self, **options)
            if self.name == "a":
                self.write_bytes(b"abcdef" if change == "grows" else b"a")
            return found

        monkeypatch.setattr(Path, "stat", stat_then_write)
        return names

    monkeypatch.setattr(archive, "_members", list_and_write)
    with pytest.raises(ArchiveError, match=r"changed while it was packed"):
        pack(tmp_path / "in", url)


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
    with pytest.raises(ArchiveError, match=r"has no column content, modificationTime, relPath"):
        open_archive(url)


def test_a_file_that_the_archive_lacks_is_named_with_some_it_has(url: str) -> None:
    _write_rows(url, [_row("a.jpg"), _row("b.jpg")])
    with pytest.raises(ArtifactNotFoundError, match=r"has no file 'c\.jpg'; it holds 2, such as a\.jpg, b\.jpg"):
        open_archive(url).read("c.jpg")


def test_sinaramls_names_pack_and_unpack_the_same(url: str, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a").write_bytes(b"abc")
    SinaraArchive().pack_files_from_tmp_to_store(tmp_path / "in", url)
    SinaraArchive().unpack_files_from_store_to_tmp(url, tmp_path / "out")
    assert _contents(tmp_path / "out") == _contents(tmp_path / "in")


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
    assert _contents(tmp_path / "out") == {"a.jpg": (b"a", time), "deep/b c.jpg": (b"b", time)}


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
