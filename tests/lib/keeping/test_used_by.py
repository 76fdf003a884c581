"""USED_BY beside kept steps, and beside what a step is told from outside."""

from collections.abc import Callable
from pathlib import Path

import pytest
from detector_steps import write_detector

from quick_steps import Pipeline, pipeline  # noqa: F401 - a fixture
from sinara_lib.layout import StepAddress, split_run_url
from sinara_lib.step import main
from sinara_lib.store import ArtifactStore

PREP, EVAL = StepAddress("rest", "test", "data_prep"), StepAddress("rest", "test", "model_eval")


@pytest.fixture
def source(pipeline: Pipeline, tmp_path: Path) -> Path:  # noqa: F811
    """The source of a detector's pipeline that was run once, and then, with another image to test by, once more."""
    write_detector(pipeline, tmp_path / "source")
    assert pipeline.run().error is None
    (tmp_path / "source" / "images" / "e1.jpg").write_text("e1 other pixels")
    again = pipeline.run()
    assert again.ran == ["data_load", "data_prep", "model_eval"]
    return tmp_path / "source"


def test_a_kept_model_is_scored_on_the_data_of_this_run_where_what_it_was_made_from_is_the_same(
    source: Path, stores: Callable[[str], ArtifactStore]
) -> None:
    store = stores("user")
    newest = store.runs(EVAL)[0]
    assert "e1 other pixels" in store.open(newest.entity("report")).read("it.txt").decode()
    record = store.run_record(newest)
    assert record is not None
    assert {split_run_url(url.rpartition("/")[0])[1] for url in record.inputs} >= {store.runs(PREP)[0]}


def test_a_step_that_is_told_a_run_which_holds_something_else_than_its_model_was_made_from_refuses_it(
    source: Path,
    pipeline: Pipeline,  # noqa: F811
    stores: Callable[[str], ArtifactStore],
    capsys: pytest.CaptureFixture[str],
) -> None:
    newest, first = stores("user").runs(PREP)
    folder = pipeline.folder / "model_eval"
    for run in (newest, first):  # both hold what the model was made from
        assert main(folder, mode="dev", argv=["--read", "data_prep", run.run_id]) == 0
    told = ["--set", "seed=4"]
    assert main(pipeline.folder / "data_prep", mode="dev", argv=told) == 0
    other = stores("user").runs(PREP)[0]
    assert main(folder, mode="dev", argv=["--read", "data_prep", other.run_id]) == 1
    said = capsys.readouterr().out
    assert "by RUN_ID or USED_BY, and was told from outside to read" in said
    assert other.run_id in said
