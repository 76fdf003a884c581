"""NotebookSubstep: what a notebook declares is what it gets, by hand and under a step."""

import json
import logging
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from sinara_lib.errors import ArtifactNotFoundError, InterfaceError, ParamsError, StopStep
from sinara_lib.layout import RunAddress, StepAddress, split_run_url
from sinara_lib.manifest import Producer, RunRecord, RunStatus, SubstepRecord
from sinara_lib.store import ArtifactStore, publish_folder, store_at
from sinara_lib.substep import (
    ENTITY_NAME,
    ENTITY_PATH,
    ENV_NAME,
    PIPELINE_NAME,
    RUN_ID,
    STEP_NAME,
    ZONE_NAME,
    NotebookSubstep,
)

PARAMS = {"env_name": "user", "pipeline_name": "rest", "zone_name": "test"}
IMAGES = {STEP_NAME: "data_load", ENTITY_NAME: "images"}
LABELS = {STEP_NAME: "data_load", ENTITY_NAME: "labels"}
START = datetime(2026, 11, 21, 1, 37, tzinfo=timezone.utc)


@pytest.fixture(autouse=True)
def _workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand in a step's folder, as a notebook does, with stores of the test's own."""
    for env in ("user", "test", "prod"):
        monkeypatch.setenv(f"SINARA_{env.upper()}_ROOT", str(tmp_path / "store" / env))
    (tmp_path / "demo-data_prep").mkdir()
    monkeypatch.chdir(tmp_path / "demo-data_prep")


@pytest.fixture
def stores(tmp_path: Path) -> Callable[[str], ArtifactStore]:
    """The store of an environment."""
    return lambda env: store_at(str(tmp_path / "store" / env))


@pytest.fixture
def publish(stores: Callable[[str], ArtifactStore], tmp_path: Path) -> Callable[..., RunAddress]:
    """Publish entities in a new finished run of a step and return it."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a").write_text("a")

    def publish(*names: str, step: str = "data_load", minute: int = 0, **place: str) -> RunAddress:
        store = stores(place.get("env", "user"))
        address = StepAddress(place.get("pipeline", "rest"), place.get("zone", "test"), step)
        record = RunRecord(run_id="", status=RunStatus.RUNNING, started=START, producer=Producer(library="test"))
        run = store.start_run(address, record, now=START + timedelta(minutes=minute))
        for name in names:
            publish_folder(tmp_path / "data", store.url_of(run.entity(name)))
        store.replace_record(run, record.model_copy(update={"run_id": run.run_id, "status": RunStatus.SUCCESS}))
        return run

    return publish


@pytest.fixture
def under_a_step(
    stores: Callable[[str], ArtifactStore], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], NotebookSubstep]:
    """Start a step's run, and give the substep object of each of its notebooks."""
    record = RunRecord(run_id="", status=RunStatus.RUNNING, started=START, producer=Producer(library="test"))
    run = stores("user").start_run(StepAddress("rest", "test", "data_prep"), record, now=START)
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("SINARA_RUN_URL", stores("user").url_of(run))
    monkeypatch.setenv("SINARA_RUN_TMP", str(tmp_path / "tmp"))
    monkeypatch.setenv("SINARA_SUBSTEP_RECORD", str(tmp_path / "record.json"))

    def notebook(name: str) -> NotebookSubstep:
        monkeypatch.setenv("SINARA_NOTEBOOK", name)
        return _substep()

    return notebook


def _substep(**step_params: Any) -> NotebookSubstep:
    return NotebookSubstep(PARAMS, step_params, {"size": 256})


def _run_of(url: str) -> str:
    return url.rsplit("/", 2)[1]


def test_a_notebook_opened_by_hand_is_an_interactive_run_of_the_step_its_folder_names(
    stores: Callable[[str], ArtifactStore],
) -> None:
    substep = _substep()
    root, run = split_run_url(substep.run_url)
    record = stores("user").run_record(run)
    assert record is not None
    assert root == stores("user").url
    assert (run.step.path, run.run_id) == ("rest/test/data_prep", substep.run_id)
    assert record.status is RunStatus.INTERACTIVE
    assert record.params == {"substep_params": {"size": 256}}


