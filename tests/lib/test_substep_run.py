"""The run a notebook belongs to, by hand and under a step, and what notebooks of one run share."""

import json
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path

import pytest

from sinara_lib.catalog.find import Target
from sinara_lib.comparison.run_report import report_pages
from sinara_lib.comparison.run_summary import read_summary
from sinara_lib.errors import ArtifactNotFoundError, InterfaceError, StopStep
from sinara_lib.layout import RunAddress, StepAddress, split_run_url
from sinara_lib.runs.notebook_run import NotebookRun
from sinara_lib.store import ArtifactStore, publish_folder
from sinara_lib.store.liveness import this_process
from sinara_lib.store.manifest import RunStatus, Source, SubstepRecord
from sinara_lib.substep import (
    ENTITY_NAME,
    STEP_NAME,
    NotebookSubstep,
)
from substep_cases import IMAGES, LABELS, make_substep, run_id_of

pytestmark = pytest.mark.usefixtures("step_folder", "log_as_before")


def test_a_notebook_opened_by_hand_is_an_interactive_run_of_the_step_its_folder_names(
    stores: Callable[[str], ArtifactStore],
) -> None:
    substep = make_substep()
    root, run = split_run_url(substep.run_url)
    record = stores("user").run_record(run)
    assert record is not None
    assert root == stores("user").url
    assert (run.step.path, run.run_id) == ("rest/test/data_prep", substep.run_id)
    assert record.status is RunStatus.INTERACTIVE
    assert record.params == {"substep_params": {"size": 256}}
    assert record.process == this_process()


def test_what_a_notebook_measures_by_hand_is_known_at_once_and_its_report_is_itself(
    stores: Callable[[str], ArtifactStore],
) -> None:
    substep = make_substep()
    substep.interface()
    substep.add_metric("AP50", 0.5)
    substep.add_metric("images", 7)
    substep.add_metric("best_is", "epoch_3")
    run = read_summary(Target(stores("user"), split_run_url(substep.run_url)[1]))
    assert run.metrics == {"AP50": 0.5, "images": 7, "best_is": "epoch_3"}
    with pytest.raises(ArtifactNotFoundError, match=r"\(INTERACTIVE\) has no report: it was run by hand"):
        report_pages(run)


def test_what_a_notebook_publishes_by_hand_resolves(stores: Callable[[str], ArtifactStore], tmp_path: Path) -> None:
    substep = make_substep()
    substep.interface(outputs=[{ENTITY_NAME: "train"}], tmp_entities=[{ENTITY_NAME: "work"}])
    (Path(substep.tmp_entities().work) / "a").write_text("a")
    publish_folder(substep.tmp_entities().work, substep.outputs().train)
    found = stores("user").resolve(StepAddress("rest", "test", "data_prep"), ["train"])
    assert found.run_id == substep.run_id


def test_the_step_may_be_named_in_its_params() -> None:
    assert make_substep(step_name="other").step_name == "other"


def test_under_a_step_the_notebooks_share_the_steps_run(under_a_step: Callable[[str], NotebookSubstep]) -> None:
    assert under_a_step("a.ipynb").run_url == under_a_step("b.ipynb").run_url


def test_notebooks_of_one_run_never_mix_runs_of_an_upstream_step(
    publish: Callable[..., RunAddress], under_a_step: Callable[[str], NotebookSubstep]
) -> None:
    first = publish("images", "labels")
    one = under_a_step("a.ipynb")
    one.interface(inputs=[IMAGES])
    publish("images", "labels", minute=1)
    other = under_a_step("b.ipynb")
    other.interface(inputs=[LABELS, IMAGES])
    assert run_id_of(other.inputs("data_load").labels) == first.run_id
    assert run_id_of(other.inputs("data_load").images) == first.run_id


def test_a_notebook_reads_what_an_earlier_one_of_its_own_run_published(
    publish: Callable[..., RunAddress], under_a_step: Callable[[str], NotebookSubstep], tmp_path: Path
) -> None:
    publish("train", step="data_prep", minute=5)
    own = {STEP_NAME: "data_prep", ENTITY_NAME: "train"}
    with pytest.raises(ArtifactNotFoundError, match=r"has no train: an earlier notebook of this step publishes it"):
        under_a_step("b.ipynb").interface(inputs=[own])
    first = under_a_step("a.ipynb")
    first.interface(outputs=[{ENTITY_NAME: "train"}])
    publish_folder(tmp_path / "data", first.outputs().train)
    second = under_a_step("b.ipynb")
    second.interface(inputs=[own])
    assert second.inputs("data_prep").train == first.outputs().train


def test_a_notebook_by_hand_reads_its_steps_newest_finished_run(publish: Callable[..., RunAddress]) -> None:
    before = publish("train", step="data_prep")
    substep = make_substep()
    substep.interface(inputs=[{STEP_NAME: "data_prep", ENTITY_NAME: "train"}])
    assert run_id_of(substep.inputs("data_prep").train) == before.run_id


