"""The pipeline: which steps it has, where they come from, and what is said at its end."""

from collections.abc import Callable
from pathlib import Path

import pytest

from docstring_examples import run_examples
from pipeline_cases import PUBLISH, make_pipeline
from sinara_lib.errors import ParamsError, StepFailedError
from sinara_lib.pipeline import PipelineStep, assignments_of, choose_steps, closing_lines, pipeline_steps, run_pipeline
from sinara_lib.repositories.lock import write_lock
from sinara_lib.settings import Settings, load_settings
from sinara_lib.step import StepResult
from sinara_lib.store import ArtifactStore
from step_cases import git

NOWHERE = Settings(folder=None, steps=(), roots={})
STEPS = [PipelineStep(name, name, NOWHERE) for name in ("data_load", "data_prep", "model_train")]


def _names(steps: list[PipelineStep]) -> list[str]:
    return [step.name for step in steps]


def test_without_names_all_steps_are_chosen_in_order() -> None:
    assert _names(choose_steps(STEPS, [], None)) == ["data_load", "data_prep", "model_train"]


def test_named_steps_are_chosen_in_the_pipelines_order() -> None:
    assert _names(choose_steps(STEPS, ["model_train", "data_load"], None)) == ["data_load", "model_train"]


def test_a_run_can_begin_at_a_step() -> None:
    assert _names(choose_steps(STEPS, [], "data_prep")) == ["data_prep", "model_train"]
    assert _names(choose_steps(STEPS, ["model_train"], "data_prep")) == ["model_train"]


@pytest.mark.parametrize(
    ("names", "start"), [(["data_lod"], None), ([], "data_lod"), (["data_load", "data_lod"], None)]
)
def test_an_unknown_step_is_named_with_those_there_are(names: list[str], start: str | None) -> None:
    with pytest.raises(
        ParamsError, match=r"No step data_lod in this pipeline; its steps are data_load, data_prep, mod"
    ):
        choose_steps(STEPS, names, start)


def test_a_choice_of_nothing_is_an_error() -> None:
    with pytest.raises(ParamsError, match=r"Nothing to run: data_load come before model_train"):
        choose_steps(STEPS, ["data_load"], "model_train")


def test_steps_are_named_after_folder_or_repository(tmp_path: Path) -> None:
    sources = ["data_load", "steps/demo-data_prep/", "git@host:org/demo-model_train.git", "https://host/org/model_pack"]
    assert _names(make_pipeline(tmp_path, *sources)) == ["data_load", "data_prep", "model_train", "model_pack"]


def test_a_folder_starts_at_the_pipelines_file(tmp_path: Path) -> None:
    assert (
        make_pipeline(tmp_path / "project", "steps/data_load")[0].folder()
        == tmp_path / "project" / "steps" / "data_load"
    )


def test_without_a_pipeline_the_person_is_told_where_to_stand(tmp_path: Path) -> None:
    with pytest.raises(ParamsError, match=r"No sinara\.toml with pipeline\.steps here or above"):
        pipeline_steps(load_settings(tmp_path))
    with pytest.raises(ParamsError, match=r"run this inside a pipeline's folder"):
        make_pipeline(tmp_path / "empty")


