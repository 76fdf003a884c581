"""What a notebook wrote into the place of an entity by itself is made an entity, whole or not at all."""

from pathlib import Path

import pytest

from sinara_lib.errors import LayoutError
from sinara_lib.layout import EntityAddress, split_entity_url
from sinara_lib.store import ArtifactStore, open_entity
from sinara_lib.store.written_places import discard_written, publish_written


def _write(store: ArtifactStore, url: str, files: dict[str, bytes]) -> None:
    place = store.root + url.removeprefix(store.url)
    for name, data in files.items():
        store.fs.makedirs(f"{place}/{name}".rpartition("/")[0], exist_ok=True)
        store.fs.pipe_file(f"{place}/{name}", data)


def test_files_at_an_entitys_url_become_the_entity_without_sparks_own_marks(
    store: ArtifactStore, url: str, tmp_path: Path
) -> None:
    spark = {"_SUCCESS": b"", "._SUCCESS.crc": b"c", ".part-0.parquet.crc": b"c"}
    _write(store, url, {"part-0.parquet": b"rows", "day=1/part-1.parquet": b"more", **spark})
    assert publish_written(store, [url], beside=tmp_path) == [url]
    reader = store.open(_address(url))
    assert [file.path for file in reader.manifest.files] == ["day=1/part-1.parquet", "part-0.parquet"]
    assert reader.read("part-0.parquet") == b"rows"
    assert publish_written(store, [url], beside=tmp_path) == []


def test_files_written_to_the_url_as_if_it_were_a_path_belong_to_the_entity(
    store: ArtifactStore, url: str, tmp_path: Path
) -> None:
    _write(store, url, {"a.txt": b"by pandas"})
    beside = tmp_path / "step"
    (beside / url).mkdir(parents=True)
    (beside / url / "b.txt").write_bytes(b"by open")
    assert publish_written(store, [url], beside=beside) == [url]
    assert [file.path for file in store.open(_address(url)).manifest.files] == ["a.txt", "b.txt"]
    assert list(beside.iterdir()) == []


def test_what_cannot_be_published_or_is_discarded_leaves_nothing(
    store: ArtifactStore, url: str, tmp_path: Path
) -> None:
    _write(store, url, {"a.txt": b"a"})
    (tmp_path / "step" / url / "empty").mkdir(parents=True)
    with pytest.raises(LayoutError, match=r"empty cannot be published: it is empty"):
        publish_written(store, [url], beside=tmp_path / "step")
    discard_written(store, [url], beside=tmp_path / "step")
    _write(store, url, {"a.txt": b"a"})
    discard_written(store, [url], beside=tmp_path / "step")
    assert publish_written(store, [url], beside=tmp_path / "step") == []
    assert not store.is_committed(_address(url))


@pytest.mark.parametrize("root", ["file"], indirect=True)
def test_a_single_file_in_an_entitys_place_is_the_entitys_only_file(
    store: ArtifactStore, url: str, tmp_path: Path
) -> None:
    Path(store.root + url.removeprefix(store.url)).write_bytes(b"one")
    assert publish_written(store, [url], beside=tmp_path) == [url]
    assert open_entity(url).read("files") == b"one"


def _address(url: str) -> EntityAddress:
    return split_entity_url(url)[1]
