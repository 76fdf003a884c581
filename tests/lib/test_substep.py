"""NotebookSubstep: what a notebook declares in its interface is what it gets."""

from collections.abc import Callable
from pathlib import Path

import pytest

from sinara_lib.errors import ArtifactNotFoundError, InterfaceError, ParamsError
from sinara_lib.layout import RunAddress, split_run_url
from sinara_lib.store import ArtifactStore, publish_folder
from sinara_lib.substep import (
    ENTITY_NAME,
    ENTITY_PATH,
    ENV_NAME,
    PIPELINE_NAME,
    RUN_ID,
    STEP_NAME,
    USED_BY,
    ZONE_NAME,
    NotebookSubstep,
)
from substep_cases import IMAGES, LABELS, PARAMS, make_substep, run_id_of

pytestmark = pytest.mark.usefixtures("step_folder", "log_as_before")


def test_wrong_pipeline_params_are_refused(step_folder: Path) -> None:
    with pytest.raises(ParamsError, match=r"pipeline_params: unknown key 'zone_nam' \(did you mean zone_name"):
        NotebookSubstep({**PARAMS, "zone_nam": "x"}, {}, {})
    assert NotebookSubstep({**PARAMS, "X": "own"}, {"Y": [1]}, {}).step_params.own_keys == ["Y"]
    (step_folder / "a.ipynb").write_text("{}")
    model = "from sinara_lib.params import ParamsModel\nclass A(ParamsModel): ...\nNOTEBOOKS = {'a.ipynb': A}\n"
    (step_folder / "a_params.py").write_text(model)
    with pytest.raises(ParamsError, match=r"pipeline_params: unknown key 'zone'"):
        NotebookSubstep({**PARAMS, "zone": "x"}, {}, {})
    with pytest.raises(ParamsError, match=r"Environment 'prd' is not known"):
        NotebookSubstep({**PARAMS, "env_name": "prd"}, {}, {})


def test_outputs_lie_in_the_run_and_have_full_names() -> None:
    substep = make_substep()
    substep.interface(outputs=[{ENTITY_NAME: "train"}, {ENTITY_NAME: "a.b"}])
    assert substep.outputs().train == f"{substep.run_url}/train"
    assert substep.outputs().a_b == f"{substep.run_url}/a_b"
    assert substep.outputs().fullname("train") == "user.rest.test.data_prep.train"


def test_inputs_are_urls_of_the_newest_run_that_has_them_all(publish: Callable[..., RunAddress]) -> None:
    old = publish("images", "labels")
    publish("images", minute=1)
    substep = make_substep()
    substep.interface(inputs=[IMAGES, LABELS])
    inputs = substep.inputs("data_load")
    assert [run_id_of(inputs.images), run_id_of(inputs.labels)] == [old.run_id] * 2
    assert inputs.fullname("images") == "user.rest.test.data_load.images"


def test_a_missing_input_says_which_step_to_run() -> None:
    with pytest.raises(ArtifactNotFoundError, match=r"Run step 'data_load' first"):
        make_substep().interface(inputs=[IMAGES])


def test_a_pinned_run_wins_over_a_newer_one(publish: Callable[..., RunAddress]) -> None:
    old = publish("images")
    publish("images", minute=1)
    substep = make_substep()
    substep.interface(inputs=[{**IMAGES, RUN_ID: old.run_id}])
    assert run_id_of(substep.inputs("data_load").images) == old.run_id


def test_two_different_pins_for_one_step_are_refused(publish: Callable[..., RunAddress]) -> None:
    runs = [publish("images", "labels"), publish("images", "labels", minute=1)]
    with pytest.raises(InterfaceError, match=r"pin several runs"):
        make_substep().interface(inputs=[{**IMAGES, RUN_ID: runs[0].run_id}, {**LABELS, RUN_ID: runs[1].run_id}])


def test_an_input_can_follow_what_another_input_was_made_from(
    publish: Callable[..., RunAddress], stores: Callable[[str], ArtifactStore]
) -> None:
    read, newer = publish("images"), publish("images", minute=1)
    weights, store = {STEP_NAME: "train", ENTITY_NAME: "weights"}, stores("user")
    trained = publish("weights", step="train")
    with pytest.raises(ArtifactNotFoundError, match=r"was not made from a run of user\.rest\.test\.data_load"):
        make_substep().interface(inputs=[{**IMAGES, USED_BY: "train"}, weights])
    record = store.run_record(trained)
    assert record is not None
    store.replace_record(trained, record.with_inputs([store.url_of(read.entity("images"))]))
    substep = make_substep()
    substep.interface(inputs=[{**IMAGES, USED_BY: "train"}, weights])
    assert run_id_of(substep.inputs("data_load").images) == read.run_id
    with pytest.raises(InterfaceError, match=r"pin several runs"):
        make_substep().interface(inputs=[{**IMAGES, USED_BY: "train"}, weights, {**IMAGES, RUN_ID: newer.run_id}])
    with pytest.raises(InterfaceError, match=r"USED_BY names step 'train': declare inputs of exactly one"):
        make_substep().interface(inputs=[{**IMAGES, USED_BY: "train"}])


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
    substep = make_substep()
    substep.interface(inputs=[IMAGES, {**IMAGES, key: value}])
    here = substep.inputs("data_load").images
    there = substep.inputs("data_load", **{argument: value}).images  # type: ignore[arg-type]
    assert f"/{value}/" in there
    assert f"/{value}/" not in here


def test_an_input_that_was_not_declared_is_refused_with_those_that_were(publish: Callable[..., RunAddress]) -> None:
    publish("images")
    substep = make_substep()
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
        make_substep().interface(**{kind: [entry]})


def test_interface_is_called_once_and_before_the_entities_are_asked_for() -> None:
    substep = make_substep()
    with pytest.raises(InterfaceError, match=r"Call interface\(\) before"):
        substep.outputs()
    substep.interface(outputs=[{ENTITY_NAME: "train"}])
    with pytest.raises(InterfaceError, match=r"interface\(\) was called before"):
        substep.interface(outputs=[{ENTITY_NAME: "eval"}])


def test_custom_paths_are_given_back_and_custom_inputs_recorded(stores: Callable[[str], ArtifactStore]) -> None:
    substep = make_substep()
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
    substep = make_substep()
    substep.interface(inputs=[IMAGES], outputs=[{ENTITY_NAME: "train"}])
    manifest = publish_folder(tmp_path / "data", substep.outputs().train)
    assert manifest.inputs == (stores("user").url_of(read.entity("images")),)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_a_metric_that_is_no_finite_number_is_refused(value: float) -> None:
    with pytest.raises(InterfaceError, match=r"Metric 'loss' is .*: only finite numbers and words"):
        make_substep().add_metric("loss", value)


def test_a_metric_of_another_type_is_refused() -> None:
    with pytest.raises(InterfaceError, match=r"Metric 'loss\.a\.0' is a NoneType: give an int, float or str"):
        make_substep().add_metric("loss", {"a": [None]})


def test_interface_and_metrics_can_be_shown(
    publish: Callable[..., RunAddress], capsys: pytest.CaptureFixture[str]
) -> None:
    publish("images")
    substep = make_substep()
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
