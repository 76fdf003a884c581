"""An archive whose index and shards do not fit each other, whatever the checksums say."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from damage_cases import change_file, path_of, recommit
from sinara_lib.archive.format import INDEX_FILE
from sinara_lib.archive.plan import list_members
from sinara_lib.archive.writer import write_archive
from sinara_lib.catalog.find import Target
from sinara_lib.catalog.verify import verify_targets
from sinara_lib.layout import EntityAddress, RunAddress
from sinara_lib.store import ArtifactStore
from sinara_lib.store.manifest import FileEntry, content_hash
from store_cases import differences


@pytest.fixture
def archive(store: ArtifactStore, run: RunAddress, tmp_path: Path) -> EntityAddress:
    """A committed archive of four files, one of them empty."""
    (tmp_path / "files").mkdir()
    for name, data in (("a.jpg", b"a" * 5000), ("b.jpg", os.urandom(7000)), ("c", b""), ("d d.jpg", b"\0" * 10)):
        (tmp_path / "files" / name).write_bytes(data)
    with store.begin(run.entity("archive")) as writer:
        write_archive(writer, tmp_path / "files", members=list_members(tmp_path / "files"))
    return run.entity("archive")


def test_a_whole_archive_fits_its_index(store: ArtifactStore, archive: EntityAddress) -> None:
    found = verify_targets([Target(store, archive)])
    assert (found.findings, found.files) == ((), 2)


def _file_entry(store: ArtifactStore, address: EntityAddress, name: str) -> FileEntry:
    data = store.fs.cat_file(path_of(store, address, name))
    return FileEntry(path=name, size=len(data), sha256=hashlib.sha256(data).hexdigest())


def _replace_index(store: ArtifactStore, archive: EntityAddress, change: Callable[[pa.Table], pa.Table]) -> None:
    """Put another index in place and commit it, so that the checksums alone find nothing."""
    with pa.ipc.open_file(pa.BufferReader(store.fs.cat_file(path_of(store, archive, INDEX_FILE)))) as reader:
        table = change(reader.read_all())
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    store.fs.pipe_file(path_of(store, archive, INDEX_FILE), sink.getvalue().to_pybytes())

    def recount(page: dict[str, object]) -> None:
        files = [_file_entry(store, archive, name) for name in (INDEX_FILE, "part-00000.parquet")]
        page.update(
            files=[f.model_dump() for f in files], bytes=sum(f.size for f in files), content=content_hash(files)
        )

    recommit(store, archive, recount)


def _with(name: str, values: Callable[[list[object]], list[object]]) -> Callable[[pa.Table], pa.Table]:
    def change(table: pa.Table) -> pa.Table:
        at = table.schema.get_field_index(name)
        field = table.schema.field(at)
        return table.set_column(at, field, pa.array(values(table[name].to_pylist()), field.type))

    return change


@pytest.mark.parametrize(
    ("change", "file", "problem"),
    [
        (_with("offset", lambda v: [v[0] + 1, *v[1:]]), "part-00000.parquet", "content of a.jpg is not what the index"),
        (_with("offset", lambda v: [10**9, *v[1:]]), "part-00000.parquet", "content of a.jpg is not what the index"),
        (_with("sha256", lambda v: [*v[:1], b"0" * 32, *v[2:]]), "part-00000.parquet", "content of b.jpg is not"),
        (
            _with("relPath", lambda v: ["z", *v[1:]]),
            "part-00000.parquet",
            "not in the index: a.jpg; not in the shard: z",
        ),
        (_with("shard", lambda v: [*v[:3], 1]), INDEX_FILE, "places 1 rows in part-00001.parquet, which is not there"),
        (lambda table: table.slice(1), "part-00000.parquet", "holds 4 rows that are not the 3 of the index"),
        (lambda table: table.drop_columns(["part"]), INDEX_FILE, "has columns relPath"),
    ],
)
def test_an_index_that_does_not_fit_its_shards_is_told_although_all_checksums_fit(
    store: ArtifactStore, archive: EntityAddress, change: Callable[[pa.Table], pa.Table], file: str, problem: str
) -> None:
    _replace_index(store, archive, change)
    findings = differences(store, archive)
    assert any(f.url == f"{store.url_of(archive)}/{file}" and problem in f.problem for f in findings), findings


def test_a_flipped_bit_in_a_shard_names_the_file_inside_it(store: ArtifactStore, archive: EntityAddress) -> None:
    def flip(data: bytes) -> bytes:
        at = data.index(b"a" * 100)
        return data[:at] + b"b" + data[at + 1 :]

    change_file(store, archive, "part-00000.parquet", flip)
    assert [f.problem.split(":")[0] for f in differences(store, archive)] == [
        "was changed",
        "content of a.jpg is not what the index promises",
    ]


def test_an_index_that_is_no_arrow_file_is_told(store: ArtifactStore, archive: EntityAddress) -> None:
    change_file(store, archive, INDEX_FILE, lambda data: b"x" * len(data))
    assert {f.problem.split(":")[0] for f in differences(store, archive)} == {
        "was changed",
        "cannot be read as an Arrow file",
    }
