"""The report entity of one notebook: its executed copy, two pages, and what it was run with and measured."""

import logging
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_output

from sinara_lib.errors import SinaraError
from sinara_lib.layout import RunAddress, split_entity_url
from sinara_lib.params import ParamsFile, SubstepParams
from sinara_lib.reports.notebook_pages import RunFacts, business_report_html, metrics_json, report_html, run_info
from sinara_lib.reports.notebook_secrets import notebook_without_credentials
from sinara_lib.runs.environment import ENVIRONMENT_FILE
from sinara_lib.runs.notebook import NotebookEnd, Outcome, read_notebook
from sinara_lib.store import ArtifactStore, publish_folder
from sinara_lib.store.manifest import Producer, SubstepRecord
from sinara_lib.store.written_places import discard_written, publish_written
from sinara_lib.urls import credentials_in, hidden, params_without_credentials

log = logging.getLogger(__name__)


class StepReport:
    """The report of one notebook, failed or not: published as the entity `reports_<notebook>`."""

    def __init__(
        self,
        store: ArtifactStore,
        run: RunAddress,
        *,
        params: ParamsFile,
        substep: SubstepParams,
        producer: Producer,
        user: str,
        work: Path,
    ) -> None:
        self.notebook = work / "report.ipynb"
        self.step = run.step.step
        entity = run.entity(f"reports_{substep.substep_name}")
        self.url = store.url_of(entity)
        self._store = store
        self._run_url = store.url_of(run)
        self._run = run
        self._params = params
        self._substep = substep
        self._producer = producer
        self._record_file = work / "record.json"
        self._environment_file = work / ENVIRONMENT_FILE
        self._user = user
        self._started = datetime.now(timezone.utc)

    def save(self, end: NotebookEnd, source: Path) -> tuple[NotebookEnd, SubstepRecord]:
        """Write the pages and publish them; return how the notebook ended, and what it told of itself and published.

        A notebook that ran to its end without publishing all it declares has failed.
        """
        secrets = credentials_in(self._substep.substep_params)
        end = replace(end, reason=end.reason and hidden(end.reason, secrets))
        told = self._told()
        end = self._settle_written(end, told, source)
        published = {n: u for n, u in told.outputs.items() if self._store.is_committed(split_entity_url(u)[1])}
        missing = [name.rsplit(".", 1)[-1] for name in told.outputs if name not in published]
        if end.outcome is Outcome.DONE and missing:
            reason = f"ended without publishing {', '.join(missing)}: publish it, or take it out of the interface cell"
            end = NotebookEnd(Outcome.FAILED, f"{source.name} {reason}.")
        record = told.model_copy(update={"outputs": published})
        facts = self._facts(end, record)
        with tempfile.TemporaryDirectory(prefix="sinara-report-") as folder:
            executed = self.notebook if self.notebook.is_file() else source
            self._write_pages(Path(folder), executed, facts, complete=end.outcome is not Outcome.UNCHANGED)
            (Path(folder) / "runinfo.json").write_text(run_info(facts), encoding="utf-8")
            (Path(folder) / "metrics.json").write_text(metrics_json(facts), encoding="utf-8")
            if self._environment_file.is_file():
                shutil.copy(self._environment_file, folder)
            publish_folder(folder, self.url)
        return end, record

    def _settle_written(self, end: NotebookEnd, told: SubstepRecord, source: Path) -> NotebookEnd:
        """Commit what the notebook wrote into its outputs by itself, when it ended well; else remove it."""
        urls = list(told.outputs.values())
        try:
            if end.outcome is Outcome.DONE:
                publish_written(self._store, urls, beside=source.parent)
                return end
        except (OSError, SinaraError) as error:
            end = NotebookEnd(Outcome.FAILED, f"{source.name}: what it wrote could not be published: {error}")
        discard_written(self._store, urls, beside=source.parent)
        return end

    def _told(self) -> SubstepRecord:
        if not self._record_file.is_file():
            return SubstepRecord()
        return SubstepRecord.model_validate_json(self._record_file.read_text(encoding="utf-8"))

    def _write_pages(self, folder: Path, executed: Path, facts: RunFacts, *, complete: bool) -> None:
        try:
            notebook = read_notebook(executed)
        except SinaraError:
            log.warning("no pages in the report: %s is absent or broken", executed.name)
            return
        notebook = notebook_without_credentials(notebook, self._substep.substep_params)
        if not complete:
            notebook.cells = list(_until_its_end(notebook.cells))
        nbformat.write(notebook, folder / "report.ipynb")
        (folder / "report.html").write_text(report_html(notebook, facts), encoding="utf-8")
        (folder / "business_report.html").write_text(business_report_html(notebook, facts), encoding="utf-8")

    def _facts(self, end: NotebookEnd, record: SubstepRecord) -> RunFacts:
        return RunFacts(
            step_name=self._run.step.step,
            notebook=self._substep.substep_name,
            run_id=self._run.run_id,
            run_url=self._run_url,
            report_url=self.url,
            started=self._started,
            stopped=datetime.now(timezone.utc),
            result={Outcome.FAILED: "FAIL", Outcome.STOPPED: "STOPPED"}.get(end.outcome, "SUCCESS"),
            reason=end.reason,
            pipeline_params=self._params.pipeline_params.model_dump(),
            step_params=self._params.step_params.model_dump(),
            substep_params=params_without_credentials(self._substep.substep_params),
            user=self._user,
            producer=self._producer,
            record=record,
        )


def _until_its_end(cells: list[NotebookNode]) -> Iterator[NotebookNode]:
    """Yield the cells that ran; the one that ended the notebook tells why in place of its traceback."""
    for cell in cells:
        errors = [output for output in cell.get("outputs", []) if output.output_type == "error"]
        if "papermill-error-cell-tag" in cell.metadata.get("tags", []):
            continue
        if errors:
            said = new_output("stream", name="stdout", text=f"{errors[0].evalue}\n")
            yield NotebookNode({**cell, "outputs": [*(o for o in cell.outputs if o not in errors), said]})
            return
        yield cell
