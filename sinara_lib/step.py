"""Runs the notebooks of one step in order, records the run, and publishes a report for each of them."""

import functools
import logging
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from sinara_lib.errors import ParamsError, StepFailedError, Unchanged
from sinara_lib.layout import RunAddress, StepAddress, step_name
from sinara_lib.params import FULL_JOB, ParamsFile, SubstepParams, load_params, override
from sinara_lib.progress import PROGRESS_VARIABLE
from sinara_lib.runs.checkout import current_branch, current_user, read_producer, uncommitted_files
from sinara_lib.runs.checkpoints import RESUME_VARIABLE
from sinara_lib.runs.exit_code import exit_code_of
from sinara_lib.runs.notebook_run import NOTEBOOK_VARIABLE, RUN_VARIABLE, TMP_VARIABLE
from sinara_lib.runs.resume import Resumption, find_resumption
from sinara_lib.runs.run_tags import check_tag, tag_run
from sinara_lib.runs.tensorboard_logs import LOGS_ENTITY, publish_logs
from sinara_lib.runs.worktrees import head_worktree
from sinara_lib.settings import Settings, load_settings
from sinara_lib.step_models import check_step_params, step_models
from sinara_lib.step_parser import StepParser
from sinara_lib.store.liveness import this_process
from sinara_lib.store.manifest import RunRecord, RunStatus, SubstepRecord
from sinara_lib.store.work_folders import work_folder
from sinara_lib.substep import RECORD_VARIABLE
from sinara_lib.urls import params_without_credentials, without_credentials

RUN_ID_VARIABLE = "SINARA_RUN_ID"
ENV_OF_MODE = {"dev": "user", "prod": "prod"}

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class StepResult:
    """A finished step: its run, how long it took, what it published and measured, or why it had nothing to publish."""

    step: str
    run_id: str
    run_url: str
    seconds: float
    outputs: dict[str, str]
    metrics: dict[str, float | int | str]
    reason: str | None = None


