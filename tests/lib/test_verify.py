"""Verification: every kind of damage is found and named, all of them at once, and nothing else is."""

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from store_cases import Finish, lay_file, publish_files

from sinara_lib.archive_format import INDEX_FILE
from sinara_lib.archive_plan import list_members
from sinara_lib.archive_writer import write_archive
from sinara_lib.errors import ArtifactNotFoundError
from sinara_lib.layout import EntityAddress, RunAddress
from sinara_lib.manifest import MANIFEST_FILE, RUN_FILE, SUCCESS_FILE, FileEntry, content_hash
from sinara_lib.store import ArtifactStore
from sinara_lib.target import Target
from sinara_lib.verify import all_runs, verify_entity, verify_run, verify_store, verify_targets

Bytes = Callable[[bytes], bytes]


@pytest.fixture
def entity(store: ArtifactStore, run: RunAddress) -> EntityAddress:
    """A committed entity of three files."""
    with store.begin(run.entity("images")) as writer:
        for name, data in (("a.bin", b"a" * 1000), ("sub/b.bin", bytes(range(256))), ("empty", b"")):
            with writer.open(name) as sink:
                sink.write(data)
    return run.entity("images")


@pytest.fixture
def archive(store: ArtifactStore, run: RunAddress, tmp_path: Path) -> EntityAddress:
    """A committed archive of four files, one of them empty."""
    (tmp_path / "files").mkdir()
    for name, data in (("a.jpg", b"a" * 5000), ("b.jpg", os.urandom(7000)), ("c", b""), ("d d.jpg", b"\0" * 10)):
        (tmp_path / "files" / name).write_bytes(data)
    with store.begin(run.entity("archive")) as writer:
        write_archive(writer, tmp_path / "files", members=list_members(tmp_path / "files"))
    return run.entity("archive")


def _path(store: ArtifactStore, address: EntityAddress | RunAddress, name: str) -> str:
    return f"{store.root}/{address.path}/{name}"


def _change(store: ArtifactStore, address: EntityAddress | RunAddress, name: str, change: Bytes) -> None:
    path = _path(store, address, name)
    store.fs.pipe_file(path, change(store.fs.cat_file(path)))


def _recommit(store: ArtifactStore, address: EntityAddress, change: Callable[[dict[str, object]], None]) -> None:
    """Write manifest and mark anew, fitting each other: what a careful forger, or a faulty writer, leaves."""
    page = json.loads(store.fs.cat_file(_path(store, address, MANIFEST_FILE)))
    change(page)
    data = json.dumps(page).encode()
    store.fs.pipe_file(_path(store, address, MANIFEST_FILE), data)
    store.fs.pipe_file(_path(store, address, SUCCESS_FILE), hashlib.sha256(data).hexdigest().encode())


def _flip(data: bytes) -> bytes:
    return data[:7] + bytes([data[7] ^ 1]) + data[8:]


def test_a_whole_entity_has_no_findings_and_every_byte_of_it_is_read(
    store: ArtifactStore, entity: EntityAddress
) -> None:
    found = verify_targets([Target(store, entity)])
    assert (found.findings, found.entities, found.files, found.bytes) == ((), 1, 3, 1256)
    assert found.closing_line() == "1 entities, 3 files, 0.0 MB read, 0 findings"
    assert verify_entity(store, entity) == verify_run(store, entity.run) == verify_store(store) == []


@pytest.mark.parametrize(
    ("name", "change", "problem"),
    [
        ("a.bin", _flip, r"was changed: expected sha256 \w{64}, found \w{64}"),
        ("a.bin", lambda data: data[:-1], r"is truncated: expected 1000 bytes, found 999"),
        ("sub/b.bin", lambda data: b"", r"is truncated: expected 256 bytes, found 0"),
        ("empty", lambda data: b"x", r"is longer than it was: expected 0 bytes, found 1"),
        (MANIFEST_FILE, lambda data: data.replace(b'"run', b' "run', 1), r"is not the one that was committed"),
        (SUCCESS_FILE, lambda data: data[::-1], r"_SUCCESS promises sha256 \w{64}, found \w{64}; it was edited"),
        (SUCCESS_FILE, lambda data: data[:20], r"is damaged: expected a sha256, found '\w{20}'"),
        (SUCCESS_FILE, lambda data: b"", r"is damaged: expected a sha256, found ''"),
    ],
)
def test_a_changed_file_is_named_with_what_was_expected(
    store: ArtifactStore, entity: EntityAddress, name: str, change: Bytes, problem: str
) -> None:
    _change(store, entity, name, change)
    (finding,) = verify_entity(store, entity)
    named = MANIFEST_FILE if "promises" in problem else name
    assert finding.url == f"{store.url_of(entity)}/{named}"
    with pytest.raises(AssertionError, match=problem):
        raise AssertionError(finding.problem)


