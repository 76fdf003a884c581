"""Parameters set by hand, `key=value`, over those of a file."""

import pytest

from params_cases import ONE, TWO, file_of, values_of
from sinara_lib.errors import ParamsError
from sinara_lib.params import override


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5", 5),
        ("0.5", 0.5),
        ("true", True),
        ("null", None),
        ("[1, 2]", [1, 2]),
        ("yolox_m", "yolox_m"),
        ('"5"', "5"),
        ("a=b", "a=b"),
        ("", ""),
        ("file:///x?a=b", "file:///x?a=b"),
    ],
)
def test_a_value_set_by_hand_is_read_as_json_else_as_text(text: str, value: object) -> None:
    assert values_of(override(file_of(ONE), [f"epochs={text}"]))["train.ipynb"]["epochs"] == value


def test_set_reaches_pipeline_step_and_notebook_by_their_full_keys() -> None:
    params = override(file_of(TWO), ["pipeline_params.zone_name=night", "step_params.step_name=s", "b.ipynb.size=1"])
    assert (params.pipeline_params.zone_name, params.step_params.step_name) == ("night", "s")
    assert values_of(params) == {"a.ipynb": {"epochs": 1, "size": 256}, "b.ipynb": {"size": 1, "gate": 0.5}}


def test_set_finds_a_bare_key_in_the_one_notebook_that_has_it() -> None:
    assert values_of(override(file_of(TWO), ["gate=0.9"]))["b.ipynb"]["gate"] == 0.9


def test_set_finds_a_key_in_upper_case_as_sinaraml_wrote_it() -> None:
    assert values_of(override(file_of(TWO), ["GATE=0.9"]))["b.ipynb"] == {
        **values_of(file_of(TWO))["b.ipynb"],
        "gate": 0.9,
    }


def test_set_may_name_a_default_of_the_only_notebook() -> None:
    assert values_of(override(file_of(ONE), ["lr=0.1"]))["train.ipynb"]["lr"] == 0.1


def test_set_may_name_what_the_notebook_takes_besides_what_the_file_gives_it() -> None:
    known = {"a.ipynb": ["epochs", "size", "seed"], "b.ipynb": ["size", "gate"]}
    assert values_of(override(file_of(TWO), ["SEED=3"], known))["a.ipynb"] == {"epochs": 1, "size": 256, "SEED": 3}
    with pytest.raises(ParamsError, match=r"sead: no such parameter \(did you mean seed\?\).*a\.ipynb\.seed"):
        override(file_of(TWO), ["sead=3"], known)


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("epochs=NaN", "--set epochs: the value is NaN"),
        ("epochs=1e400", "--set epochs: the value is infinite"),
        (f"epochs={'9' * 5000}", "--set epochs: the value is infinite, or larger"),
        ('epochs={"a": 1, "a": 2}', "--set epochs: 'a' is given twice"),
        (f"epochs={'[' * 5000}", r"--set epochs: '0\.0\..*' nests deeper than 50 levels"),
        ('epochs="\\ud800"', "--set epochs: the value is no Unicode text"),
        ("epochs=\udcff", "--set: the value is no Unicode text"),
    ],
)
def test_set_refuses_what_cannot_have_been_meant(assignment: str, message: str) -> None:
    with pytest.raises(ParamsError, match=message):
        override(file_of(ONE), [assignment])


def test_set_leaves_the_given_parameters_as_they_were() -> None:
    params = file_of(ONE)
    override(params, ["epochs=9"])
    assert values_of(params) == {"train.ipynb": {"epochs": 3, "url": None}}


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("size=1", "size: fits several notebooks. There are: .*a.ipynb.size, .*b.ipynb.size"),
        ("sise=1", r"sise: no such parameter \(did you mean size\?\)\. There are: pipeline_params\.env_name"),
        ("quality=1", r"quality: no such parameter\. There are"),
        ("gate", "expected key=value"),
        ("=1", "expected key=value"),
        ("pipeline_params.zone=x", "unknown key 'pipeline_params.zone'"),
        ("pipeline_params.zone_name=5", "'pipeline_params.zone_name' is 5"),
    ],
)
def test_set_refuses_what_fits_nowhere_or_twice(assignment: str, message: str) -> None:
    with pytest.raises(ParamsError, match=message):
        override(file_of(TWO), [assignment])
