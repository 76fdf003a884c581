"""The steps of a pipeline in their order: where each lives, running them, and what to say at the end."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sinara_lib.errors import ParamsError
from sinara_lib.gate import QUALITY_REPORT
from sinara_lib.layout import step_name
from sinara_lib.params import FULL_JOB
from sinara_lib.pipeline_runs import RunInProgress, started_run
from sinara_lib.pipeline_runs.base import find_base, taken_steps
from sinara_lib.runs.checkout import current_user
from sinara_lib.runs.step_clones import clone_of, is_git_url, repository_name
from sinara_lib.settings import Settings
from sinara_lib.settings_file import SETTINGS_FILE
from sinara_lib.step import StepResult, check_step, run_step
from sinara_lib.store.pipeline_record import StepOfRun, StepState
from sinara_lib.store.pipeline_runs import PipelineRuns

MODE_OF_ENV = {"user": "dev", "prod": "prod"}
SAMPLE = "sample"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PipelineStep:
    """One entry of `pipeline.steps`: a name, the folder or git URL it comes from, and the settings that name it."""

    name: str
    source: str
    settings: Settings

    def folder(self) -> Path:
        """Return the step's folder; a git URL is cloned into the user's cache, or brought up to date there."""
        if is_git_url(self.source):
            return clone_of(self.source)
        return ((self.settings.folder or Path.cwd()) / self.source).resolve()


def pipeline_steps(settings: Settings) -> list[PipelineStep]:
    """Return the pipeline's steps in order. Raises ParamsError when no sinara.toml names any."""
    if settings.folder is None or not settings.steps:
        raise ParamsError(f"No {SETTINGS_FILE} with pipeline.steps here or above: run this inside a pipeline's folder.")
    return [PipelineStep(step_name(repository_name(s)), s, settings) for s in settings.steps]


def choose_steps(steps: Sequence[PipelineStep], names: Sequence[str], start: str | None) -> list[PipelineStep]:
    """Return the steps asked for, in the pipeline's order. Raises ParamsError for a name that is not there."""
    known = [step.name for step in steps]
    unknown = [name for name in (*names, *([start] if start else [])) if name not in known]
    if unknown:
        raise ParamsError(f"No step {', '.join(unknown)} in this pipeline; its steps are {', '.join(known)}.")
    first = known.index(start) if start else 0
    chosen = [step for step in steps[first:] if not names or step.name in names]
    if not chosen:
        raise ParamsError(f"Nothing to run: {', '.join(names)} come before {start}, where the run begins.")
    return chosen


def find_step(settings: Settings, name: str) -> Path:
    """Return the folder of a step: of the pipeline's, by its name, or of one by its path.

    Raises ParamsError when it is neither.
    """
    steps = {step.name: step for step in pipeline_steps(settings)} if settings.steps else {}
    if name in steps:
        return steps[name].folder()
    if not Path(name).is_dir():
        raise ParamsError(
            f"No step {name}: give a step's folder, or one of the pipeline: {', '.join(steps) or 'none'}."
        )
    return Path(name)


def run_pipeline(
    steps: Sequence[PipelineStep],
    *,
    env: str,
    params: str | None,
    done: list[StepResult],
    begun: list[str],
    base: str | None = None,
    on_start: Callable[[str], object] | None = None,
) -> None:
    """Run steps of a pipeline as one run of it, adding each result to `done`: a failure leaves what came before.

    The parameters of all steps are checked before the first one starts. Each step reads what this run made; of steps
    that are not among `steps`, what `base` has, a run of the pipeline by id or URL, or else the newest whole one.
    `begun` gets the URLs of the steps' runs as they begin, so that a failed one is there too; `on_start` is told the
    URL of the pipeline's run. `params` is `sample`, a file below each step's folder, or None for the full job.

    >>> done, begun = [], []
    >>> run_pipeline(pipeline_steps(load_settings()), env="user", params=None, done=done, begun=begun)
    >>> [(result.step, list(result.outputs)) for result in done]
    [('count', ['user.rest.test.count.numbers'])]
    """
    file = FULL_JOB if params is None else Path("params/sample.json") if params == SAMPLE else Path(params)
    mode = MODE_OF_ENV[env]
    folders = {step.name: step.folder() for step in steps}
    checked = {name: check_step(folder, mode=mode, params_file=file) for name, folder in folders.items()}
    place = checked[steps[-1].name].pipeline_params
    runs = PipelineRuns(steps[0].settings.store(env), place.pipeline_name, place.zone_name)
    found, listed = _steps_of_run(runs, steps, base)
    call = {"steps": [step.name for step in steps], "params": params, "env": env, "base": base}
    user = current_user(folders[steps[0].name])
    with started_run(runs, listed, user=user, call=call, base=found, on_start=on_start) as run:
        log.info("pipeline  %s", run.url)

        def work(step: PipelineStep) -> None:
            result = _run_one(run, step, folders[step.name], mode=mode, file=file, begun=begun)
            done.append(result)

        run_in_order(steps, work)


