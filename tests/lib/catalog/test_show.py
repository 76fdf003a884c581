"""A run or an entity in lines of text."""

from collections.abc import Callable
from pathlib import Path

import pytest

from sinara_lib.catalog.show import describe
from sinara_lib.errors import ArtifactNotFoundError, LayoutError
from sinara_lib.layout import RunAddress
from sinara_lib.store import ArtifactStore, publish_folder
from sinara_lib.store.manifest import RunStatus


@pytest.fixture
def published(store: ArtifactStore, run: RunAddress, tmp_path: Path) -> RunAddress:
    """A run with an entity."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.bin").write_bytes(b"x" * 1_500_000)
    publish_folder(tmp_path / "data", store.url_of(run.entity("images")))
    return run


def test_a_run_id_shows_status_time_code_inputs_and_what_was_published(
    store: ArtifactStore, published: RunAddress, finish: Callable[..., None]
) -> None:
    record = store.run_record(published)
    assert record is not None
    store.replace_record(published, record.with_inputs(["https://host/a.zip"]))
    finish(published, RunStatus.FAILED, "no memory")
    assert describe(store, published.run_id) == [
        store.url_of(published),
        "  status    FAILED: no memory",
        "  time      2026-11-21 01:37:11 to not yet UTC",
        "  code      no origin no commit, test",
        "  read      https://host/a.zip",
        "  published images: 1 files, 1.5 MB",
    ]


def test_a_url_of_a_run_shows_the_same_as_its_id(store: ArtifactStore, published: RunAddress) -> None:
    lines = describe(store, published.run_id)
    assert describe(store, store.url_of(published)) == lines
    assert describe(store, store.url_of(published) + "/") == lines


def test_a_url_of_an_entity_shows_its_content_and_files(store: ArtifactStore, published: RunAddress) -> None:
    entity = published.entity("images")
    manifest = store.open(entity).manifest
    lines = describe(store, store.url_of(entity))
    assert lines[0] == store.url_of(entity)
    assert f"  content   {manifest.content}" in lines
    assert "  size      1.5 MB in 1 files" in lines
    assert f"  file      a.bin  1500000  {manifest.files[0].sha256}" in lines


def test_a_run_of_sinaraml_is_shown_without_record(store: ArtifactStore, run: RunAddress) -> None:
    legacy = RunAddress(run.step, "run-21-06-01-120000")
    store.fs.makedirs(f"{store.root}/{legacy.path}/images", exist_ok=True)
    store.fs.pipe_file(f"{store.root}/{legacy.path}/images/_SUCCESS", b"")
    assert describe(store, legacy.run_id) == [store.url_of(legacy), "  published images: 0 files, 0.0 MB"]


def test_what_does_not_exist_is_told_with_the_command_that_lists(store: ArtifactStore, run: RunAddress) -> None:
    other = "run-20-01-01-000000-000"
    with pytest.raises(ArtifactNotFoundError, match=f"has no run {other}; `sinara ls` lists the runs"):
        describe(store, other)
    with pytest.raises(ArtifactNotFoundError, match=r"does not exist; `sinara ls`"):
        describe(store, f"{store.url_of(run.step)}/{other}")
    with pytest.raises(ArtifactNotFoundError, match=r"is not a committed entity"):
        describe(store, store.url_of(run.entity("images")))


def test_what_is_neither_run_nor_url_is_refused(store: ArtifactStore) -> None:
    with pytest.raises(LayoutError, match=r"'images' is neither a run id"):
        describe(store, "images")
