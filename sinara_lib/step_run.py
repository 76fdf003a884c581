"""Runs the notebooks of one step in order, records the run, and publishes a report for each of them."""

import functools
import logging
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path

from sinara_lib.errors import ParamsError, StepFailedError, StopStep, Unchanged
from sinara_lib.keeping.differences import differences
from sinara_lib.keeping.finishing import facts_of, note_in_index
from sinara_lib.keeping.identities import identity_of
from sinara_lib.layout import RunAddress, StepAddress, step_name
from sinara_lib.metrics import flat_metrics
from sinara_lib.params import ParamsFile, SubstepParams
from sinara_lib.progress import PROGRESS_VARIABLE
from sinara_lib.runs.checkout import current_user, read_producer
from sinara_lib.runs.checkpoints import RESUME_VARIABLE
from sinara_lib.runs.code_identity import library_of
from sinara_lib.runs.costs import CostMeter
from sinara_lib.runs.instructions import Instructions, locate_runs
from sinara_lib.runs.notebook_run import DESIGN_VARIABLE, NOTEBOOK_VARIABLE, RUN_VARIABLE, TMP_VARIABLE
from sinara_lib.runs.resume import Resumption
from sinara_lib.runs.tensorboard_logs import LOGS_ENTITY, publish_logs
from sinara_lib.settings import Settings, load_settings
from sinara_lib.step_models import check_step_params
from sinara_lib.store import ArtifactStore
from sinara_lib.store.files import StoreFiles
from sinara_lib.store.liveness import this_process
from sinara_lib.store.manifest import Producer, RunRecord, RunStatus, SubstepRecord
from sinara_lib.store.step_identity import Identity
from sinara_lib.store.work_folders import work_folder
from sinara_lib.substep import RECORD_VARIABLE
from sinara_lib.urls import params_without_credentials, without_credentials

RUN_ID_VARIABLE = "SINARA_RUN_ID"

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
    unchanged_since: str | None = None
    """URL of the earlier run that published what this one would have; `reason` says so."""
    kept: bool = False
    """Whether all this is an earlier run's, which need not be made again; `reason` says so."""


