"""The steps of a pipeline in their order: where each lives, running them, and what to say at the end."""

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sinara_lib.errors import ParamsError
from sinara_lib.gate import QUALITY_REPORT
from sinara_lib.layout import split_run_url
from sinara_lib.params import FULL_JOB, SAMPLE_FILE
from sinara_lib.pipeline_runs import ReadyStep, StepWork, explain, ready_steps, resumed_run, started_run
from sinara_lib.pipeline_runs.base import find_base, taken_steps
from sinara_lib.pipeline_runs.graph import Graph, graph_of
from sinara_lib.pipeline_runs.resume import find_unfinished
from sinara_lib.repositories import step_folder
from sinara_lib.repositories.lock import locked_commits
from sinara_lib.runs.checkout import current_user
from sinara_lib.settings import Settings
from sinara_lib.settings_file import SETTINGS_FILE
from sinara_lib.step import StepResult
from sinara_lib.step_sources import StepSource
from sinara_lib.store.pipeline_record import StepOfRun, StepState
from sinara_lib.store.pipeline_runs import PipelineRuns
from sinara_lib.urls import params_without_credentials, without_credentials

MODE_OF_ENV = {"user": "dev", "test": "test", "prod": "prod"}
SAMPLE = "sample"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PipelineStep:
    """One entry of `pipeline.steps`: a name, where it comes from, and the settings that name it."""

    name: str
    source: StepSource
    settings: Settings

    def folder(self, *, commit: str | None = None) -> Path:
        """Return the step's folder, of a repository as its origin stands now or at the locked `commit`."""
        return step_folder(self.source, self.settings.folder or Path.cwd(), commit=commit)


def pipeline_steps(settings: Settings) -> list[PipelineStep]:
    """Return the pipeline's steps in order. Raises ParamsError when no sinara.toml names any."""
    if settings.folder is None or not settings.steps:
        raise ParamsError(f"No {SETTINGS_FILE} with pipeline.steps here or above: run this inside a pipeline's folder.")
    return [PipelineStep(source.name, source, settings) for source in settings.steps]


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


def forced_steps(steps: Sequence[PipelineStep], names: Sequence[str]) -> list[str]:
    """Return the names of the steps to run whatever has changed; `*` stands for all. Raises ParamsError."""
    return [step.name for step in (steps if "*" in names else choose_steps(steps, names, None) if names else ())]


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
    force: Collection[str] = (),
    assignments: Sequence[str] = (),
    push: bool = False,
    unlocked: bool = False,
    on_start: Callable[[str], object] | None = None,
) -> None:
    """Run steps of a pipeline as one run of it, adding each result to `done`: a failure leaves what came before.

    The parameters of all steps are checked before the first one starts. A step whose parameters, code, library,
    packages and inputs are those of an earlier good run is kept, not run, unless `force` names it. Each step reads what
    this run made or kept; of steps that are not among `steps`, what `base` has, a run of the pipeline by id or URL, or
    else the newest whole one. `begun` gets the URLs of the steps' runs as they begin, so that a failed one is there
    too; `on_start` is told the URL of the pipeline's run. `params` is `sample`, a file below the pipeline's folder with
    `{step}` for the step's name, a file below each step's folder, or None for the full job; `assignments` override it,
    `STEP.key=value` each. In prod steps of other repositories are at their locked commits, unless `unlocked`; `push`
    sends the tags of the runs to each step's origin.

    >>> done, begun = [], []
    >>> run_pipeline(pipeline_steps(load_settings()), env="user", params=None, done=done, begun=begun)
    >>> [(result.step, list(result.outputs)) for result in done]
    [('count', ['user.rest.test.count.numbers'])]
    """
    told = {"params": params, "set": list(assignments), "unlocked": unlocked, "push": push}
    with _ready(steps, env, told) as ready:
        graph_of(ready, known=[step.name for step in pipeline_steps(steps[0].settings)], records=False).check()
        runs = _runs_of(ready)
        found, listed = _steps_of_run(runs, steps, base)
        told |= {"set": params_without_credentials(told["set"])}
        call = {"steps": list(ready), **told, "env": env, "base": base, "force": sorted(force)}
        user = current_user(next(iter(ready.values())).folder)
        with started_run(runs, listed, user=user, call=call, base=found, on_start=on_start) as run:
            log.info("pipeline  %s", run.url)
            run_in_order(list(ready.values()), StepWork(run, done=done, begun=begun, force=force))


