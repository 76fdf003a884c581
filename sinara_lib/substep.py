"""NotebookSubstep: what one notebook reads and publishes, declared in its interface cell and checked from there on."""

import atexit
import logging
import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from sinara_lib.errors import InterfaceError, SinaraError, StopStep
from sinara_lib.layout import entity_name, step_name
from sinara_lib.metrics import checked_metric, flat_metrics
from sinara_lib.params import PipelineParams, StepParams, parse_params
from sinara_lib.params_sections import refuse_own_keys
from sinara_lib.progress import show_log
from sinara_lib.runs.checkpoints import RESUME_VARIABLE, Checkpoints
from sinara_lib.runs.environment import ENVIRONMENT_FILE, environment_json, this_environment
from sinara_lib.runs.inputs import Inputs
from sinara_lib.runs.interface import (
    ENTITY_NAME,
    ENTITY_PATH,
    ENV_NAME,
    PIPELINE_NAME,
    RUN_ID,
    STEP_NAME,
    SUBSTEP_NAME,
    USED_BY,
    ZONE_NAME,
    Entities,
    Entry,
    check_entries,
    entity_names,
    is_designing,
    write_design,
)
from sinara_lib.runs.notebook_run import RUN_VARIABLE, NotebookRun
from sinara_lib.step_models import step_models
from sinara_lib.store.manifest import Source, SubstepRecord
from sinara_lib.urls import without_credentials

__all__ = [
    "ENTITY_NAME",
    "ENTITY_PATH",
    "ENV_NAME",
    "PIPELINE_NAME",
    "RUN_ID",
    "STEP_NAME",
    "SUBSTEP_NAME",
    "USED_BY",
    "ZONE_NAME",
    "NotebookSubstep",
]

RECORD_VARIABLE = "SINARA_SUBSTEP_RECORD"

log = logging.getLogger(__name__)


