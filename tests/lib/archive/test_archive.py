"""Packing a folder: it comes back exactly, on every filesystem, and what cannot come back exactly is refused."""

import os
import socket
import tempfile
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from folder_contents import contents
from sinara_lib.archive import SinaraArchive, open_archive, pack, unpack
from sinara_lib.archive import format as archive_format
from sinara_lib.archive.format import INDEX_FILE, SCHEMA, check_member
from sinara_lib.archive.plan import list_members
from sinara_lib.archive.writer import write_archive
from sinara_lib.errors import ArchiveError, ArtifactNotFoundError
from sinara_lib.layout import RunAddress, StepAddress
from sinara_lib.store import ArtifactStore, begin_entity, open_entity
from sinara_lib.store.manifest import Manifest, RunRecord

DEVICES = {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10))}
TELLING = [
    "a b",
    " ",
    "caf\u00e9",
    "cafe\u0301",
    "A",
    "a",
    "_INDEX",
    "_SUCCESS",
    "x.parts",
    "part-0000",
    "-",
    "ab:c",
    "n" * 255,
]
segments = st.sampled_from(TELLING) | st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="/\\\0"), min_size=1, max_size=20
).filter(lambda text: text not in {".", ".."} and text[1:2] != ":" and text.split(".")[0].lower() not in DEVICES)
leaves = st.tuples(st.binary(max_size=200), st.integers(-100_000_000_000_000, 4_000_000_000_000_000))
trees = st.dictionaries(
    segments, st.recursive(leaves, lambda inner: st.dictionaries(segments, inner, max_size=3), max_leaves=6), max_size=4
)


@pytest.fixture
def new_url(store: ArtifactStore, step: StepAddress, record: RunRecord, now: datetime) -> Callable[[], str]:
    """Give URLs to pack to, each of a run of its own."""
    return lambda: store.url_of(store.start_run(step, record, now=now).entity("files"))


@pytest.fixture
def small_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a few hundred bytes fill rows, groups and shards."""
    monkeypatch.setattr(archive_format, "ROW_BYTES", 100)
    monkeypatch.setattr(archive_format, "GROUP_BYTES", 250)
    monkeypatch.setattr(archive_format, "SHARD_BYTES", 600)


def _grow(folder: Path, tree: dict[str, Any]) -> None:
    folder.mkdir(exist_ok=True)
    for name, node in tree.items():
        if isinstance(node, dict):
            _grow(folder / name, node)
        else:
            (folder / name).write_bytes(node[0])
            os.utime(folder / name, ns=(0, node[1] * 1000 + 789))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tree=trees, group=st.sampled_from([1, 250, 1 << 20]))
def test_a_folder_comes_back_with_the_same_names_bytes_times_and_empty_folders(
    new_url: Callable[[], str], tree: dict[str, Any], group: int
) -> None:
    with tempfile.TemporaryDirectory() as temporary, pytest.MonkeyPatch.context() as patch:
        source, target = Path(temporary, "in"), Path(temporary, "out")
        for limit, size in (("ROW_BYTES", 70), ("GROUP_BYTES", group), ("SHARD_BYTES", group * 2)):
            patch.setattr(archive_format, limit, size)
        _grow(source, tree)
        url = new_url()
        manifest = pack(source, url)
        unpack(url, target)
        assert contents(target) == contents(source)
        assert manifest == open_entity(url).manifest
        files = {name: node[0] for name, node in contents(source).items() if node}
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
    shards = [file.path for file in manifest.files if file.path != INDEX_FILE]
    assert len(shards) > 3
    assert all(shard.endswith(".parquet") for shard in shards)
    names = [f"{number:02d}" for number in range(30)]
    assert open_archive(url).names() == names
    assert [name for name, _ in open_archive(url)] == names


def test_a_shard_has_the_columns_of_sparks_binary_file_table_and_the_order_of_parts(
    store: ArtifactStore, run: RunAddress, url: str, tmp_path: Path
) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a").write_bytes(b"abc")
    index, shard = (file.path for file in pack(tmp_path / "in", url).files)
    assert index == INDEX_FILE
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


@pytest.mark.parametrize("name", ["\n", "..\n", "a/.\n", "con\n"])
def test_a_line_feed_makes_a_name_of_its_own_that_is_not_taken_for_a_way_out_or_a_device(name: str) -> None:
    assert check_member(name) == name


@pytest.mark.parametrize("name", ["C:x", "a\\b", b"caf\xe9"])
def test_an_unsafe_name_is_not_packed_and_nothing_is_published(url: str, tmp_path: Path, name: str | bytes) -> None:
    (tmp_path / "in").mkdir()
    Path(os.fsdecode(os.path.join(os.fsencode(tmp_path / "in"), os.fsencode(name)))).write_bytes(b"x")
    with pytest.raises(ArchiveError, match=r"is refused"):
        pack(tmp_path / "in", url)
    with pytest.raises(ArtifactNotFoundError):
        open_archive(url)


@pytest.mark.parametrize("kind", ["a link", "a named pipe", "a socket"])
def test_what_is_neither_file_nor_folder_is_refused_by_its_kind_and_nothing_is_published(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a").write_bytes(b"abc")
    monkeypatch.chdir(tmp_path / "in")  # a socket's address is short
    with socket.socket(socket.AF_UNIX) as server:
        make = {
            "a link": lambda: os.symlink("a", "odd"),
            "a named pipe": lambda: os.mkfifo("odd"),
            "a socket": lambda: server.bind("odd"),
        }
        make[kind]()
        with pytest.raises(ArchiveError, match=rf"odd: it is {kind}\. (Copy|Remove)"):
            pack(tmp_path / "in", url)
    with pytest.raises(ArtifactNotFoundError):
        open_archive(url)


def test_a_link_to_a_folder_is_refused_too(url: str, tmp_path: Path) -> None:
    (tmp_path / "in" / "real").mkdir(parents=True)
    (tmp_path / "in" / "odd").symlink_to(tmp_path / "in" / "real")
    with pytest.raises(ArchiveError, match=r"odd: it is a link\. Copy what it points to"):
        pack(tmp_path / "in", url)


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


@pytest.mark.parametrize("change", ["grows", "shrinks", "is written anew", "vanishes"])
def test_a_file_that_changes_while_it_is_packed_is_refused_and_nothing_is_published(
    url: str, tmp_path: Path, change: str
) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    os.utime(tmp_path / "a", (1, 1))
    members = list_members(tmp_path)
    if change == "vanishes":
        (tmp_path / "a").unlink()
    else:
        (tmp_path / "a").write_bytes({"grows": b"abcd", "shrinks": b"a", "is written anew": b"cba"}[change])
    with pytest.raises(ArchiveError, match=r"(changed|vanished) while it was packed"), begin_entity(url) as writer:
        write_archive(writer, tmp_path, members=members)
    with pytest.raises(ArtifactNotFoundError):
        open_archive(url)


def test_sinaramls_names_pack_and_unpack_the_same(url: str, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a").write_bytes(b"abc")
    SinaraArchive().pack_files_from_tmp_to_store(tmp_path / "in", url)
    SinaraArchive().unpack_files_from_store_to_tmp(url, tmp_path / "out")
    assert contents(tmp_path / "out") == contents(tmp_path / "in")