def resume_pipeline(
    steps: Sequence[PipelineStep],
    *,
    env: str,
    run: str | None = None,
    done: list[StepResult],
    begun: list[str],
    on_start: Callable[[str], object] | None = None,
) -> None:
    """Go on with a run of the pipeline that failed or was killed: the one named by id or URL, or else the newest.

    `steps` are all of the pipeline. What is done stays; a step that left a checkpoint goes on from there. The rest is
    as in `run_pipeline`, with the parameters that the run was started with.
    """
    names = [step.name for step in steps]
    found = find_unfinished(steps[0].settings.store(env), run, steps=names)
    call = found.record.call
    asked = choose_steps(steps, [str(name) for name in call.get("steps", names)], None)
    with _ready(asked, env, call) as ready:
        with resumed_run(found.runs, found.record, on_start=on_start) as run_again:
            log.info("pipeline  %s goes on", run_again.url)
            work = StepWork(run_again, done=done, begun=begun, force=call.get("force", []), unfinished=found.unfinished)
            run_in_order(list(ready.values()), work)


def explain_pipeline(
    steps: Sequence[PipelineStep],
    *,
    env: str,
    params: str | None,
    base: str | None = None,
    force: Collection[str] = (),
    assignments: Sequence[str] = (),
    unlocked: bool = False,
) -> list[str]:
    """Return a line for each step: whether `run_pipeline` would run it or keep an earlier run, and why."""
    with _ready(steps, env, {"params": params, "set": list(assignments), "unlocked": unlocked}) as ready:
        _, listed = _steps_of_run(_runs_of(ready), steps, base)
        chosen = {split_run_url(step.run)[1].step.step: step.run for step in listed if step.run}
        verdicts = explain(ready, chosen=chosen, force=force)
    return [verdict.line(name) for name, verdict in verdicts.items()]


def pipeline_graph(steps: Sequence[PipelineStep], *, env: str, params: str | None) -> Graph:
    """Return which step reads which, before anything runs. Raises ParamsError for a circle or a step nobody makes."""
    with _ready(steps, env, {"params": params}) as ready:
        graph = graph_of(ready, known=[step.name for step in steps])
    graph.check()
    return graph


def run_in_order(steps: Sequence[ReadyStep], work: Callable[[ReadyStep], None]) -> None:
    """Do the work of each step, one after the other; the first failure ends it."""
    for number, step in enumerate(steps, 1):
        log.info("[%d/%d] %s", number, len(steps), step.name)
        work(step)


def _ready(
    steps: Sequence[PipelineStep], env: str, told: Mapping[str, Any]
) -> AbstractContextManager[dict[str, ReadyStep]]:
    """Give the steps as a call of a run tells: `params`, `set`, `unlocked` and `push`."""
    settings, names = steps[0].settings, [step.name for step in steps]
    base = settings.folder or Path.cwd()
    assignments = assignments_of(told.get("set", ()), names, [step.name for step in settings.steps])
    locked = locked_commits([s.source for s in steps], base) if env == "prod" and not told.get("unlocked") else {}
    return ready_steps(
        {step.name: step.folder(commit=locked.get(step.name)) for step in steps},
        mode=MODE_OF_ENV[env],
        params_files={name: _params_file(told.get("params"), base, name) for name in names},
        settings=settings,
        assignments=assignments,
        push=bool(told.get("push")),
    )


def assignments_of(told: Sequence[str], names: Sequence[str], known: Sequence[str]) -> dict[str, list[str]]:
    """Return what is to be set of each step, from `STEP.key=value`; of the only step there is, `key=value` does.

    Raises ParamsError for a step that the pipeline lacks, or that is not among those that run.
    """
    found: dict[str, list[str]] = {}
    for assignment in told:
        step, dot, rest = assignment.partition(".")
        if not dot or "=" in step or step not in known:
            if len(known) > 1 or step in known:
                raise ParamsError(
                    f"--set {without_credentials(assignment)}: expected STEP.key=value; steps are {', '.join(known)}."
                )
            step, rest = known[0], assignment
        if step not in names:
            raise ParamsError(f"--set {step}.…: {step} is not among the steps to run, which are {', '.join(names)}.")
        found.setdefault(step, []).append(rest)
    return found


def _params_file(told: str | None, base: Path, step: str) -> Path:
    """Return the params file of a step: one below the pipeline's folder, or else one from the step's own folder."""
    if told is None:
        return FULL_JOB
    if told == SAMPLE:
        return SAMPLE_FILE
    file = Path(told.replace("{step}", step))
    return (base / file).resolve() if (base / file).is_file() else file


def _runs_of(ready: Mapping[str, ReadyStep]) -> PipelineRuns:
    """Return the runs of the pipeline in the place of its last step."""
    last = list(ready.values())[-1].step
    return PipelineRuns(last.store, last.address.pipeline, last.address.zone)


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
        run = f"kept from {result.run_id}" if result.kept else result.run_id
        rows.append([result.step, run, "-" if result.kept else f"{result.seconds:.0f}", first])
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