def test_tmp_outputs_of_one_notebook_are_tmp_inputs_of_the_next_and_tmp_entities_its_own(
    under_a_step: Callable[[str], NotebookSubstep],
) -> None:
    first = under_a_step("a.ipynb")
    first.interface(tmp_outputs=[{ENTITY_NAME: "cache"}], tmp_entities=[{ENTITY_NAME: "work"}])
    (Path(first.tmp_outputs().cache) / "x").write_text("1")
    second = under_a_step("b.ipynb")
    second.interface(tmp_inputs=[{ENTITY_NAME: "cache"}], tmp_entities=[{ENTITY_NAME: "work"}])
    assert (Path(second.tmp_inputs().cache) / "x").read_text() == "1"
    assert list(Path(second.tmp_entities().work).iterdir()) == []
    assert second.tmp_entities().work != first.tmp_entities().work
    with pytest.raises(InterfaceError, match=r"tmp_input 'other' was not made"):
        under_a_step("c.ipynb").interface(tmp_inputs=[{ENTITY_NAME: "other"}])


def test_the_step_is_told_inputs_outputs_and_metrics(
    publish: Callable[..., RunAddress], under_a_step: Callable[[str], NotebookSubstep], tmp_path: Path
) -> None:
    publish("images")
    substep = under_a_step("a.ipynb")
    substep.interface(inputs=[IMAGES], outputs=[{ENTITY_NAME: "train"}])
    substep.add_metric("AP50", 0.5)
    substep.add_metric("images", 3)
    substep.add_metric("best", "epoch_2")
    told = SubstepRecord.model_validate_json((tmp_path / "record.json").read_text())
    assert told.inputs == {"user.rest.test.data_load.images": substep.inputs("data_load").images}
    assert told.outputs == {"user.rest.test.data_prep.train": substep.outputs().train}
    assert told.metrics == {"AP50": 0.5, "images": 3, "best": "epoch_2"}


def test_in_design_mode_the_interface_is_written_and_the_notebook_stops(
    under_a_step: Callable[[str], NotebookSubstep], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    substep = under_a_step("a.ipynb")
    substep.interface(outputs=[{ENTITY_NAME: "train"}])
    substep.exit_in_visualize_mode()
    monkeypatch.setenv("DESIGN_MODE", "1")
    with pytest.raises(InterfaceError, match=r"VISUALIZER_SESSION_RUN_ID is not"):
        substep.exit_in_visualize_mode()
    monkeypatch.setenv("VISUALIZER_SESSION_RUN_ID", str(tmp_path / "session"))
    with pytest.raises(StopStep, match=r"design mode"):
        substep.exit_in_visualize_mode()
    page = json.loads(next((tmp_path / "session").glob("data_prep.a.ipynb.*.json")).read_text())
    assert page == {
        "step_name": "data_prep",
        "substep_name": "a.ipynb",
        "inputs": {},
        "outputs": {"user.rest.test.data_prep.train": substep.outputs().train},
    }


@pytest.mark.parametrize("by_hand", [True, False])
def test_raw_sources_are_named_by_what_is_published_after_them(
    by_hand: bool,
    under_a_step: Callable[[str], NotebookSubstep],
    stores: Callable[[str], ArtifactStore],
    now: datetime,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    substep = under_a_step("a.ipynb")
    if by_hand:
        monkeypatch.delenv("SINARA_RUN_URL")
        substep = make_substep()
    substep.interface(outputs=[{ENTITY_NAME: "before"}, {ENTITY_NAME: "after"}])
    (tmp_path / "files").mkdir()
    publish_folder(tmp_path / "files", substep.outputs().before)
    substep.add_source("https://me:hidden@host/a.zip?sig=hidden", sha256="ab" * 32, size=7, fetched=now, etag='"v1"')
    publish_folder(tmp_path / "files", substep.outputs().after)
    run = split_run_url(substep.run_url)[1]
    manifests = [stores("user").open(run.entity(name)).manifest for name in ("before", "after")]
    source = Source(url="https://host/a.zip", sha256="ab" * 32, bytes=7, fetched=now, etag='"v1"')
    assert [manifest.sources for manifest in manifests] == [(), (source,)]
    assert [manifest.inputs for manifest in manifests] == [(), ("https://host/a.zip",)]


def test_a_run_that_is_removed_while_a_notebook_resolves_it_is_told_before_anything_is_read(
    publish: Callable[..., RunAddress],
    under_a_step: Callable[[str], NotebookSubstep],
    stores: Callable[[str], ArtifactStore],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    chosen = publish("images")
    remember = NotebookRun.remember

    def remember_just_after_gc_has_marked_it(run: NotebookRun, urls: Iterable[str]) -> None:
        record = stores("user").run_record(chosen)
        assert record is not None
        stores("user").replace_record(chosen, record.model_copy(update={"status": RunStatus.REMOVING}))
        remember(run, urls)

    monkeypatch.setattr(NotebookRun, "remember", remember_just_after_gc_has_marked_it)
    with pytest.raises(ArtifactNotFoundError, match=f"{chosen.run_id}: REMOVING"):
        under_a_step("a.ipynb").interface(inputs=[IMAGES])