class Step:
    """A step's folder, its parameters and the run that executes its notebooks.

    Raises ParamsError for parameters that the step's own models do not take; nothing is in the store then.
    `settings` say where the environments live (default: those that hold in the folder); the notebooks are told.
    `library` is the folder to import `sinara_lib` from, where that is not the installed one.
    `resumption` is what a run that goes on from another one takes over; its inputs are read again.
    """

    def __init__(
        self,
        folder: Path,
        params: ParamsFile,
        *,
        run_id: str | None = None,
        settings: Settings | None = None,
        library: Path | None = None,
        resumption: Resumption | None = None,
    ) -> None:
        check_step_params(folder, params)
        self._library = library
        self._resumption = resumption
        self._settings = settings or load_settings(folder)
        self.folder = folder.resolve()
        self.params = params
        self.name = params.step_params.step_name or step_name(self.folder.name)
        self._run_id = run_id or os.environ.get(RUN_ID_VARIABLE) or ""
        pipeline = params.pipeline_params
        self._store = self._settings.store(pipeline.env_name)
        self._address = StepAddress(pipeline.pipeline_name, pipeline.zone_name, self.name)
        self._producer = read_producer(self.folder, library_folder=library / "sinara_lib" if library else None)
        if resumption and resumption.run.step != self._address:
            raise ParamsError(f"{resumption.run.path} is no run of {self._address.path}: resume it in its own step.")

    def run(self, *, on_start: Callable[[str], object] | None = None) -> StepResult:
        """Run every notebook in the order of the params file; `on_start` is told the URL of the run as it begins.

        One that raises Unchanged is the last, and the run a success that publishes no data. Raises StepFailedError when
        one fails and StopStep when one stops on purpose; the run is recorded and its reports are published in any case.
        """
        import sinara_lib.reports.reported_notebook  # noqa: F401 - takes seconds; what it lacks is told before a run is claimed

        started = _now()
        run = self._start(started)
        log.info("%s  %s  ->  %s", self.name, run.run_id, self._store.url_of(run))
        if on_start:
            on_start(self._store.url_of(run))
        records, reason = [], None
        try:
            with work_folder("sinara-run-") as tmp:
                try:
                    for substep in self.params.substeps_params:
                        records.append(self._run_substep(run, substep, tmp))
                except Unchanged as end:
                    reason = str(end)
                    log.info("%s  %s", self.name, reason)
                finally:
                    logs = publish_logs(tmp, self._store, run)
        except BaseException as error:
            self._finish(run, RunStatus.FAILED, reason=str(error) or type(error).__name__)
            raise
        self._finish(run, RunStatus.SUCCESS, reason=reason)
        published = {name: url for record in records for name, url in record.outputs.items()}
        env, name = self.params.pipeline_params.env_name, self._address.path.replace("/", ".")
        return StepResult(
            step=self.name,
            run_id=run.run_id,
            run_url=self._store.url_of(run),
            seconds=(_now() - started).total_seconds(),
            outputs=published | ({f"{env}.{name}.{LOGS_ENTITY}": logs} if logs else {}),
            metrics={name: value for record in records for name, value in record.metrics.items()},
            reason=reason,
        )

    def _start(self, now: datetime) -> RunAddress:
        record = RunRecord(
            run_id=self._run_id,
            status=RunStatus.RUNNING,
            started=now,
            producer=self._producer,
            process=this_process(),
            inputs=self._resumption.inputs if self._resumption else (),
            params=params_without_credentials(self.params.model_dump()),
        )
        return self._store.start_run(self._address, record, now=now)

    def _finish(self, run: RunAddress, status: RunStatus, reason: str | None = None) -> None:
        record = self._store.run_record(run)
        if record is None:
            raise StepFailedError(f"{self._store.url_of(run)} vanished while the step ran; nothing can be recorded.")
        update = {"status": status, "finished": _now(), "reason": reason and without_credentials(reason)}
        self._store.replace_record(run, record.model_copy(update=update))

    def _run_substep(self, run: RunAddress, substep: SubstepParams, tmp: Path) -> SubstepRecord:
        from sinara_lib.reports.reported_notebook import run_reported
        from sinara_lib.reports.step_report import StepReport

        log.info("%s  %s", self.name, substep.substep_name)
        source = self.folder / substep.substep_name
        work = Path(tempfile.mkdtemp(prefix=f"{source.stem}-", dir=tmp))
        step_params = self.params.step_params.model_copy(update={"step_name": self.name})
        parameters = {
            "pipeline_params": self.params.pipeline_params.model_dump(),
            "step_params": step_params.model_dump(),
            "substep_params": substep.substep_params,
        }
        environ = {
            RUN_VARIABLE: self._store.url_of(run),
            TMP_VARIABLE: str(tmp),
            RECORD_VARIABLE: str(work / "record.json"),
            NOTEBOOK_VARIABLE: substep.substep_name,
            **self._settings.variables(),
            **self._kernel_path(),
            RESUME_VARIABLE: self._resumption.checkpoint if self._resumption else "",
            PROGRESS_VARIABLE: "1" if sys.stderr.isatty() else "0",
        }
        report = StepReport(
            self._store,
            run,
            params=self.params,
            substep=substep,
            producer=self._producer,
            user=current_user(self.folder),
            work=work,
        )
        kernel = self.params.step_params.kernel_name
        return run_reported(source, report, parameters=parameters, environ=environ, kernel_name=kernel)

    def _kernel_path(self) -> dict[str, str]:
        """Let the kernel import the library that is committed beside the step, where the repository holds one."""
        if self._library is None:
            return {}
        return {"PYTHONPATH": os.pathsep.join([str(self._library), *filter(None, [os.environ.get("PYTHONPATH")])])}


