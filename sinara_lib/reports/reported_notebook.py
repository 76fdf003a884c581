"""Runs one notebook of a step and publishes its report, whatever came of it."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sinara_lib.errors import SinaraError, StepFailedError, StopStep, Unchanged
from sinara_lib.reports.step_report import StepReport
from sinara_lib.runs.notebook import NotebookEnd, Outcome, run_notebook
from sinara_lib.store.manifest import SubstepRecord

ERROR_OF = {Outcome.UNCHANGED: Unchanged, Outcome.STOPPED: StopStep, Outcome.FAILED: StepFailedError}

log = logging.getLogger(__name__)


def run_reported(
    source: Path,
    report: StepReport,
    *,
    parameters: Mapping[str, Any],
    environ: Mapping[str, str],
    kernel_name: str | None,
    verbose: bool = True,
) -> SubstepRecord:
    """Run the notebook `source`, publish `report` on it, and return what the notebook read, published and measured.

    Raises Unchanged, StopStep or StepFailedError when the notebook did not run to its end, after its report is out.
    """
    try:
        end = run_notebook(
            source, report.notebook, parameters=parameters, environ=environ, kernel_name=kernel_name, verbose=verbose
        )
    except SinaraError as error:
        end = NotebookEnd(Outcome.FAILED, str(error))
    try:
        end, record = report.save(end, source)
    except (OSError, SinaraError) as error:
        if end.outcome is Outcome.DONE:
            raise
        raise StepFailedError(f"{end.reason} Its report could not be published either: {error}") from error
    log.info("%s  report  %s/report.html", report.step, report.url)
    if end.outcome is not Outcome.DONE:
        raise ERROR_OF[end.outcome](end.reason)
    return record
