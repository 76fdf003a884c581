"""Verification: every kind of damage is found and named, all of them at once, and nothing else is."""

import pytest

from damage_cases import Bytes, change_file, path_of, recommit
from sinara_lib.catalog.find import Target
from sinara_lib.catalog.verify import all_runs, verify_targets
from sinara_lib.errors import ArtifactNotFoundError
from sinara_lib.layout import EntityAddress, RunAddress
from sinara_lib.store import ArtifactStore
from sinara_lib.store.manifest import MANIFEST_FILE, RUN_FILE, SUCCESS_FILE
from store_cases import Finish, differences, lay_file, publish_files


@pytest.fixture
def entity(store: ArtifactStore, run: RunAddress) -> EntityAddress:
    """A committed entity of three files."""
    with store.begin(run.entity("images")) as writer:
        for name, data in (("a.bin", b"a" * 1000), ("sub/b.bin", bytes(range(256))), ("empty", b"")):
            with writer.open(name) as sink:
                sink.write(data)
    return run.entity("images")


def _flip(data: bytes) -> bytes:
    return data[:7] + bytes([data[7] ^ 1]) + data[8:]


def test_a_whole_entity_has_no_findings_and_every_byte_of_it_is_read(
    store: ArtifactStore, entity: EntityAddress
) -> None:
    found = verify_targets([Target(store, entity)])
    assert (found.findings, found.entities, found.files, found.bytes) == ((), 1, 3, 1256)
    assert found.closing_line() == "1 entities, 3 files, 0.0 MB read, 0 findings"
    assert differences(store, entity) == differences(store, entity.run) == differences(store) == []


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
    change_file(store, entity, name, change)
    (finding,) = differences(store, entity)
    named = MANIFEST_FILE if "promises" in problem else name
    assert finding.url == f"{store.url_of(entity)}/{named}"
    with pytest.raises(AssertionError, match=problem):
        raise AssertionError(finding.problem)


@pytest.mark.parametrize("name", ["a.bin", "sub/b.bin", "empty"])
def test_a_missing_file_is_named(store: ArtifactStore, entity: EntityAddress, name: str) -> None:
    size = store.fs.size(path_of(store, entity, name))
    store.fs.rm_file(path_of(store, entity, name))
    assert [str(f) for f in differences(store, entity)] == [
        f"{store.url_of(entity)}/{name}: is missing; the manifest promises {size} bytes"
    ]


def test_all_findings_are_listed_not_only_the_first(store: ArtifactStore, entity: EntityAddress) -> None:
    change_file(store, entity, "a.bin", _flip)
    store.fs.rm_file(path_of(store, entity, "empty"))
    lay_file(store, f"{entity.path}/sub/slipped.in", b"x")
    url = store.url_of(entity)
    found = {f.url.removeprefix(url): f.problem.split(":")[0] for f in differences(store, entity)}
    assert found == {
        "/a.bin": "was changed",
        "/empty": "is missing; the manifest promises 0 bytes",
        "/sub/slipped.in": "is extra",
    }


def test_a_missing_manifest_is_named(store: ArtifactStore, entity: EntityAddress) -> None:
    store.fs.rm_file(path_of(store, entity, MANIFEST_FILE))
    (finding,) = differences(store, entity)
    assert str(finding) == f"{store.url_of(entity)}/{MANIFEST_FILE}: is missing although {SUCCESS_FILE} is there"


def test_a_manifest_that_is_no_json_and_one_of_a_newer_library_are_told_apart(
    store: ArtifactStore, entity: EntityAddress
) -> None:
    change_file(store, entity, MANIFEST_FILE, lambda data: data[:40])
    edited, damaged = sorted(f.problem for f in differences(store, entity))[::-1]
    assert edited.startswith("is not the one that was committed")
    assert damaged.startswith("cannot be read: ")
    assert "It is damaged" in damaged


def test_a_manifest_of_a_newer_library_is_told(store: ArtifactStore, entity: EntityAddress) -> None:
    recommit(store, entity, lambda page: page.update(format=2))
    (finding,) = differences(store, entity)
    assert "newer sinara_lib wrote it: update sinara_lib" in finding.problem


@pytest.mark.parametrize("key", ["content", "bytes"])
def test_a_manifest_that_contradicts_its_own_list_is_told(
    store: ArtifactStore, entity: EntityAddress, key: str
) -> None:
    recommit(store, entity, lambda page: page.update({key: 7 if key == "bytes" else "0" * 64}))
    (finding,) = differences(store, entity)
    assert finding.problem == "contradicts itself: content or bytes do not fit its list of files"


def test_an_entity_moved_from_elsewhere_is_named_with_its_origin(
    store: ArtifactStore, run: RunAddress, entity: EntityAddress
) -> None:
    for name in store.fs.find(f"{store.root}/{entity.path}"):
        tail = name.rsplit("/images/", 1)[1]
        lay_file(store, f"{run.path}/copied/{tail}", store.fs.cat_file(name))
    (finding,) = differences(store, run)
    assert str(finding) == (
        f"{store.url_of(run)}/copied: is {run.run_id}/images by its manifest: it was moved or copied from there"
    )


def test_a_mark_that_was_removed_from_a_finished_run_is_told(
    store: ArtifactStore, run: RunAddress, entity: EntityAddress, finish: Finish
) -> None:
    finish(run)
    store.fs.rm_file(path_of(store, entity, SUCCESS_FILE))
    (finding,) = differences(store, run)
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
    change_file(store, run, RUN_FILE, change)
    change_file(store, entity, "a.bin", _flip)
    record, file = differences(store, run)
    assert record.url == f"{store.url_of(run)}/{RUN_FILE}"
    assert problem in record.problem
    assert file.url == f"{store.url_of(entity)}/a.bin"


def test_all_runs_of_a_store_are_checked(store: ArtifactStore, entity: EntityAddress) -> None:
    publish_files(store, entity.run, "labels")
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
    store.fs.rm_file(path_of(store, entity, MANIFEST_FILE))
    change_file(store, entity, SUCCESS_FILE, lambda data: b"")
    for findings in (differences(store, entity), differences(store, entity.run)):
        assert [f.url for f in findings] == [f"{store.url_of(entity)}/{MANIFEST_FILE}"]


def test_remains_of_a_writer_in_a_run_that_goes_on_are_no_finding(store: ArtifactStore, run: RunAddress) -> None:
    publish_files(store, run, "images")
    writer = store.begin(run.entity("labels"))
    with writer.open("half") as sink:
        sink.write(b"x")
    assert differences(store, run) == []
    writer.discard()


def test_what_is_not_there_is_told(store: ArtifactStore, run: RunAddress) -> None:
    with pytest.raises(ArtifactNotFoundError, match=r"images is not a committed entity: it does not exist"):
        differences(store, run.entity("images"))
    lay_file(store, f"{run.path}/images/a.jpg", b"x")
    with pytest.raises(ArtifactNotFoundError, match=r"it holds 1 files but no _SUCCESS"):
        differences(store, run.entity("images"))
    with pytest.raises(ArtifactNotFoundError, match=r"does not exist; `sinara ls` lists the runs"):
        differences(store, RunAddress(run.step, "run-20-01-01-000000"))