@pytest.mark.parametrize("name", ["a.bin", "sub/b.bin", "empty"])
def test_a_missing_file_is_named(store: ArtifactStore, entity: EntityAddress, name: str) -> None:
    size = store.fs.size(_path(store, entity, name))
    store.fs.rm_file(_path(store, entity, name))
    assert [str(f) for f in verify_entity(store, entity)] == [
        f"{store.url_of(entity)}/{name}: is missing; the manifest promises {size} bytes"
    ]


def test_all_findings_are_listed_not_only_the_first(store: ArtifactStore, entity: EntityAddress) -> None:
    _change(store, entity, "a.bin", _flip)
    store.fs.rm_file(_path(store, entity, "empty"))
    lay_file(store, f"{entity.path}/sub/slipped.in", b"x")
    url = store.url_of(entity)
    found = {f.url.removeprefix(url): f.problem.split(":")[0] for f in verify_entity(store, entity)}
    assert found == {
        "/a.bin": "was changed",
        "/empty": "is missing; the manifest promises 0 bytes",
        "/sub/slipped.in": "is extra",
    }


def test_a_missing_manifest_is_named(store: ArtifactStore, entity: EntityAddress) -> None:
    store.fs.rm_file(_path(store, entity, MANIFEST_FILE))
    (finding,) = verify_entity(store, entity)
    assert str(finding) == f"{store.url_of(entity)}/{MANIFEST_FILE}: is missing although {SUCCESS_FILE} is there"


def test_a_manifest_that_is_no_json_and_one_of_a_newer_library_are_told_apart(
    store: ArtifactStore, entity: EntityAddress
) -> None:
    _change(store, entity, MANIFEST_FILE, lambda data: data[:40])
    edited, damaged = sorted(f.problem for f in verify_entity(store, entity))[::-1]
    assert edited.startswith("is not the one that was committed")
    assert damaged.startswith("cannot be read: ")
    assert "It is damaged" in damaged


def test_a_manifest_of_a_newer_library_is_told(store: ArtifactStore, entity: EntityAddress) -> None:
    _recommit(store, entity, lambda page: page.update(format=2))
    (finding,) = verify_entity(store, entity)
    assert "newer sinara_lib wrote it: update sinara_lib" in finding.problem


@pytest.mark.parametrize("key", ["content", "bytes"])
def test_a_manifest_that_contradicts_its_own_list_is_told(
    store: ArtifactStore, entity: EntityAddress, key: str
) -> None:
    _recommit(store, entity, lambda page: page.update({key: 7 if key == "bytes" else "0" * 64}))
    (finding,) = verify_entity(store, entity)
    assert finding.problem == "contradicts itself: content or bytes do not fit its list of files"


def test_an_entity_moved_from_elsewhere_is_named_with_its_origin(
    store: ArtifactStore, run: RunAddress, entity: EntityAddress
) -> None:
    for name in store.fs.find(f"{store.root}/{entity.path}"):
        tail = name.rsplit("/images/", 1)[1]
        lay_file(store, f"{run.path}/copied/{tail}", store.fs.cat_file(name))
    (finding,) = verify_run(store, run)
    assert str(finding) == (
        f"{store.url_of(run)}/copied: is {run.run_id}/images by its manifest: it was moved or copied from there"
    )


def test_a_mark_that_was_removed_from_a_finished_run_is_told(
    store: ArtifactStore, run: RunAddress, entity: EntityAddress, finish: Finish
) -> None:
    finish(run)
    store.fs.rm_file(_path(store, entity, SUCCESS_FILE))
    (finding,) = verify_run(store, run)
    assert str(finding) == f"{store.url_of(entity)}/{SUCCESS_FILE}: is missing beside its manifest"


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda data: data[: len(data) // 2], "It is damaged"),
        (lambda data: b"", "It is damaged"),
        (lambda data: data.replace(b'"run_id"', b'"colour": "red", "run_id"'), "update sinara_lib"),
        (lambda data: data.replace(b"run-26", b"run-25"), "is that of run-25"),
    ],
)
def test_a_damaged_run_record_is_named_and_its_entities_are_checked_all_the_same(
    store: ArtifactStore, run: RunAddress, entity: EntityAddress, change: Bytes, problem: str
) -> None:
    _change(store, run, RUN_FILE, change)
    _change(store, entity, "a.bin", _flip)
    record, file = verify_run(store, run)
    assert record.url == f"{store.url_of(run)}/{RUN_FILE}"
    assert problem in record.problem
    assert file.url == f"{store.url_of(entity)}/a.bin"