def test_what_a_notebook_publishes_by_hand_resolves(stores: Callable[[str], ArtifactStore], tmp_path: Path) -> None:
    substep = _substep()
    substep.interface(outputs=[{ENTITY_NAME: "train"}], tmp_entities=[{ENTITY_NAME: "work"}])
    (Path(substep.tmp_entities().work) / "a").write_text("a")
    publish_folder(substep.tmp_entities().work, substep.outputs().train)
    found = stores("user").resolve(StepAddress("rest", "test", "data_prep"), ["train"])
    assert found.run_id == substep.run_id


def test_the_step_may_be_named_in_its_params() -> None:
    assert _substep(step_name="other").step_name == "other"


def test_wrong_pipeline_params_are_refused() -> None:
    with pytest.raises(ParamsError, match=r"pipeline_params: unknown key 'zone'"):
        NotebookSubstep({**PARAMS, "zone": "x"}, {}, {})
    with pytest.raises(ParamsError, match=r"Environment 'prd' is not known"):
        NotebookSubstep({**PARAMS, "env_name": "prd"}, {}, {})


def test_outputs_lie_in_the_run_and_have_full_names() -> None:
    substep = _substep()
    substep.interface(outputs=[{ENTITY_NAME: "train"}, {ENTITY_NAME: "a.b"}])
    assert substep.outputs().train == f"{substep.run_url}/train"
    assert substep.outputs().a_b == f"{substep.run_url}/a_b"
    assert substep.outputs().fullname("train") == "user.rest.test.data_prep.train"


def test_inputs_are_urls_of_the_newest_run_that_has_them_all(publish: Callable[..., RunAddress]) -> None:
    old = publish("images", "labels")
    publish("images", minute=1)
    substep = _substep()
    substep.interface(inputs=[IMAGES, LABELS])
    inputs = substep.inputs("data_load")
    assert [_run_of(inputs.images), _run_of(inputs.labels)] == [old.run_id] * 2
    assert inputs.fullname("images") == "user.rest.test.data_load.images"


def test_a_missing_input_says_which_step_to_run() -> None:
    with pytest.raises(ArtifactNotFoundError, match=r"Run step 'data_load' first"):
        _substep().interface(inputs=[IMAGES])


def test_a_pinned_run_wins_over_a_newer_one(publish: Callable[..., RunAddress]) -> None:
    old = publish("images")
    publish("images", minute=1)
    substep = _substep()
    substep.interface(inputs=[{**IMAGES, RUN_ID: old.run_id}])
    assert _run_of(substep.inputs("data_load").images) == old.run_id


def test_two_different_pins_for_one_step_are_refused(publish: Callable[..., RunAddress]) -> None:
    runs = [publish("images", "labels"), publish("images", "labels", minute=1)]
    with pytest.raises(InterfaceError, match=r"pin several runs"):
        _substep().interface(inputs=[{**IMAGES, RUN_ID: runs[0].run_id}, {**LABELS, RUN_ID: runs[1].run_id}])


@pytest.mark.parametrize(
    ("key", "argument", "place"),
    [
        (ENV_NAME, "env_name", {"env": "prod"}),
        (PIPELINE_NAME, "pipeline_name", {"pipeline": "other"}),
        (ZONE_NAME, "zone_name", {"zone": "night"}),
    ],
)
def test_an_input_can_come_from_another_environment_pipeline_or_zone(
    publish: Callable[..., RunAddress], key: str, argument: str, place: dict[str, str]
) -> None:
    publish("images")
    publish("images", minute=1, **place)
    value = next(iter(place.values()))
    substep = _substep()
    substep.interface(inputs=[IMAGES, {**IMAGES, key: value}])
    here = substep.inputs("data_load").images
    there = substep.inputs("data_load", **{argument: value}).images  # type: ignore[arg-type]
    assert f"/{value}/" in there
    assert f"/{value}/" not in here


