"""The gate of a quality report is written and read by one module, the same bytes as ever."""

import json

import pytest

from sinara_lib.gate import Gate, JudgedThreshold, ScoredModel, read_page

AS_WRITTEN = {
    "name": "soundness of the input",
    "required": 1,
    "found": None,
    "rule": "at least",
    "trouble": "no image",
    "waived": None,
    "passed": False,
    "verdict": "soundness of the input could not be measured: no image",
}


def test_a_threshold_is_written_as_it_always_was_whole_numbers_included() -> None:
    assert json.dumps(JudgedThreshold(**AS_WRITTEN).model_dump()) == json.dumps(AS_WRITTEN)


def test_a_gate_is_passed_when_every_threshold_is() -> None:
    passed, failed = {"name": "a", "passed": True}, {"name": "b", "passed": False}
    gates = [read_page(json.dumps({"gate": gate}).encode(), Gate) for gate in ([], [passed], [passed, failed])]
    assert [gate.passed for gate in gates] == [True, True, False]


@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        ({"required": 0.5, "found": 0.625}, "AP 0.625, threshold 0.500"),
        ({"found": 0.25}, "AP 0.250"),
        ({"required": 0.5}, "AP not measured, threshold 0.500"),
        ({"found": 1, "verdict": "in words"}, "in words"),
    ],
)
def test_a_threshold_without_a_verdict_is_told_from_its_numbers(numbers: dict[str, object], words: str) -> None:
    assert JudgedThreshold.model_validate({"name": "AP", "passed": True, **numbers}).words == words


@pytest.mark.parametrize(
    ("page", "message"),
    [
        ({"gate": []}, "lacks run_id, ground_truth, metrics; an older version wrote it"),
        ({"gate": 3, "run_id": "r", "ground_truth": "g", "metrics": {}}, "has another form: gate"),
        ([], "has another form: the whole"),
    ],
)
def test_a_page_of_another_form_is_refused_by_its_fields(page: object, message: str) -> None:
    with pytest.raises(ValueError, match=f"^its metrics.json {message}"):
        read_page(json.dumps(page).encode(), ScoredModel)