def test_all_runs_of_a_store_are_checked(store: ArtifactStore, entity: EntityAddress, archive: EntityAddress) -> None:
    found = verify_targets(all_runs(store))
    assert (found.entities, found.findings) == (2, ())


def test_entities_of_sinaraml_are_counted_as_not_verifiable(store: ArtifactStore, run: RunAddress) -> None:
    legacy = RunAddress(run.step, "run-21-06-01-120000")
    lay_file(store, f"{legacy.path}/images/{SUCCESS_FILE}", b"")
    lay_file(store, f"{legacy.path}/images/part-0.parquet", b"PAR1")
    found = verify_targets([Target(store, legacy)])
    assert (found.findings, found.files) == ((), 0)
    assert found.unverifiable == (store.url_of(legacy.entity("images")),)
    assert ", 1 without checksums (SinaraML), 0 findings" in found.closing_line()


def test_an_entity_of_ours_whose_marks_were_emptied_does_not_pass_for_one_of_sinaraml(
    store: ArtifactStore, entity: EntityAddress
) -> None:
    store.fs.rm_file(_path(store, entity, MANIFEST_FILE))
    _change(store, entity, SUCCESS_FILE, lambda data: b"")
    for findings in (verify_entity(store, entity), verify_run(store, entity.run)):
        assert [f.url for f in findings] == [f"{store.url_of(entity)}/{MANIFEST_FILE}"]


def test_remains_of_a_writer_in_a_run_that_goes_on_are_no_finding(store: ArtifactStore, run: RunAddress) -> None:
    publish_files(store, run, "images")
    writer = store.begin(run.entity("labels"))
    with writer.open("half") as sink:
        sink.write(b"x")
    assert verify_run(store, run) == []
    writer.discard()


def test_what_is_not_there_is_told(store: ArtifactStore, run: RunAddress) -> None:
    with pytest.raises(ArtifactNotFoundError, match=r"images is not a committed entity: it does not exist"):
        verify_entity(store, run.entity("images"))
    lay_file(store, f"{run.path}/images/a.jpg", b"x")
    with pytest.raises(ArtifactNotFoundError, match=r"it holds 1 files but no _SUCCESS"):
        verify_entity(store, run.entity("images"))
    with pytest.raises(ArtifactNotFoundError, match=r"does not exist; `sinara ls` lists the runs"):
        verify_run(store, RunAddress(run.step, "run-20-01-01-000000"))


def test_a_whole_archive_fits_its_index(store: ArtifactStore, archive: EntityAddress) -> None:
    found = verify_targets([Target(store, archive)])
    assert (found.findings, found.files) == ((), 2)


def _file_entry(store: ArtifactStore, address: EntityAddress, name: str) -> FileEntry:
    data = store.fs.cat_file(_path(store, address, name))
    return FileEntry(path=name, size=len(data), sha256=hashlib.sha256(data).hexdigest())


def _replace_index(store: ArtifactStore, archive: EntityAddress, change: Callable[[pa.Table], pa.Table]) -> None:
    """Put another index in place and commit it, so that the checksums alone find nothing."""
    with pa.ipc.open_file(pa.BufferReader(store.fs.cat_file(_path(store, archive, INDEX_FILE)))) as reader:
        table = change(reader.read_all())
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    store.fs.pipe_file(_path(store, archive, INDEX_FILE), sink.getvalue().to_pybytes())

    def recount(page: dict[str, object]) -> None:
        files = [_file_entry(store, archive, name) for name in (INDEX_FILE, "part-00000.parquet")]
        page.update(
            files=[f.model_dump() for f in files], bytes=sum(f.size for f in files), content=content_hash(files)
        )

    _recommit(store, archive, recount)


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
    findings = verify_entity(store, archive)
    assert any(f.url == f"{store.url_of(archive)}/{file}" and problem in f.problem for f in findings), findings


def test_a_flipped_bit_in_a_shard_names_the_file_inside_it(store: ArtifactStore, archive: EntityAddress) -> None:
    def flip(data: bytes) -> bytes:
        at = data.index(b"a" * 100)
        return data[:at] + b"b" + data[at + 1 :]

    _change(store, archive, "part-00000.parquet", flip)
    assert [f.problem.split(":")[0] for f in verify_entity(store, archive)] == [
        "was changed",
        "content of a.jpg is not what the index promises",
    ]


def test_an_index_that_is_no_arrow_file_is_told(store: ArtifactStore, archive: EntityAddress) -> None:
    _change(store, archive, INDEX_FILE, lambda data: b"x" * len(data))
    assert {f.problem.split(":")[0] for f in verify_entity(store, archive)} == {
        "was changed",
        "cannot be read as an Arrow file",
    }