def test_an_input_that_was_not_declared_is_refused_with_those_that_were(publish: Callable[..., RunAddress]) -> None:
    publish("images")
    substep = _substep()
    substep.interface(inputs=[IMAGES])
    with pytest.raises(InterfaceError, match=r"input 'labels' is not declared in the interface cell; declared: images"):
        _ = substep.inputs("data_load").labels
    with pytest.raises(
        InterfaceError,
        match=r"No input of step user\.rest\.test\.data_lod is declared; declared: user\.rest\.test\.data_l",
    ):
        substep.inputs("data_lod")


@pytest.mark.parametrize(
    "kind", ["inputs", "outputs", "custom_inputs", "custom_outputs", "tmp_inputs", "tmp_outputs", "tmp_entities"]
)
def test_an_unknown_key_is_refused_in_every_kind_of_entry(kind: str) -> None:
    entry = {ENTITY_NAME: "x", ENTITY_PATH: "y", STEP_NAME: "z", "colour": "red"}
    with pytest.raises(InterfaceError, match=f"{kind}: entry .* has unknown .*colour; allowed: "):
        _substep().interface(**{kind: [entry]})


def test_interface_is_called_once_and_before_the_entities_are_asked_for() -> None:
    substep = _substep()
    with pytest.raises(InterfaceError, match=r"Call interface\(\) before"):
        substep.outputs()
    substep.interface(outputs=[{ENTITY_NAME: "train"}])
    with pytest.raises(InterfaceError, match=r"interface\(\) was called before"):
        substep.interface(outputs=[{ENTITY_NAME: "eval"}])


def test_custom_paths_are_given_back_and_custom_inputs_recorded(stores: Callable[[str], ArtifactStore]) -> None:
    substep = _substep()
    substep.interface(
        custom_inputs=[{ENTITY_NAME: "zip", ENTITY_PATH: "https://host/a.zip"}],
        custom_outputs=[{ENTITY_NAME: "page", ENTITY_PATH: "/srv/page.html"}],
    )
    assert substep.custom_inputs().zip == "https://host/a.zip"
    assert substep.custom_outputs().page == "/srv/page.html"
    record = stores("user").run_record(split_run_url(substep.run_url)[1])
    assert record is not None
    assert record.inputs == ("https://host/a.zip",)


def test_what_is_published_names_what_was_read(
    publish: Callable[..., RunAddress], stores: Callable[[str], ArtifactStore], tmp_path: Path
) -> None:
    read = publish("images")
    substep = _substep()
    substep.interface(inputs=[IMAGES], outputs=[{ENTITY_NAME: "train"}])
    manifest = publish_folder(tmp_path / "data", substep.outputs().train)
    assert manifest.inputs == (stores("user").url_of(read.entity("images")),)


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
    assert _run_of(other.inputs("data_load").labels) == first.run_id
    assert _run_of(other.inputs("data_load").images) == first.run_id


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
    substep = _substep()
    substep.interface(inputs=[{STEP_NAME: "data_prep", ENTITY_NAME: "train"}])
    assert _run_of(substep.inputs("data_prep").train) == before.run_id


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


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_a_metric_that_is_no_finite_number_is_refused(value: float) -> None:
    with pytest.raises(InterfaceError, match=r"Metric 'loss' is .*: only finite numbers and words"):
        _substep().add_metric("loss", value)


def test_a_metric_of_another_type_is_refused() -> None:
    with pytest.raises(InterfaceError, match=r"Metric 'loss' is a list: give an int, float or str"):
        _substep().add_metric("loss", [1])  # type: ignore[arg-type]


def test_interface_and_metrics_can_be_shown(
    publish: Callable[..., RunAddress], capsys: pytest.CaptureFixture[str]
) -> None:
    publish("images")
    substep = _substep()
    substep.interface(inputs=[IMAGES], outputs=[{ENTITY_NAME: "train"}])
    substep.print_interface_info()
    substep.add_metric("AP50", 0.123456)
    substep.print_metrics()
    shown = capsys.readouterr().out.splitlines()
    assert shown == [
        f"run {substep.run_id} of step data_prep (user)",
        f"  reads  {substep.inputs('data_load').images}",
        f"  writes {substep.outputs().train}",
        "AP50: 0.1235",
    ]


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


@pytest.fixture(autouse=True)
def _log_as_before() -> Any:
    """Put the root logger's handlers back: a notebook may set them for its process."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level
