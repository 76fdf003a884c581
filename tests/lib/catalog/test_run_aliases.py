"""A run is one thing, however its folder is reached: over links to its pipeline, its step, itself, or the root."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from garbage_cases import collect, run_ids_left
from lineage_cases import History
from sinara_lib.catalog.catalog import Catalog, read_runs
from sinara_lib.catalog.find import find_targets
from sinara_lib.catalog.lineage_reading import read_lineage
from sinara_lib.layout import RunAddress, StepAddress
from sinara_lib.store import store_at
from sinara_lib.store.manifest import RunRecord, RunStatus

Alias = Callable[[Path, RunAddress], StepAddress]


def _pipeline(root: Path, run: RunAddress) -> StepAddress:
    (root / "detector").symlink_to(root / run.step.pipeline)
    return StepAddress("detector", run.step.zone, run.step.step)


def _step(root: Path, run: RunAddress) -> StepAddress:
    (root / run.step.pipeline / run.step.zone / "a_load").symlink_to(run.step.step)
    return StepAddress(run.step.pipeline, run.step.zone, "a_load")


def _run(root: Path, run: RunAddress) -> StepAddress:
    folder = root / "other" / "test" / "load"
    folder.mkdir(parents=True)
    (folder / run.run_id).symlink_to(root / run.path)
    return StepAddress("other", "test", "load")


@pytest.fixture
def here(tmp_path: Path, now: datetime) -> History:
    """An empty history on disk."""
    return History(store_at(str(tmp_path / "store")), now)


@pytest.mark.parametrize("alias", [_pipeline, _step, _run])
def test_what_a_kept_run_used_stays_whatever_link_it_was_used_over_and_is_listed_once(
    here: History, alias: Alias
) -> None:
    root = Path(here.store.root)
    old, new = here.run("data_load", "images"), here.run("data_load", "images")
    before = here.store.steps(), [run.url for run in read_runs("user", here.store)]
    linked = RunAddress(alias(root, old), old.run_id)
    assert (here.store.steps(), [run.url for run in read_runs("user", here.store)])[1] == before[1]
    user = here.run("data_prep", "train", inputs=[here.url(linked, "images")])
    assert collect(here, keep_last=1).kept == (here.store.url_of(old),)
    assert run_ids_left(here) == {old.run_id, new.run_id, user.run_id}
    assert here.store.open(linked.entity("images")).read("file.bin")
    for url in (here.url(old, "images"), here.url(linked, "images")):
        found = read_lineage(find_targets(here.store, url), here.catalog())
        assert list(found.nodes) == [(here.url(old, "images"), None), (here.url(user, "train"), None)]


def test_a_link_to_a_run_of_its_own_step_is_no_newer_run(here: History) -> None:
    run = here.run("data_load", "images")
    newer = "run-60-01-01-000000-000"
    (Path(here.store.root) / run.step.path / newer).symlink_to(run.run_id)
    assert here.store.runs(run.step) == [run]
    assert here.store.resolve(run.step, ["images"]) == run


def test_a_pipeline_that_lies_elsewhere_is_listed_once_under_its_first_link(here: History, tmp_path: Path) -> None:
    run = here.run("data_load", "images")
    root = Path(here.store.root)
    (root / "rest").rename(tmp_path / "elsewhere")
    for name in ("a", "b"):
        (root / name).symlink_to(tmp_path / "elsewhere")
    old = RunAddress(StepAddress("b", "test", "data_load"), run.run_id)
    here.run("data_prep", "train", inputs=[here.url(old, "images")])
    assert here.store.steps() == [StepAddress("a", "test", "data_load"), StepAddress("rest", "test", "data_prep")]
    step = StepAddress("a", "test", "data_load")
    record = RunRecord(run_id="", status=RunStatus.RUNNING, started=here.now, producer=_record(here, run).producer)
    newer = here.store.start_run(step, record, now=here.now)
    here.store.replace_record(newer, record.model_copy(update={"run_id": newer.run_id, "status": RunStatus.SUCCESS}))
    assert collect(here, keep_last=1).removed == ()


def _record(here: History, run: RunAddress) -> RunRecord:
    record = here.store.run_record(RunAddress(StepAddress("a", "test", "data_load"), run.run_id))
    assert record is not None
    return record


def test_a_run_whose_folder_lies_elsewhere_is_not_removed(here: History, tmp_path: Path) -> None:
    old, _ = here.run("data_load", "images"), here.run("data_load", "images")
    folder = Path(here.store.root) / old.path
    folder.rename(tmp_path / "archived")
    folder.symlink_to(tmp_path / "archived")
    assert collect(here, keep_last=1).removed == ()
    assert (tmp_path / "archived" / "images" / "file.bin").is_file()


def test_a_link_to_the_root_is_the_same_environment_and_a_run_of_another_one_stays(
    here: History, tmp_path: Path
) -> None:
    old, new = here.run("data_load", "images"), here.run("data_load", "images")
    (tmp_path / "link").symlink_to(here.store.root)
    link = store_at(str(tmp_path / "link"))
    prod = store_at(str(tmp_path / "prod"))
    (tmp_path / "prod").mkdir()
    others = Catalog({"link": link}, tuple(read_runs("link", link)), {})
    assert len(collect(here, keep_last=1, others=others, dry_run=True).removed) == 1
    (tmp_path / "prod" / "rest").symlink_to(Path(here.store.root) / "rest")
    others = Catalog({"prod": prod}, tuple(read_runs("prod", prod)), {})
    assert collect(here, keep_last=1, others=others).removed == ()
    assert run_ids_left(here) == {old.run_id, new.run_id}
