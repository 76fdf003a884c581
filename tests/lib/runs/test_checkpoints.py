"""checkpoints: the newest one of a run stays, whatever the filesystem, and nobody takes it for a result."""

from pathlib import Path

import pytest

from sinara_lib.errors import ArtifactNotFoundError
from sinara_lib.layout import RunAddress
from sinara_lib.runs.checkpoints import Checkpoints, newest_checkpoint
from sinara_lib.store import ArtifactStore
from store_cases import differences


def _folder(path: Path, text: str) -> Path:
    path.mkdir()
    (path / "state.txt").write_text(text)
    return path


def test_only_the_newest_checkpoint_stays_and_can_be_fetched(
    store: ArtifactStore, run: RunAddress, tmp_path: Path
) -> None:
    ours = Checkpoints(store.url_of(run))
    for number in (1, 2, 10):
        url = ours.publish(_folder(tmp_path / str(number), f"state {number}"), number)

    assert [one.name for one in store.entities(run)] == ["checkpoint_000010"]
    assert newest_checkpoint(store, run) == run.entity("checkpoint_000010")
    fetched = Checkpoints("unused", resumed=url).fetch_resumed(tmp_path / "fetched")
    assert fetched is not None
    assert (fetched / "state.txt").read_text() == "state 10"


def test_a_run_that_needs_its_checkpoints_no_more_is_clean(
    store: ArtifactStore, run: RunAddress, tmp_path: Path
) -> None:
    ours = Checkpoints(store.url_of(run))
    ours.publish(_folder(tmp_path / "state", "state"), 3)

    ours.clear()

    assert newest_checkpoint(store, run) is None
    assert not [path for path in store.fs.find(f"{store.root}/{run.path}") if "checkpoint" in path]
    assert ours.fetch_resumed(tmp_path / "fetched") is None


def test_a_checkpoint_of_a_run_that_goes_on_is_not_resolved(
    store: ArtifactStore, run: RunAddress, tmp_path: Path
) -> None:
    Checkpoints(store.url_of(run)).publish(_folder(tmp_path / "state", "state"), 1)

    with pytest.raises(ArtifactNotFoundError, match="RUNNING"):
        store.resolve(run.step, ["checkpoint_000001"])
    assert differences(store, run) == []
