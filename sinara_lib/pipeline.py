"""The steps of a pipeline in their order: where each lives, running them, and what to say at the end."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sinara_lib.errors import ParamsError
from sinara_lib.gate import QUALITY_REPORT
from sinara_lib.layout import step_name
from sinara_lib.params import FULL_JOB
from sinara_lib.runs.step_clones import clone_of, is_git_url, repository_name
from sinara_lib.settings import Settings
from sinara_lib.settings_file import SETTINGS_FILE
from sinara_lib.step import StepResult, check_step, run_step

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
    steps: Sequence[PipelineStep], *, env: str, params: str | None, done: list[StepResult], begun: list[str]
) -> None:
    """Run steps one after the other, adding each result to `done`, so that a failure leaves what came before.

    The parameters of all steps are checked before the first one starts. `begun` gets the URLs of the runs as they
    begin, so that a failed one is there too. `params` is `sample`, a file below each step's folder, or None for the
    full job.

    >>> done, begun = [], []
    >>> run_pipeline(pipeline_steps(load_settings()), env="user", params=None, done=done, begun=begun)
    >>> [(result.step, list(result.outputs)) for result in done]
    [('count', ['user.rest.test.count.numbers'])]
    """
    file = FULL_JOB if params is None else Path("params/sample.json") if params == SAMPLE else Path(params)
    mode = MODE_OF_ENV[env]
    folders = [step.folder() for step in steps]
    for folder in folders:
        check_step(folder, mode=mode, params_file=file)
    for number, (step, folder) in enumerate(zip(steps, folders, strict=True), 1):
        log.info("[%d/%d] %s", number, len(steps), step.name)
        done.append(run_step(folder, mode=mode, params_file=file, settings=step.settings, on_start=begun.append))


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
