"""Which step reads which is known before anything runs; a circle and a step that nobody makes are refused."""

from collections.abc import Callable
from pathlib import Path

import defusedxml.ElementTree
import pytest

from quick_steps import Pipeline, pipeline  # noqa: F401 - a fixture
from sinara_lib.cli.main import main as sinara
from sinara_lib.errors import ParamsError
from sinara_lib.pipeline_runs.graph import literal_inputs
from sinara_lib.store import ArtifactStore

OUT = 'outputs=[{ENTITY_NAME: "numbers"}], '


def _reads(*steps: str) -> str:
    return "inputs=[" + "".join(f'{{STEP_NAME: "{step}", ENTITY_NAME: "numbers"}}, ' for step in steps) + "], "


@pytest.fixture
def three(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> Pipeline:  # noqa: F811
    """A pipeline whose `last` computes its inputs."""
    pipeline.write_step("first", ['publish("numbers", 1)'], interface=OUT)
    pipeline.write_step("second", ['publish("numbers", 2)'], interface=_reads("first") + OUT)
    computed = 'inputs=[{STEP_NAME: name, ENTITY_NAME: "numbers"} for name in ("first", "second")], '
    pipeline.write_step("last", ['publish("numbers", 3)'], interface=computed + OUT)
    pipeline.write_settings("first", "second", "last")
    monkeypatch.chdir(pipeline.folder)
    return pipeline


@pytest.mark.parametrize(
    ("inputs", "names", "literal"),
    [
        ('[{STEP_NAME: "a", ENTITY_NAME: "x"}, {"step_name": "b", "entity_name": "y"}]', ["a", "b"], True),
        ('[{sinara.STEP_NAME: "a"}, {STEP_NAME: "b", ZONE_NAME: "other"}]', ["a"], True),
        ('[*({STEP_NAME: "a", ENTITY_NAME: n} for n in names), *more]', ["a"], False),
        ("[]", [], True),
        ("made()", [], False),
    ],
)
def test_inputs_are_read_from_the_cell_as_far_as_they_are_literal(inputs: str, names: list[str], literal: bool) -> None:
    assert literal_inputs(f"substep.interface(inputs={inputs})") == (names, literal)
    assert literal_inputs("substep.interface(") == ([], False)


def test_the_graph_is_printed_and_what_a_cell_computes_is_known_from_the_last_run(
    three: Pipeline, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert sinara(["dag"]) == 0
    assert capsys.readouterr().out.splitlines() == ["first", "second  <- first", "last"]
    assert three.run().error is None
    capsys.readouterr()
    assert sinara(["dag"]) == 0
    assert capsys.readouterr().out.splitlines() == ["first", "second  <- first", "last    <- first, second"]
    assert sinara(["dag", "--mermaid"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "flowchart TD"
    assert {line.strip() for line in lines} >= {'s0["first"]', "s0 --> s1", "s0 --> s2", "s1 --> s2"}
    assert sinara(["dag", "--svg", str(tmp_path / "dag.svg")]) == 0
    picture = defusedxml.ElementTree.fromstring((tmp_path / "dag.svg").read_text())
    kinds = [part.tag.rpartition("}")[2] for part in picture]
    assert (kinds.count("rect"), kinds.count("line")) == (3, 3)


def test_a_circle_and_a_step_that_nobody_makes_are_refused_before_anything_starts(
    three: Pipeline, stores: Callable[[str], ArtifactStore]
) -> None:
    three.write_step("first", ['publish("numbers", 1)'], interface=_reads("second") + OUT)
    error = three.run().error
    assert isinstance(error, ParamsError)
    assert "in a circle: first -> second -> first" in str(error)
    three.write_step("first", ['publish("numbers", 1)'], interface=_reads("zeroth") + OUT)
    assert "first reads zeroth, which is no step of this pipeline" in str(three.run().error)
    three.write_step("first", ['publish("numbers", 1)'], interface=OUT)
    assert "second reads first, which has no run yet: run first too" in str(three.run("second").error)
    assert stores("user").steps() == []