class StepSafeguard:
    """Refuses to run a step from the wrong place."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()

    def step_is_in_dir(self, parent: Path) -> None:
        """Raise StepFailedError unless the step's folder lies below `parent`."""
        if parent.resolve() not in self._folder.parents:
            raise StepFailedError(f"{self._folder} is not below {parent}: run the step from there.")

    def step_is_in_branch(self, branch: str) -> None:
        """Raise StepFailedError unless `branch` is checked out."""
        found = current_branch(self._folder)
        if found != branch:
            raise StepFailedError(f"{self._folder} is on branch {found or 'none'}, not on {branch}: check it out.")


def run_step(
    folder: Path,
    *,
    mode: str,
    params_file: Path = FULL_JOB,
    assignments: Sequence[str] = (),
    run_id: str | None = None,
    resume: str | None = None,
    settings: Settings | None = None,
    push: bool = False,
    on_start: Callable[[str], object] | None = None,
) -> StepResult:
    """Run a step: in `dev` its working tree, in `prod` the committed code of HEAD, tagged when it succeeds.

    Where the environments live is read around `folder` in both, unless `settings` are given.
    `resume` names a run, by id or URL, to go on from: its parameters and inputs are taken, not those of `params_file`.
    `on_start` is told the URL of the run as it begins.
    """
    folder = folder.resolve()
    settings = settings or load_settings(folder)
    resumption = find_resumption(settings, resume, env=ENV_OF_MODE[mode]) if resume else None
    params_of = functools.partial(_params, file=params_file, mode=mode, assignments=assignments, resumption=resumption)
    if mode == "dev":
        params = params_of(folder)
        return Step(folder, params, run_id=run_id, settings=settings, resumption=resumption).run(on_start=on_start)
    with head_worktree(folder) as tree:
        check_tag(tree, run_id or os.environ.get(RUN_ID_VARIABLE), push=push)
        if left_out := uncommitted_files(folder):
            log.info("prod runs HEAD; left out, not committed: %s", _some(left_out))
        library = next((p for p in tree.parents if (p / "sinara_lib" / "step.py").is_file()), None)
        params = params_of(tree)
        step = Step(tree, params, run_id=run_id, settings=settings, library=library, resumption=resumption)
        result = step.run(on_start=on_start)
        tag_run(tree, result.run_id, url=result.run_url, push=push)
    return result


def check_step(folder: Path, *, mode: str, params_file: Path = FULL_JOB) -> None:
    """Raise ParamsError for parameters that `run_step` would refuse; nothing is run."""
    with head_worktree(folder) if mode == "prod" else nullcontext(folder.resolve()) as tree:
        check_step_params(tree, _params(tree, file=params_file, mode=mode))


def main(folder: Path, *, mode: str, argv: Sequence[str] | None = None) -> int:
    """Run a step from the command line (step.dev.py, step.prod.py) and return the exit code."""
    args = StepParser(folder, mode=mode).parse_args(argv)

    def work() -> None:
        result = run_step(
            folder,
            mode=mode,
            params_file=args.params,
            assignments=args.set,
            run_id=args.run_id,
            resume=args.resume,
            push=getattr(args, "push", False),
        )
        for url in result.outputs.values():
            log.info("published  %s", url)
        log.info("%s done in %.0f s", result.step, result.seconds)

    return exit_code_of(work)


def _params(
    folder: Path, *, file: Path, mode: str, assignments: Sequence[str] = (), resumption: Resumption | None = None
) -> ParamsFile:
    params = resumption.params if resumption else load_params(folder / file)
    pipeline = params.pipeline_params.model_copy(update={"env_name": ENV_OF_MODE[mode]})
    params = params.model_copy(update={"pipeline_params": pipeline})
    if not assignments:
        return params
    return override(params, list(assignments), known={n: m.model_fields for n, m in step_models(folder).items()})


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - 10} more" if len(names) > 10 else ""
    return ", ".join(names[:10]) + more


def _now() -> datetime:
    return datetime.now(timezone.utc)