class Step:
    """A step's folder, its parameters and the run that executes its notebooks.

    Raises ParamsError for parameters that the step's own models do not take; nothing is in the store then.
    `settings` say where the environments live (default: those that hold in the folder); the notebooks are told.
    `library` is the folder to import `sinara_lib` from, where that is not the installed one.
    `resumption` is what a run that goes on from another one takes over; its inputs are read again.
    `instructions` say what holds from outside: the pipeline's run, and which runs of other steps are read.
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
        instructions: Instructions | None = None,
        params_file: Path | None = None,
    ) -> None:
        self._models = check_step_params(folder, params)
        self._params_file = params_file
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
        if resumption and resumption.run.step != self._address:
            raise ParamsError(f"{resumption.run.path} is no run of {self._address.path}: resume it in its own step.")
        told = instructions or Instructions()
        located = locate_runs(told.read, store=self._store, own=self._address)
        self._instructions = replace(told, read=located)

    @property
    def store(self) -> ArtifactStore:
        """The store that its runs lie in."""
        return self._store

    @property
    def address(self) -> StepAddress:
        """The step's place in the store."""
        return self._address

    @functools.cached_property
    def _producer(self) -> Producer:
        """The code as it is when the run starts."""
        return read_producer(self.folder, library_folder=self._library / "sinara_lib" if self._library else None)

    def run(self, *, on_start: Callable[[str], object] | None = None) -> StepResult:
        """Run every notebook in the order of the params file; `on_start` is told the URL of the run as it begins.

        One that raises Unchanged is the last, and the run a success that publishes no data. Raises StepFailedError when
        one fails and StopStep when one stops on purpose; the run is recorded and its reports are published in any case.
        """
        import sinara_lib.reports.reported_notebook  # noqa: F401 - takes seconds; what it lacks is told before a run is claimed

        started, identity = _now(), self.identity()
        run = self._start(started)
        log.info("%s  %s  ->  %s", self.name, run.run_id, self._store.url_of(run))
        self._instructions.note_run(run.run_id)
        if on_start:
            on_start(self._store.url_of(run))
        records, reason, earlier, meter = [], None, None, CostMeter()
        try:
            with work_folder("sinara-run-") as tmp, meter:
                try:
                    for substep in self.params.substeps_params:
                        records.append(self._run_substep(run, substep, tmp))
                except Unchanged as end:
                    reason, earlier = str(end), self._earlier(run)
                    log.info("%s  %s", self.name, reason)
                finally:
                    logs = publish_logs(tmp, self._store, run)
        except BaseException as error:
            if isinstance(error, StopStep) and DESIGN_VARIABLE in os.environ:
                StoreFiles(self._store.fs).remove_folder(f"{self._store.root}/{run.path}")
                raise
            self._finish(run, RunStatus.FAILED, meter, reason=str(error) or type(error).__name__)
            raise
        self._finish(run, RunStatus.SUCCESS, meter, reason=reason, substeps=records, identity=identity)
        published = {name: url for record in records for name, url in record.outputs.items()}
        env, name = self.params.pipeline_params.env_name, self._address.path.replace("/", ".")
        return StepResult(
            step=self.name,
            run_id=run.run_id,
            run_url=self._store.url_of(run),
            seconds=(_now() - started).total_seconds(),
            outputs=published | ({f"{env}.{name}.{LOGS_ENTITY}": logs} if logs else {}),
            metrics={name: value for record in records for name, value in flat_metrics(record.metrics).items()},
            reason=reason,
            unchanged_since=earlier,
        )

    def _earlier(self, run: RunAddress) -> str | None:
        """Return the URL of the earlier run of this step that a run without changes has recorded as its input."""
        record = self._store.run_record(run)
        prefix = f"{self._store.url}/{self._address.path}/"
        found = (url.rpartition("/")[0] for url in (record.inputs if record else ()) if url.startswith(prefix))
        return next((url for url in found if url != self._store.url_of(run)), None)

    def identity(self, library: Callable[[Path | None], str] = library_of) -> Identity:
        """Return what the step's result is made by, as it stands now, but for its inputs.

        `library` describes the library in a folder, or the one of this process: who asks many steps looks once.
        """
        text = library(self._library / "sinara_lib" if self._library else None)
        return identity_of(self.folder, self.params, self._models, params_file=self._params_file, library=text)

    def _start(self, now: datetime) -> RunAddress:
        record = RunRecord(
            run_id=self._run_id,
            status=RunStatus.RUNNING,
            started=now,
            producer=self._producer,
            process=this_process(),
            inputs=self._resumption.inputs if self._resumption else (),
            params=params_without_credentials(self.params.model_dump()),
            pipeline_run=self._instructions.pipeline_run,
        )
        return self._store.start_run(self._address, record, now=now)

    def _finish(
        self,
        run: RunAddress,
        status: RunStatus,
        meter: CostMeter,
        *,
        reason: str | None = None,
        substeps: Sequence[SubstepRecord] = (),
        identity: Identity | None = None,
    ) -> None:
        record = self._store.run_record(run)
        if record is None:
            raise StepFailedError(f"{self._store.url_of(run)} vanished while the step ran; nothing can be recorded.")
        update = {"status": status, "finished": _now(), "reason": reason and without_credentials(reason)}
        update["costs"] = meter.costs()
        if identity is not None:
            update |= facts_of(self._store, run, record, substeps, identity)
            self._tell_changes(identity)
        record = record.model_copy(update=update)
        self._store.replace_record(run, record)
        note_in_index(self._store, run, record.identity)

    def _tell_changes(self, at_start: Identity) -> None:
        """Say what of the step's folder has changed while it ran; what is recorded is as it was at the start."""
        now = Identity.model_copy(at_start, update={"code": self.identity().code})
        if changed := differences(at_start, now):
            log.warning("%s changed while it ran, and is recorded as it began: %s", self.name, "; ".join(changed))

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
            **self._instructions.variables(),
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
        verbose = self.params.shows_output(substep)
        return run_reported(source, report, parameters=parameters, environ=environ, kernel_name=kernel, verbose=verbose)

    def _kernel_path(self) -> dict[str, str]:
        """Let the kernel import the library that is committed beside the step, where the repository holds one."""
        if self._library is None:
            return {}
        return {"PYTHONPATH": os.pathsep.join([str(self._library), *filter(None, [os.environ.get("PYTHONPATH")])])}


def _now() -> datetime:
    return datetime.now(timezone.utc)