class NotebookSubstep:
    """One notebook of a step. Under a step it joins the step's run; opened by hand it starts an INTERACTIVE run.

    >>> place = {"env_name": "user", "pipeline_name": "rest", "zone_name": "test"}
    >>> substep = NotebookSubstep(place, {"step_name": "count"}, {"size": 256})
    >>> substep.interface(outputs=[{ENTITY_NAME: "numbers"}])
    >>> substep.outputs().numbers == f"{substep.run_url}/numbers"
    True
    """

    def __init__(
        self, pipeline_params: Mapping[str, Any], step_params: Mapping[str, Any], substep_params: Mapping[str, Any]
    ) -> None:
        show_log()
        self.pipeline_params = parse_params(PipelineParams, pipeline_params, "pipeline_params")
        self.step_params = parse_params(StepParams, step_params, "step_params")
        self.substep_params = dict(substep_params)
        if RUN_VARIABLE not in os.environ and step_models(Path.cwd()):  # under a step it has been done
            refuse_own_keys(self.pipeline_params, "pipeline_params")
            refuse_own_keys(self.step_params, "step_params")
        self.step_name = self.step_params.step_name or step_name(Path.cwd().name)
        self._run = NotebookRun(self.pipeline_params, self.step_name, substep_params=self.substep_params)
        self._record = SubstepRecord()
        self._inputs = Inputs(self._run, self.pipeline_params)
        self._places: dict[str, dict[str, str]] = {}
        if RECORD_VARIABLE in os.environ:
            packages = Path(os.environ[RECORD_VARIABLE]).with_name(ENVIRONMENT_FILE)
            packages.write_text(environment_json(this_environment()), encoding="utf-8")

    @property
    def run_id(self) -> str:
        """The id of the run this notebook belongs to."""
        return self._run.run_id

    @property
    def run_url(self) -> str:
        """The URL of the run this notebook belongs to."""
        return self._run.url

    def interface(
        self,
        *,
        inputs: Sequence[Entry] = (),
        outputs: Sequence[Entry] = (),
        custom_inputs: Sequence[Entry] = (),
        custom_outputs: Sequence[Entry] = (),
        tmp_inputs: Sequence[Entry] = (),
        tmp_outputs: Sequence[Entry] = (),
        tmp_entities: Sequence[Entry] = (),
    ) -> None:
        """Declare what the notebook uses, and resolve its inputs: all of one upstream step come from one run.

        Keys of an input: STEP_NAME, ENTITY_NAME, and ENV_NAME, PIPELINE_NAME, ZONE_NAME, RUN_ID to narrow it, or
        USED_BY: the step of another input, made from the run that this one is to come from.
        Of an output and of the tmp kinds: ENTITY_NAME. Of the custom kinds: ENTITY_NAME, ENTITY_PATH.
        Raises InterfaceError for other keys, ArtifactNotFoundError when an input is not there.
        """
        if self._places:
            raise InterfaceError("interface() was called before in this notebook: declare everything in one call.")
        pins = (ENV_NAME, PIPELINE_NAME, ZONE_NAME, RUN_ID, USED_BY)
        check_entries("inputs", inputs, required=(STEP_NAME, ENTITY_NAME), optional=pins)
        for kind, entries in (("custom_inputs", custom_inputs), ("custom_outputs", custom_outputs)):
            check_entries(kind, entries, required=(ENTITY_NAME, ENTITY_PATH))
            self._places[kind] = {entity_name(e[ENTITY_NAME]): str(e[ENTITY_PATH]) for e in entries}
        for kind, entries in (("outputs", outputs), ("tmp_inputs", tmp_inputs), ("tmp_outputs", tmp_outputs)):
            check_entries(kind, entries, required=(ENTITY_NAME,))
        check_entries("tmp_entities", tmp_entities, required=(ENTITY_NAME,))
        self._places["outputs"] = {e: f"{self.run_url}/{e}" for e in entity_names(outputs)}
        self._places["tmp_inputs"] = {e: self._run.shared_tmp(e) for e in entity_names(tmp_inputs)}
        self._places["tmp_outputs"] = {e: self._run.new_shared_tmp(e) for e in entity_names(tmp_outputs)}
        self._places["tmp_entities"] = {e: self._run.own_tmp(e) for e in entity_names(tmp_entities)}
        self._inputs.resolve(inputs, outside=list(self._places["custom_inputs"].values()))
        if self._run.by_hand and not is_designing(os.environ):
            atexit.register(self._publish_at_exit)
        self._tell()

    def inputs(
        self,
        step_name: str,
        *,
        env_name: str | None = None,
        pipeline_name: str | None = None,
        zone_name: str | None = None,
    ) -> Entities:
        """Return the URLs of the inputs declared for one upstream step."""
        return self._inputs.of(step_name, env=env_name, pipeline=pipeline_name, zone=zone_name)

    def outputs(self) -> Entities:
        """Return the URLs to publish the declared outputs at."""
        return self._entities("outputs")

    def custom_inputs(self) -> Entities:
        """Return the declared paths and URLs read from outside the store."""
        return self._entities("custom_inputs")

    def custom_outputs(self) -> Entities:
        """Return the declared paths and URLs written outside the store."""
        return self._entities("custom_outputs")

    def tmp_inputs(self) -> Entities:
        """Return local folders that an earlier notebook of this run filled as its tmp_outputs."""
        return self._entities("tmp_inputs")

    def tmp_outputs(self) -> Entities:
        """Return empty local folders that later notebooks of this run read as their tmp_inputs."""
        return self._entities("tmp_outputs")

    def tmp_entities(self) -> Entities:
        """Return empty local folders for this notebook alone; they are removed with the run's temporary files."""
        return self._entities("tmp_entities")

    def publish_outputs(self) -> list[str]:
        """Publish what a notebook opened by hand has written into its outputs by itself; return the URLs.

        A step does it at the end of each notebook, and so does the end of a kernel.
        """
        return self._run.publish_written(self._places.get("outputs", {}).values())

    def checkpoints(self) -> Checkpoints | None:
        """Return where long work leaves checkpoints, and finds the one to go on from; None when opened by hand."""
        resumed = os.environ.get(RESUME_VARIABLE) or None
        return None if self._run.by_hand else Checkpoints(self.run_url, resumed=resumed)

    def tensorboard_log_dir(self, log_name: str = "log") -> str:
        """Return a folder for the event files of one log; `tensorboard_logs` holds them after the run."""
        return str(self._run.own_logs(log_name))

    def publish_tensorboard_logs(self) -> None:
        """Publish the event files of a notebook opened by hand; a step does it at the end of its run."""
        self._run.publish_own_logs()

    def prepare_tensorboard_logs(
        self, log_name: str = "log", *, copy_prev_logs: bool = True, prev_logs_env: str | None = None
    ) -> tuple[str, str]:
        """Return a folder for `tensorboard --logdir`, with earlier runs' logs, and in it `tensorboard_log_dir`."""
        if copy_prev_logs:
            self._run.gather_earlier_logs(prev_logs_env)
        own = self.tensorboard_log_dir(log_name)
        return str(Path(own).parent), own

    def print_interface_info(self) -> None:
        """Show run, inputs and outputs in the notebook and the terminal."""
        log.info("run %s of step %s (%s)", self.run_id, self.step_name, self.pipeline_params.env_name)
        for url in self._inputs.urls():
            log.info("  reads  %s", url)
        for kind, word in (("custom_inputs", "reads"), ("outputs", "writes"), ("custom_outputs", "writes")):
            for url in self._places.get(kind, {}).values():
                log.info("  %-6s %s", word, without_credentials(url))

    def add_source(
        self,
        url: str,
        *,
        sha256: str,
        size: int,
        fetched: datetime,
        etag: str | None = None,
        last_modified: str | None = None,
        licences: Sequence[str] = (),
    ) -> None:
        """Record what raw data was read: its URL, sha256, size in bytes, and when it was fetched (aware).

        `etag` and `last_modified` are what the server called its version. Entities published after this call name it
        in their manifests; the URL is kept without credentials.
        """
        self._run.remember_source(
            Source(
                url=without_credentials(url),
                sha256=sha256,
                bytes=size,
                etag=etag,
                last_modified=last_modified,
                fetched=fetched,
                licences=tuple(licences),
            )
        )

    def add_metric(self, name: str, value: float | int | str | Mapping[str, Any] | Sequence[Any]) -> None:
        """Keep a number (finite), a word, or a dict or list of them under `name`, for metrics.json of the report."""
        metrics = {**self._record.metrics, name: checked_metric(name, value)}
        self._record = self._record.model_copy(update={"metrics": metrics})
        self._tell()
        self._run.remember_metrics(self._record.metrics)

    def print_metrics(self) -> None:
        """Show the metrics kept so far."""
        for name, value in flat_metrics(self._record.metrics).items():
            log.info("%s: %s", name, f"{value:.4g}" if isinstance(value, float) else value)

    def always_changed(self, reason: str) -> None:
        """Say that the result may be another one each time, whatever the run reads: no run of the pipeline keeps it."""
        self._run.remember_always_changed(reason)

    def exit_in_visualize_mode(self) -> None:
        """In design mode (DESIGN_MODE set) write the interface to the folder VISUALIZER_SESSION_RUN_ID and stop."""
        if not is_designing(os.environ):
            return
        path = write_design(os.environ, step_name=self.step_name, record=self._record)
        raise StopStep(f"design mode: the interface was written to {path}")

    def _publish_at_exit(self) -> None:
        try:
            self.publish_outputs()
        except (OSError, SinaraError) as error:
            log.error("what this notebook wrote could not be published: %s", error)  # noqa: TRY400 - made for the reader

    def _entities(self, kind: str) -> Entities:
        places = self._places.get(kind)
        if places is None:
            raise InterfaceError("Call interface() before asking for entities.")
        return Entities(kind.removesuffix("s"), places, {name: self._full_name(name) for name in places})

    def _full_name(self, name: str) -> str:
        params = self.pipeline_params
        return ".".join((params.env_name, params.pipeline_name, params.zone_name, self.step_name, name))

    def _tell(self) -> None:
        """Hand the record to the step that runs this notebook; by hand there is nobody to tell."""
        outside = self._places.get("custom_inputs", {})
        custom = {f"custom:{name}": without_credentials(url) for name, url in outside.items()}
        tmp_kinds = ("tmp_inputs", "tmp_outputs", "tmp_entities")
        self._record = self._record.model_copy(
            update={
                "inputs": self._inputs.named() | custom,
                "outputs": {self._full_name(n): u for n, u in self._places.get("outputs", {}).items()},
                "tmp": {f"tmp:{self._full_name(n)}": u for k in tmp_kinds for n, u in self._places.get(k, {}).items()},
            }
        )
        if RECORD_VARIABLE in os.environ:
            Path(os.environ[RECORD_VARIABLE]).write_text(self._record.model_dump_json(), encoding="utf-8")
