"""Everything that reads runs knows the pipeline's run and a kept step."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from quick_steps import Outcome, Pipeline, pipeline  # noqa: F401 - a fixture
from sinara_lib.cli.main import main as sinara
from sinara_lib.layout import StepAddress
from sinara_lib.store import ArtifactStore

OUT = 'outputs=[{ENTITY_NAME: "numbers"}], '
READS = 'inputs=[{STEP_NAME: "make", ENTITY_NAME: "numbers"}], '


@dataclass
class Told:
    """Two runs of a pipeline, the second with `make` kept; `tell` runs a command and returns what it prints."""

    first: Outcome
    second: Outcome
    tell: Callable[..., str]


@pytest.fixture
def told(
    pipeline: Pipeline,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Told:
    """A pipeline that was run twice."""
    pipeline.write_step("make", ['publish("numbers", 1)'], interface=OUT)
    use = ['publish("numbers", read("make", "numbers"))', 'substep.add_metric("AP50", substep_params["value"])']
    pipeline.write_step("use", use, interface=READS + OUT, params={"value": 0.25})
    pipeline.write_settings("make", "use")
    monkeypatch.chdir(pipeline.folder)
    first = pipeline.run()
    pipeline.write_params("use", {"value": 0.5})
    second = pipeline.run()

    def tell(*argv: str, code: int = 0) -> str:
        capsys.readouterr()
        assert sinara(list(argv)) == code
        return capsys.readouterr().out

    return Told(first, second, tell)


def _id(outcome: Outcome) -> str:
    return outcome.url.rsplit("/", 1)[1]


def test_show_of_a_step_names_the_pipelines_run_and_show_of_that_what_was_kept(told: Told) -> None:
    assert f"  pipeline  {told.first.url}\n" in told.tell("show", told.first.done[0].run_id)
    shown = told.tell("show", _id(told.second))
    assert f"make  kept   {told.first.done[0].run_url}  make is kept from {told.first.done[0].run_id}" in shown


def test_markdown_of_a_pipelines_run_says_what_was_kept_and_where_it_is(told: Told) -> None:
    text = told.tell("report", _id(told.second), "--format", "md")
    made, used = told.first.done[0], told.second.done[1]
    assert text.startswith(f"### pipeline: SUCCESS ({_id(told.second)})\n")
    assert f"| make | [kept from {made.run_id}]({made.run_url.removeprefix('file://')}) |" in text
    assert f"| use | [{used.run_id}](" in text


def test_a_diff_of_two_runs_of_the_pipeline_goes_step_by_step(told: Told) -> None:
    text = told.tell("diff", told.first.url, told.second.url)
    assert f"make: both have {told.first.done[0].run_id}" in text
    assert "0.25" in text.partition("use:")[2]
    wrong = told.tell("diff", told.first.url, told.second.done[1].run_url, code=1)
    assert "A run of the pipeline is compared with another one of it" in wrong


def test_compare_has_rows_of_runs_of_the_pipeline_and_tells_how_much_was_kept(told: Told) -> None:
    lines = told.tell("compare", "--pipelines").splitlines()
    newest, oldest = (next(line for line in lines if _id(one) in line) for one in (told.second, told.first))
    assert "SUCCESS, 1 of 2 kept" in newest
    assert "0.5" in newest
    assert "SUCCESS  " in oldest
    assert "0.25" in oldest


def test_lineage_and_verify_take_a_pipelines_run_for_the_runs_of_its_steps(told: Told) -> None:
    text = told.tell("lineage", _id(told.second), "--back")
    assert f"{told.first.done[0].run_url}/numbers" in text
    assert f"{told.second.done[1].run_url}/numbers" in text
    assert told.tell("verify", _id(told.second)).startswith("2 entities, 2 files,")


def test_gc_can_be_told_to_keep_the_runs_of_a_pipelines_run(told: Told, stores: Callable[[str], ArtifactStore]) -> None:
    told.tell("gc", "--keep-last", "1", "--keep", _id(told.first))
    kept = [run.run_id for run in stores("user").runs(StepAddress("rest", "test", "use"))]
    assert kept == [told.second.done[1].run_id, told.first.done[1].run_id]
    told.tell("gc", "--keep-last", "1")
    assert len(stores("user").runs(StepAddress("rest", "test", "use"))) == 1


def test_reproduce_wants_one_run_and_names_those_there_are(told: Told) -> None:
    text = told.tell("reproduce", _id(told.second), code=1)
    assert told.first.done[0].run_url in text
    assert told.second.done[1].run_url in text


def test_compare_shows_what_runs_took_where_it_is_asked(told: Told) -> None:
    head = next(line for line in told.tell("compare", "--step", "use", "--costs").splitlines() if "status" in line)
    for name in ("seconds", "cpu_seconds", "peak_memory_mb", "read_mb", "written_mb"):
        assert name in head
    assert "peak_memory_mb" not in told.tell("compare", "--step", "use")