def run_in_order(steps: Sequence[PipelineStep], work: Callable[[PipelineStep], None]) -> None:
    """Do the work of each step, one after the other; the first failure ends it."""
    for number, step in enumerate(steps, 1):
        log.info("[%d/%d] %s", number, len(steps), step.name)
        work(step)


def _run_one(
    run: RunInProgress, step: PipelineStep, folder: Path, *, mode: str, file: Path, begun: list[str]
) -> StepResult:
    """Run a step as a part of a pipeline's run, and record there how it went."""

    def begins(url: str) -> None:
        begun.append(url)
        run.step_runs(step.name, url)

    run.step_starts(step.name)
    try:
        told, settings = run.instructions(), step.settings
        result = run_step(folder, mode=mode, params_file=file, settings=settings, instructions=told, on_start=begins)
    except BaseException as error:
        run.step_failed(step.name, str(error) or type(error).__name__)
        raise
    if result.unchanged_since:
        run.step_kept(step.name, result.unchanged_since, str(result.reason))
    else:
        run.step_done(step.name, result.run_url)
    return result


def _steps_of_run(
    runs: PipelineRuns, chosen: Sequence[PipelineStep], base: str | None
) -> tuple[str | None, list[StepOfRun]]:
    """Return the URL of the base, where one is needed, and all steps of the pipeline as they stand at the start."""
    settings, names = chosen[0].settings, [step.name for step in chosen]
    whole = [step.name for step in pipeline_steps(settings)]
    before = [name for name in whole[: whole.index(names[-1])] if name not in names]
    found = find_base(runs, base, needed=before) if before or base else None
    if before and found is None:
        log.info("the pipeline has no whole run to go on from: of %s the newest good runs are read", ", ".join(before))
    taken = {step.name: step for step in taken_steps(found, before, settings)} if found else {}
    listed = [
        StepOfRun(name=name)
        if name in names
        else taken.get(name) or StepOfRun(name=name, state=StepState.NOT_STARTED, reason="not asked for")
        for name in whole
    ]
    return runs.url_of(found.run_id) if found else None, listed


def published_rows(results: Sequence[StepResult]) -> list[list[str]]:
    """Return rows of step, run, seconds and what it published, an entity a row."""
    rows = []
    for result in results:
        first, *others = list(result.outputs.values()) or [result.reason or result.run_url]
        rows.append([result.step, result.run_id, f"{result.seconds:.0f}", first])
        rows += [["", "", "", url] for url in others]
    return rows


def closing_lines(results: Sequence[StepResult], *, index: str | None = None) -> list[str]:
    """Return what a person wants next after a run: the score, the reports, and how to serve and ask the model.

    `index` is the URL of the page in front of all reports.
    """
    metrics = {name: value for result in results for name, value in result.metrics.items()}
    urls = {url.rsplit("/", 1)[-1]: url for result in results for url in result.outputs.values()}
    lines = []
    if "AP50" in metrics:
        lines.append(f"score    AP50 {metrics['AP50']:.2f}")
    if QUALITY_REPORT in urls:
        lines.append(f"report   {urls[QUALITY_REPORT].removeprefix('file://')}/report.html")
    if index:
        lines.append(f"all      {index.removeprefix('file://')}")
    if "bento_service" in urls:
        lines.append("serve    make serve")
        lines.append(
            "ask      curl -s http://127.0.0.1:3000/test_data | curl -s -F image=@- http://127.0.0.1:3000/predict"
        )
    return lines
