"""The work on each step of a pipeline's run: keep it, go on with it, or run it, and record which."""

import logging
from collections.abc import Collection, Mapping

from sinara_lib.errors import ArtifactNotFoundError
from sinara_lib.keeping import CurrentContents, Verdict, decide
from sinara_lib.layout import split_run_url
from sinara_lib.pipeline_runs.ready_steps import ReadyStep
from sinara_lib.pipeline_runs.run_in_progress import RunInProgress
from sinara_lib.runs.checkpoints import newest_checkpoint
from sinara_lib.step import StepResult
from sinara_lib.store.manifest import RunRecord, RunStatus

FORCED = "it is forced"

log = logging.getLogger(__name__)


class StepWork:
    """Does the work of one step after the other; results go to `done`, URLs of runs to `begun`.

    `force` names the steps that run whatever has changed, `unfinished` are URLs of runs of steps to go on from.
    """

    def __init__(
        self,
        run: RunInProgress,
        *,
        done: list[StepResult],
        begun: list[str],
        force: Collection[str] = (),
        unfinished: Mapping[str, str] | None = None,
    ) -> None:
        self._run = run
        self._done = done
        self._begun = begun
        self._force = force
        self._unfinished = unfinished or {}
        self._records: dict[str, RunRecord | None] = {}

    def __call__(self, ready: ReadyStep) -> None:
        """Bring one step to its end. Raises what its run raises; the record says so by then."""
        before = self._run.record.step(ready.name)
        try:
            if before.state.is_good and before.run:
                result = kept_result(ready, before.run, f"done before in this run: {before.run.rsplit('/', 1)[-1]}")
            else:
                result = self._kept(ready) or self._made(ready)
        except BaseException as error:
            self._run.step_failed(ready.name, str(error) or type(error).__name__)
            raise
        self._done.append(result)

    def _kept(self, ready: ReadyStep) -> StepResult | None:
        """Return the result of the earlier run that does; None when the step has to run."""
        if ready.name in self._force or ready.name in self._unfinished:
            return None
        chosen = self._run.instructions().chosen
        verdict = decide(ready.asked(), CurrentContents(ready.step.store, chosen, records=self._records))
        log.info("%s", verdict.line(ready.name))
        if verdict.kept is None:
            return None
        url = ready.step.store.url_of(verdict.kept)
        self._run.step_kept(ready.name, url, verdict.line(ready.name))
        # Recorded first, looked at afterwards: of this and a collection of garbage, one sees the other.
        again = ready.step.store.run_record(verdict.kept)
        if again is None or again.status is not RunStatus.SUCCESS:
            log.info("%s has gone meanwhile", url)
            return None
        self._records[url] = again
        return _result(ready, url, again, verdict.line(ready.name))

    def _made(self, ready: ReadyStep) -> StepResult:
        """Run the step and return its result."""

        def begins(url: str) -> None:
            self._begun.append(url)
            self._run.step_runs(ready.name, url)

        self._run.step_starts(ready.name)
        resume = self._with_checkpoint(ready)
        result = ready.run(self._run.instructions(), resume=resume, on_start=begins)
        if result.unchanged_since:
            self._run.step_kept(ready.name, result.unchanged_since, str(result.reason))
        else:
            self._run.step_done(ready.name, result.run_url)
        return result

    def _with_checkpoint(self, ready: ReadyStep) -> str | None:
        """Return the URL of the run that the step goes on from, where that has left a checkpoint."""
        url = self._unfinished.get(ready.name)
        if url is None or newest_checkpoint(ready.step.store, split_run_url(url)[1]) is None:
            return None
        log.info("%s goes on from the checkpoint of %s", ready.name, url)
        return url


def kept_result(ready: ReadyStep, url: str, reason: str) -> StepResult:
    """Return the result of a step that was not run now: that of its earlier run at `url`."""
    record = ready.step.store.run_record(split_run_url(url)[1])
    if record is None or record.status is not RunStatus.SUCCESS:
        raise ArtifactNotFoundError(f"{url} cannot be read any more; run the pipeline without --resume.")
    return _result(ready, url, record, reason)


def _result(ready: ReadyStep, url: str, record: RunRecord, reason: str) -> StepResult:
    env, address = ready.step.params.pipeline_params.env_name, ready.step.address
    place = address.path.replace("/", ".")
    return StepResult(
        step=address.step,
        run_id=record.run_id,
        run_url=url,
        seconds=0.0,
        outputs={f"{env}.{place}.{name}": f"{url}/{name}" for name in record.outputs},
        metrics=dict(record.metrics),
        reason=reason,
        kept=True,
    )


def explain(
    steps: Mapping[str, ReadyStep], *, chosen: Mapping[str, str], force: Collection[str] = ()
) -> dict[str, Verdict]:
    """Return for every step, in order, whether it would run and why; nothing is run.

    `chosen` are the runs of steps that are not among `steps`.
    """
    known, pending, records = dict(chosen), set[str](), dict[str, RunRecord | None]()
    found = {}
    for name, ready in steps.items():
        current = CurrentContents(ready.step.store, known, frozenset(pending), records)
        verdict = Verdict(reasons=(FORCED,)) if name in force else decide(ready.asked(), current)
        if verdict.kept:
            known[ready.step.name] = ready.step.store.url_of(verdict.kept)
            records[known[ready.step.name]] = verdict.record
        else:
            pending.add(ready.step.name)
        found[name] = verdict
    return found
