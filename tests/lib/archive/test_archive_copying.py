"""Files of one archive become members of another, as if they had been packed from a folder."""

import os
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from sinara_lib.archive import format as archive_format
from sinara_lib.archive import open_archive, pack
from sinara_lib.errors import ArchiveError, ArtifactCorruptError, ArtifactNotFoundError
from sinara_lib.layout import StepAddress
from sinara_lib.store import ArtifactStore
from sinara_lib.store.manifest import RunRecord

FILES = {"a.jpg": b"a" * 70, "b/c.jpg": b"bc", "empty.jpg": b"", "large.jpg": bytes(i % 251 for i in range(1_234))}
NAMES = {"images/z.jpg": "a.jpg", "images/c.jpg": "b/c.jpg", "images/e.jpg": "empty.jpg", "images/l.jpg": "large.jpg"}


@pytest.fixture
def new_url(store: ArtifactStore, step: StepAddress, record: RunRecord, now: datetime) -> Callable[[], str]:
    return lambda: store.url_of(store.start_run(step, record, now=now).entity("files"))


@pytest.fixture
def source(new_url: Callable[[], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """URL of an archive whose larger file lies in many rows."""
    for limit, size in (("ROW_BYTES", 100), ("GROUP_BYTES", 250), ("SHARD_BYTES", 600)):
        monkeypatch.setattr(archive_format, limit, size)
    url = new_url()
    pack(_write(tmp_path / "source", FILES), url)
    return url


def _write(folder: Path, files: dict[str, bytes]) -> Path:
    folder.mkdir()
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
        os.utime(folder / name, (1_700_000_000, 1_700_000_000))
    return folder


def test_copied_files_give_the_archive_that_packing_them_from_a_folder_gives(
    new_url: Callable[[], str], source: str, tmp_path: Path
) -> None:
    own = {"annotations.json": b"{}", "images/new.jpg": b"new" * 50}
    copied = pack(_write(tmp_path / "own", own), new_url(), source=open_archive(source), names=NAMES)
    everything = own | {new: FILES[old] for new, old in NAMES.items()}
    packed = pack(_write(tmp_path / "all", everything), new_url())
    assert copied.content == packed.content
    assert copied.rows == packed.rows == 4 + 13 + 2


def test_a_file_that_is_not_there_a_name_given_twice_and_an_unsafe_name_are_refused(
    new_url: Callable[[], str], source: str, tmp_path: Path
) -> None:
    folder, reader = _write(tmp_path / "own", {"a": b""}), open_archive(source)
    with pytest.raises(ArtifactNotFoundError, match=r"has no file 'gone.jpg'"):
        pack(folder, new_url(), source=reader, names={"b": "gone.jpg"})
    with pytest.raises(ArchiveError, match="Cannot pack a twice"):
        pack(folder, new_url(), source=reader, names={"a": "a.jpg"})
    with pytest.raises(ArchiveError, match="must be relative"):
        pack(folder, new_url(), source=reader, names={"../a": "a.jpg"})


def test_a_damaged_file_is_not_copied_and_nothing_is_published(
    new_url: Callable[[], str], source: str, store: ArtifactStore, tmp_path: Path
) -> None:
    shard = store.root + source.removeprefix(store.url) + "/part-00000.parquet"
    store.fs.pipe_file(shard, store.fs.cat_file(shard).replace(b"a" * 70, b"b" * 70))
    url = new_url()
    with pytest.raises(ArtifactCorruptError):
        pack(_write(tmp_path / "own", {}), url, source=open_archive(source), names=NAMES)
    with pytest.raises(ArtifactNotFoundError):
        open_archive(url)
