"""What a step is told from outside: the pipeline's run it belongs to, and which runs of other steps it reads.

Two voices are told apart. A person or an orchestrator says `--read STEP RUN`; what a notebook pins otherwise
contradicts that, and is an error. A run of the pipeline says which runs it made or chose; a notebook that pins another
one reads that.
"""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sinara_lib.catalog.find import is_there
from sinara_lib.errors import ArtifactNotFoundError, ParamsError
from sinara_lib.layout import RunAddress, StepAddress, check_name, is_run_id, split_run_url
from sinara_lib.store import ArtifactStore, store_at
from sinara_lib.strict_text.json_text import parse_json

READ_VARIABLE = "SINARA_READ"
"""JSON object of step names and the URLs of the runs to read, as a person or an orchestrator says."""
CHOSEN_VARIABLE = "SINARA_CHOSEN_RUNS"
"""The same, as the pipeline's run made or chose them."""
PIPELINE_RUN_VARIABLE = "SINARA_PIPELINE_RUN"
"""The pipeline's run that a step belongs to, in any words."""


@dataclass(frozen=True)
class Instructions:
    """What holds for one run of a step; `read` and `chosen` are URLs of runs by step name."""

    pipeline_run: str | None = None
    read: Mapping[str, str] = field(default_factory=dict)
    chosen: Mapping[str, str] = field(default_factory=dict)
    run_id_file: Path | None = None

    def variables(self) -> dict[str, str]:
        """Return the environment variables that tell a kernel."""
        return {READ_VARIABLE: json.dumps(dict(self.read)), CHOSEN_VARIABLE: json.dumps(dict(self.chosen))}

    def note_run(self, run_id: str) -> None:
        """Write the run's id into the file that was asked for, all of it at once."""
        if self.run_id_file is None:
            return
        self.run_id_file.parent.mkdir(parents=True, exist_ok=True)
        draft = self.run_id_file.with_name(f".{self.run_id_file.name}.{os.getpid()}")
        draft.write_text(f"{run_id}\n", encoding="ascii")
        os.replace(draft, self.run_id_file)


def read_pairs(pairs: Sequence[Sequence[str]], environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return step name -> run as told by `--read` and, for steps that it does not name, by SINARA_READ.

    Raises ParamsError for a step that is told twice.
    """
    told: dict[str, str] = {}
    for step, run in pairs:
        if told.setdefault(check_name(step, "step"), run) != run:
            raise ParamsError(
                f"--read {step}: {told[step]} and {run} are told: a step reads one run of another, give one."
            )
    return {**_parsed(environ, READ_VARIABLE), **told}


def locate_runs(told: Mapping[str, str], *, store: ArtifactStore, own: StepAddress) -> dict[str, str]:
    """Return the URLs of the runs that are told, by step; an id means a run of that step beside the step `own`.

    Raises ParamsError for the step itself, ArtifactNotFoundError for a run that is not there or cannot be read.
    """
    return {step: _locate(step, run, store=store, own=own) for step, run in told.items()}


def told_run(variable: str, step: str) -> tuple[str, RunAddress] | None:
    """Return root and address of the run of `step` that this process was told to read in a variable; else None."""
    url = _parsed(os.environ, variable).get(step)
    return split_run_url(url) if url else None


def _locate(step: str, run: str, *, store: ArtifactStore, own: StepAddress) -> str:
    if step == own.step:
        raise ParamsError(f"--read {step}: that is this step; name a step that it reads from.")
    if is_run_id(run):
        address, there = RunAddress(StepAddress(own.pipeline, own.zone, step), run), store
    else:
        root, address = split_run_url(run)
        if address.step.step != step:
            raise ParamsError(f"--read {step} {run}: that is a run of {address.step.step}.")
        there = store if root == store.url else store_at(root)
    url = there.url_of(address)
    record = there.run_record(address)
    if record is None and not is_there(there, address):
        raise ArtifactNotFoundError(f"--read {step} {run}: {url} does not exist; `sinara ls` lists the runs.")
    if record is not None and not record.status.resolvable:
        raise ArtifactNotFoundError(
            f"--read {step} {run}: {url} is {record.status.value}, and only good runs are read."
        )
    return url


def _parsed(environ: Mapping[str, str], variable: str) -> dict[str, str]:
    text = environ.get(variable)
    if not text:
        return {}
    try:
        page = parse_json(text, variable)
    except json.JSONDecodeError as error:
        raise ParamsError(f"{variable} is not valid JSON: {error.msg} at character {error.pos}.") from error
    if not isinstance(page, dict) or not all(isinstance(run, str) for run in page.values()):
        raise ParamsError(f'{variable}: expected an object of step names and runs, such as {{"data_prep": "run-…"}}.')
    return {check_name(step, "step"): run for step, run in page.items()}
