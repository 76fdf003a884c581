"""Runs of the pipeline for people who read: as text for a pull request, beside one another, and in a table."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sinara_lib.catalog.find import Target
from sinara_lib.catalog.pipeline_show import find_pipeline_runs
from sinara_lib.comparison.run_diff_reading import read_diff
from sinara_lib.comparison.run_report import markdown, quiet, read_base, show_place
from sinara_lib.comparison.run_summary import RunSummary, read_summary
from sinara_lib.comparison.run_table import Chain
from sinara_lib.errors import ArtifactError, ArtifactNotFoundError, SinaraError
from sinara_lib.gate import QUALITY_REPORT
from sinara_lib.layout import split_run_url
from sinara_lib.settings import Settings
from sinara_lib.store import ArtifactStore
from sinara_lib.store.pipeline_record import PipelineRunRecord, StepOfRun, StepState
from sinara_lib.store.pipeline_runs import PipelineRuns, pipelines_of, status_of
from sinara_lib.tables import Markup, markdown_table


@dataclass(frozen=True)
class PipelineRun:
    """A run of the pipeline with what is known of its steps' runs; None for a step that has none, or a lost one."""

    runs: PipelineRuns
    record: PipelineRunRecord
    summaries: Mapping[str, RunSummary | None]

    @property
    def url(self) -> str:
        """The run's URL."""
        return self.runs.url_of(self.record.run_id)


def find_pipeline_run(settings: Settings, text: str, *, env: str | None = None) -> PipelineRun:
    """Return the run that `text` names by its id or URL, in `env` or else in any environment.

    Raises ArtifactNotFoundError when there is none.
    """
    for name in [env] if env else list(settings.roots):
        try:
            return _read(*find_pipeline_runs(settings.store(name), text)[0])
        except ArtifactNotFoundError:
            if env:
                raise
        except SinaraError:
            if env or len(settings.roots) == 1:
                raise
    raise ArtifactNotFoundError(f"No {text} in {', '.join(settings.roots)}: see `sinara ls --pipelines --env …`.")


def pipeline_markdown(run: PipelineRun, base: RunSummary | None = None) -> Iterator[str]:
    """Yield lines of markdown: how each step came to its run, then what `markdown` says of the run that was scored."""
    yield f"### pipeline: {status_of(run.record).value} ({run.record.run_id})"
    yield from ("", f"> {quiet(run.record.reason)}") if run.record.reason else ()
    yield ""
    rows = [[quiet(step.name), _linked(step)] for step in run.record.steps]
    yield from markdown_table(["step", "run"], rows).splitlines()
    if scored := _scored(run):
        yield ""
        yield from markdown(scored, base or read_base(scored, None))


def origin_of(step: StepOfRun) -> str:
    """Return the id of a step's run, or what it was kept from, or why there is none."""
    run_id = (step.run or "").rsplit("/", 1)[-1]
    if step.state is StepState.KEPT:
        return f"kept from {run_id}"
    return run_id if step.state is StepState.DONE else f"{step.state.value} {run_id}".strip()


def pipeline_diff_lines(a: PipelineRun, b: PipelineRun, settings: Settings) -> Iterator[str]:
    """Yield what differs between two runs of the pipeline, step by step; a run that both have differs in nothing."""
    yield f"{a.url}\n{b.url}"
    for name in dict.fromkeys([step.name for run in (a, b) for step in run.record.steps]):
        one, other = a.summaries.get(name), b.summaries.get(name)
        if one is None or other is None:
            yield f"{name}: {'neither' if one is other else 'only one'} of them has a run of it that can be read"
        elif one.url == other.url:
            yield f"{name}: both have {one.run_id}"
        else:
            yield f"{name}:"
            found = read_diff(Target(one.store, one.address), Target(other.store, other.address), settings)
            yield from (f"  {line}" for line in found.lines())


def read_pipeline_chains(store: ArtifactStore, *, limit: int) -> list[Chain]:
    """Return the newest runs of the pipelines in a store as rows of a table, newest first.

    Raises ArtifactNotFoundError when there are none; damaged ones and those without any run of a step are left out.
    """
    found = sorted(((run_id, runs) for runs in pipelines_of(store) for run_id in runs.ids()), key=lambda one: one[0])
    if not found:
        raise ArtifactNotFoundError(f"{store.url} has no runs of a pipeline: `sinara run` makes them.")
    chains = []
    for run_id, runs in found[::-1][:limit]:
        try:
            record = runs.record(run_id)
        except ArtifactError:
            continue
        summaries = [one for one in _read(runs, record).summaries.values() if one] if record else []
        if record and summaries:
            chains.append(Chain(tuple(summaries), row=_fixed(record)))
    return chains


def _fixed(record: PipelineRunRecord) -> dict[str, str]:
    kept = sum(step.state is StepState.KEPT for step in record.steps)
    words = f", {kept} of {len(record.steps)} kept" if kept else ""
    status = f"{status_of(record).value}{words}"
    return {"run": record.run_id, "status": status, "started": f"{record.started:%Y-%m-%d %H:%M}"}


def _read(runs: PipelineRuns, record: PipelineRunRecord) -> PipelineRun:
    return PipelineRun(runs, record, {step.name: _summary(runs.store, step) for step in record.steps})


def _summary(store: ArtifactStore, step: StepOfRun) -> RunSummary | None:
    if step.run is None:
        return None
    try:
        return read_summary(Target(store, split_run_url(step.run)[1]))
    except ArtifactError:
        return None


def _linked(step: StepOfRun) -> Markup:
    """Return where a step's run comes from as a link to it."""
    words = quiet(origin_of(step))
    return Markup(f"[{words}]({show_place(step.run)})") if step.run else Markup(f"{words} {quiet(step.reason or '')}")


def _scored(run: PipelineRun) -> RunSummary | None:
    """Return the run with the quality report, or else the last one that has measured something."""
    there = [one for one in run.summaries.values() if one and one.reports]
    scored = [one for one in there if QUALITY_REPORT in one.outputs] or [one for one in there if one.metrics]
    return scored[-1] if scored else None
