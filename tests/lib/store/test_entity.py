"""One entity: what its reader finds when files were changed after the commit."""

from collections.abc import Callable
from pathlib import Path

import pytest

from sinara_lib.errors import ArtifactCorruptError, ArtifactNotFoundError, LayoutError
from sinara_lib.layout import RunAddress
from sinara_lib.store import ArtifactStore, fetch_folder
from sinara_lib.store.entity import EntityReader

FILES = {"a.bin": b"0123456789", "deep/b.bin": b"b" * 5_000}


@pytest.fixture
def entity(store: ArtifactStore, run: RunAddress) -> str:
    """Path of a committed entity of two files."""
    with store.begin(run.entity("images")) as writer:
        for name, data in FILES.items():
            with writer.open(name) as sink:
                sink.write(data)
    return f"{store.root}/{run.entity('images').path}"


@pytest.fixture
def reader(store: ArtifactStore, run: RunAddress, entity: str) -> Callable[[], EntityReader]:
    """Open the entity anew."""
    return lambda: store.open(run.entity("images"))


def _flip(store: ArtifactStore, path: str) -> None:
    data = bytearray(store.fs.cat_file(path))
    data[len(data) // 2] ^= 1
    store.fs.pipe_file(path, bytes(data))


def test_an_untouched_entity_is_read_in_every_way(reader: Callable[[], EntityReader], tmp_path: Path) -> None:
    opened = reader()
    assert {name: opened.read(name) for name in FILES} == FILES
    opened.copy("deep/b.bin", tmp_path / "new" / "b.bin")
    assert (tmp_path / "new" / "b.bin").read_bytes() == FILES["deep/b.bin"]
    with opened.open_checked("a.bin") as stream:
        assert stream.read() == FILES["a.bin"]


def test_a_file_that_is_not_there_is_named_with_those_that_are(reader: Callable[[], EntityReader]) -> None:
    with pytest.raises(ArtifactNotFoundError, match=r"has no file 'c\.bin'; it holds: a\.bin, deep/b\.bin"):
        reader().read("c.bin")


@pytest.mark.parametrize("name", FILES)
def test_a_flipped_bit_is_found_by_every_way_of_reading(
    store: ArtifactStore, entity: str, reader: Callable[[], EntityReader], tmp_path: Path, name: str
) -> None:
    _flip(store, f"{entity}/{name}")
    opened = reader()
    ways: list[Callable[[], object]] = [
        lambda: opened.read(name),
        lambda: opened.copy(name, tmp_path / "x"),
        lambda: opened.open_checked(name),
    ]
    for way in ways:
        with pytest.raises(ArtifactCorruptError, match=rf"{name}: expected sha256 \w+, found \w+"):
            way()


def test_a_truncated_file_is_found_when_the_entity_is_opened(
    store: ArtifactStore, entity: str, reader: Callable[[], EntityReader]
) -> None:
    store.fs.pipe_file(f"{entity}/a.bin", b"01234")
    with pytest.raises(ArtifactCorruptError, match=r"a\.bin: expected 10 bytes, found 5"):
        reader()


def test_a_missing_file_is_found_when_the_entity_is_opened(
    store: ArtifactStore, entity: str, reader: Callable[[], EntityReader]
) -> None:
    store.fs.rm(f"{entity}/a.bin")
    with pytest.raises(ArtifactCorruptError, match=r"a\.bin is missing; its manifest promises it"):
        reader()


def test_a_swapped_manifest_is_found(
    store: ArtifactStore, run: RunAddress, entity: str, reader: Callable[[], EntityReader]
) -> None:
    with store.begin(run.entity("other")) as writer, writer.open("a.bin") as sink:
        sink.write(b"0")
    other = f"{store.root}/{run.entity('other').path}"
    store.fs.pipe_file(f"{entity}/_MANIFEST.json", store.fs.cat_file(f"{other}/_MANIFEST.json"))
    with pytest.raises(ArtifactCorruptError, match=r"_MANIFEST\.json is not the one that was committed"):
        reader()


def test_an_entity_moved_to_another_name_is_found(store: ArtifactStore, run: RunAddress, entity: str) -> None:
    store.fs.copy(entity, entity.replace("/images", "/masks"), recursive=True)
    with pytest.raises(ArtifactCorruptError, match=r"is that of run-\S+/images: the entity was moved or swapped"):
        store.open(run.entity("masks"))


def test_a_flipped_bit_in_the_manifest_is_found(
    store: ArtifactStore, entity: str, reader: Callable[[], EntityReader]
) -> None:
    _flip(store, f"{entity}/_MANIFEST.json")
    with pytest.raises(ArtifactCorruptError, match=r"is not the one that was committed"):
        reader()


def test_a_missing_manifest_is_found(store: ArtifactStore, entity: str, reader: Callable[[], EntityReader]) -> None:
    store.fs.rm(f"{entity}/_MANIFEST.json")
    with pytest.raises(ArtifactCorruptError, match=r"_MANIFEST\.json is missing although _SUCCESS names it"):
        reader()


@pytest.mark.parametrize("manifest", ["kept", "removed"])
def test_an_emptied_success_does_not_pass_for_one_of_sinaraml(
    store: ArtifactStore, entity: str, reader: Callable[[], EntityReader], manifest: str
) -> None:
    store.fs.pipe_file(f"{entity}/_SUCCESS", b"")
    if manifest == "removed":
        store.fs.rm_file(f"{entity}/_MANIFEST.json")
    with pytest.raises(ArtifactCorruptError, match="_SUCCESS is empty, but"):
        reader()


def test_fetching_a_damaged_entity_fails(store: ArtifactStore, run: RunAddress, entity: str, tmp_path: Path) -> None:
    _flip(store, f"{entity}/deep/b.bin")
    with pytest.raises(ArtifactCorruptError):
        fetch_folder(store.url_of(run.entity("images")), tmp_path / "out")


@pytest.mark.parametrize("name", ["_SUCCESS", "_MANIFEST.json", "", "../x", "a/../../x", "/x", "a//b", "./a"])
def test_a_file_cannot_take_a_name_that_could_not_be_read_back(
    store: ArtifactStore, run: RunAddress, name: str
) -> None:
    with (
        pytest.raises(LayoutError, match=r"a file cannot be named"),
        store.begin(run.entity("images")) as writer,
        writer.open(name),
    ):
        pass
    assert store.entities(run) == []


def test_two_files_cannot_have_one_name(store: ArtifactStore, run: RunAddress, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"1")
    with pytest.raises(LayoutError, match=r"'a' here"), store.begin(run.entity("images")) as writer:  # noqa: PT012
        writer.put(tmp_path / "a", "a")
        writer.put(tmp_path / "a", "a")