def test_a_step_by_git_url_publishes_to_the_roots_of_the_pipeline_that_names_it(
    tmp_path: Path, cache: Path, far_step: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SINARA_USER_ROOT")
    steps = make_pipeline(tmp_path / "project", f"file://{far_step}", more='[env.user]\nroot = "artifacts"\n')
    done: list[StepResult] = []
    run_pipeline(steps, env="user", params=None, done=done, begun=[])
    assert cache.is_dir()
    assert done[0].run_url.startswith(f"file://{tmp_path}/project/artifacts/rest/test/count/run-")
    assert list(done[0].outputs) == ["user.rest.test.count.numbers"]
    assert (tmp_path / "project" / "artifacts" / "rest" / "test" / "count" / done[0].run_id / "numbers").is_dir()


def test_the_example_of_running_a_pipeline(
    tmp_path: Path, make_step: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    make_step({"count.ipynb": [PUBLISH]}, name="project/count")
    (tmp_path / "project" / "sinara.toml").write_text('[pipeline]\nsteps = ["count"]\n')
    monkeypatch.chdir(tmp_path / "project")
    run_examples(run_pipeline, load_settings=load_settings)


def test_a_failure_leaves_the_results_of_the_steps_before_it(tmp_path: Path, make_step: Callable[..., Path]) -> None:
    make_step({"a.ipynb": []}, name="project/one")
    make_step({"a.ipynb": ["1 / 0"]}, name="project/two")
    done: list[StepResult] = []
    begun: list[str] = []
    with pytest.raises(StepFailedError, match=r"division by zero"):
        run_pipeline(make_pipeline(tmp_path / "project", "one", "two"), env="user", params=None, done=done, begun=begun)
    assert [result.step for result in done] == ["one"]
    assert [url.split("/")[-2] for url in begun] == ["one", "two"]
    assert begun[0] == done[0].run_url


@pytest.mark.parametrize(("params", "file"), [("sample", "sample.json"), ("params/job.json", "job.json")])
def test_sample_and_a_file_choose_the_params_in_each_steps_folder(
    tmp_path: Path, make_step: Callable[..., Path], params: str, file: str
) -> None:
    make_step({"a.ipynb": []}, name="project/one")
    with pytest.raises(ParamsError, match=rf"Cannot read params file .*one/params/{file}"):
        run_pipeline(make_pipeline(tmp_path / "project", "one"), env="user", params=params, done=[], begun=[])


def test_a_wrong_parameter_of_a_later_step_ends_the_run_before_the_first_one_starts(
    tmp_path: Path, make_step: Callable[..., Path], stores: Callable[[str], ArtifactStore]
) -> None:
    make_step({"a.ipynb": []}, name="project/one")
    two = make_step({"a.ipynb": []}, name="project/two", params={"a.ipynb": {"sise": 1}})
    (two / "two_params.py").write_text(
        "from sinara_lib.params import ParamsModel\n\n\nclass Two(ParamsModel):\n    size: int = 1\n\n\n"
        'NOTEBOOKS = {"a.ipynb": Two}\n'
    )
    done: list[StepResult] = []
    with pytest.raises(ParamsError, match=r"a\.ipynb: unknown key 'sise' \(did you mean size\?\)"):
        run_pipeline(make_pipeline(tmp_path / "project", "one", "two"), env="user", params=None, done=done, begun=[])
    assert done == []
    assert stores("user").steps() == []


def _result(outputs: dict[str, str], metrics: dict[str, float | int | str]) -> StepResult:
    return StepResult(step="s", run_id="r", run_url="u", seconds=1.0, outputs=outputs, metrics=metrics)


def test_at_the_end_stand_score_report_and_how_to_serve_and_ask() -> None:
    results = [
        _result({"p.bento_service": "file:///s/bento_service"}, {}),
        _result({"e.model_quality_report": "file:///s/model_quality_report"}, {"AP50": 0.6149, "AP": 0.3}),
    ]
    lines = closing_lines(results)
    assert lines[:3] == ["score    AP50 0.61", "report   /s/model_quality_report/report.html", "serve    make serve"]
    assert lines[3].startswith("ask      curl -s http://127.0.0.1:3000/test_data | curl -s -F image=@- ")


def test_what_was_not_made_is_not_offered() -> None:
    assert closing_lines([_result({"l.images": "file:///s/images"}, {"images": 3})]) == []


def test_what_is_set_goes_to_the_step_that_is_named() -> None:
    told = assignments_of(["prep.size=3", "load.a.ipynb.x=1", "prep.z=w.v"], ["load", "prep"], ["load", "prep", "eval"])
    assert told == {"prep": ["size=3", "z=w.v"], "load": ["a.ipynb.x=1"]}
    assert assignments_of(["size=3"], ["load"], ["load"]) == {"load": ["size=3"]}


@pytest.mark.parametrize(
    ("assignment", "words"),
    [
        ("size=3", r"--set size=3: expected STEP\.key=value; steps are load, eval"),
        ("lod.size=3", r"--set lod\.size=3: expected STEP\.key=value"),
        ("url=http://me:pl4nted@a.b/c", r"--set url=http://a\.b/c: expected STEP"),
        ("eval.x=3", r"eval is not among the steps to run, which are load"),
    ],
)
def test_what_is_set_of_no_step_that_runs_is_told(assignment: str, words: str) -> None:
    with pytest.raises(ParamsError, match=words):
        assignments_of([assignment], ["load"], ["load", "eval"])


def test_name_and_zone_stand_once_and_a_params_file_of_the_pipeline_holds_for_a_step(
    tmp_path: Path, make_step: Callable[..., Path], stores: Callable[[str], ArtifactStore]
) -> None:
    folder = make_step({"a.ipynb": []}, name="project/one")
    (folder / "params" / "step_params.json").write_text('{"substeps_params": [{"substep_name": "a.ipynb"}]}')
    (tmp_path / "project" / "job-one.json").write_text(
        '{"pipeline_params": {"ZONE_NAME": "own"}, "substeps_params": [{"substep_name": "a.ipynb"}]}'
    )
    steps = make_pipeline(tmp_path / "project", "one", more='name = "rest"\nzone = "far"\n')
    for params in (None, "job-{step}.json"):
        run_pipeline(steps, env="user", params=params, done=[], begun=[])
    assert sorted(step.path for step in stores("user").steps()) == ["rest/far/one", "rest/own/one"]


def test_in_prod_a_step_of_another_repository_runs_at_its_locked_commit_and_pushes_its_tag(
    tmp_path: Path, cache: Path, far_step: Path, caplog: pytest.LogCaptureFixture
) -> None:
    steps = make_pipeline(tmp_path / "project", f"file://{far_step}")
    with pytest.raises(ParamsError, match=r"has no sinara\.lock"):
        run_pipeline(steps, env="prod", params=None, done=[], begun=[])
    commit = write_lock([step.source for step in steps], tmp_path / "project")[0].commit
    (far_step / "new.py").write_text("")
    git(far_step, "add", "-A")
    git(far_step, "commit", "-q", "-m", "more")
    done: list[StepResult] = []
    run_pipeline(steps, env="prod", params=None, done=done, begun=[], push=True)
    assert git(far_step, "rev-parse", f"{done[0].run_id}^{{commit}}") == commit
    assert commit != git(far_step, "rev-parse", "HEAD")
