"""Runs with reports, as the commands that read them meet them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import nbformat

from sinara_lib.layout import RunAddress, StepAddress
from sinara_lib.store import ArtifactStore
from sinara_lib.store.manifest import Producer, RunRecord, RunStatus
from store_cases import lay_file

PRODUCER = Producer(origin="https://host/team/step.git", commit="0123456789abcdef", library="sinara_lib 1")
PACKAGES = {"numpy": "2.0", "torch": "2.1"}


@dataclass
class Reported:
    """Makes runs of one notebook with a report, a minute after one another."""

    store: ArtifactStore
    now: datetime

    def run(
        self,
        step: str = "train",
        *,
        params: Mapping[str, Any] | None = None,
        metrics: Mapping[str, Any] | None = None,
        code: Sequence[str] = ("print(1)",),
        inputs: Sequence[str] = (),
        outputs: Mapping[str, bytes] | None = None,
        packages: Mapping[str, str] | None = None,
        producer: Producer = PRODUCER,
        status: RunStatus = RunStatus.SUCCESS,
        reason: str | None = None,
    ) -> RunAddress:
        """Make a run; `packages` None records the usual ones."""
        self.now += timedelta(minutes=1)
        notebook = f"{step}.ipynb"
        told = {"substeps_params": [{"substep_name": notebook, "substep_params": dict(params or {})}]}
        record = RunRecord(
            run_id="", status=RunStatus.RUNNING, started=self.now, producer=producer, params=told
        ).with_inputs(inputs)
        run = self.store.start_run(StepAddress("rest", "test", step), record, now=self.now)
        for name, data in (outputs or {}).items():
            self.publish(run, name, {"file.bin": data})
        environment = {"python": "3.11", "platform": "Linux", "packages": dict(packages or PACKAGES)}
        pages = {
            "report.ipynb": notebook_bytes(*code),
            "report.html": b"<h1>report</h1>",
            "business_report.html": b"<h1>business</h1>",
            "runinfo.json": json.dumps({"result": "SUCCESS", "user": "Ada", "input_nb_name": notebook}).encode(),
            "metrics.json": json.dumps({"run_id": run.run_id, **(metrics or {})}).encode(),
            "environment.json": json.dumps(environment).encode(),
        }
        self.publish(run, f"reports_{step}_ipynb", pages)
        finished = self.now + timedelta(seconds=30)
        end = {"run_id": run.run_id, "status": status, "finished": finished, "reason": reason}
        self.store.replace_record(run, record.model_copy(update=end))
        return run

    def publish(self, run: RunAddress, entity: str, files: Mapping[str, bytes]) -> None:
        """Publish an entity of plain files in a run that goes on."""
        with self.store.begin(run.entity(entity)) as writer:
            for name, data in files.items():
                with writer.open(name) as sink:
                    sink.write(data)

    def foreign(self, step: str = "train", *, run_id: str = "run-24-01-02-030405") -> RunAddress:
        """Lay a run as SinaraML leaves it: no record, empty marks."""
        path = f"rest/test/{step}/{run_id}/reports_{step}_ipynb"
        info = {
            "result": "SUCCESS",
            "substeps_params": [{"substep_name": f"{step}.ipynb", "substep_params": {"EPOCHS": 3}}],
            "inputs": {"user.rest.test.prep.data": "/data/prep/data"},
            "origin": "https://host/team/old.git",
            "commit": "fedcba",
            "input_nb_name": f"{step}.ipynb",
            "notebook_report_url": ["a", "tuple"],
        }
        lay_file(self.store, f"{path}/runinfo.json", json.dumps(info).encode())
        lay_file(self.store, f"{path}/metrics.json", b'{"run_id": "x", "AP50": 0.4}')
        lay_file(self.store, f"{path}/report.ipynb", notebook_bytes("old()"))
        lay_file(self.store, f"{path}/report.html", b"<h1>old</h1>")
        lay_file(self.store, f"{path}/_SUCCESS", b"")
        return RunAddress(StepAddress("rest", "test", step), run_id)


def notebook_bytes(*code: str) -> bytes:
    """A notebook: its parameters as papermill injects them, then cells of code."""
    injected = nbformat.v4.new_code_cell("epochs = 3", metadata={"tags": ["injected-parameters"]})
    cells = [injected, *(nbformat.v4.new_code_cell(text) for text in code)]
    return nbformat.writes(nbformat.v4.new_notebook(cells=cells)).encode()
