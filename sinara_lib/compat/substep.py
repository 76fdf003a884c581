"""SinaraML's `sinara.substep`: NotebookSubstep with its calls, and the functions that stood beside it."""

import atexit
import logging
import os
import pprint as _pprint
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from sinara_lib import __version__, params, substep
from sinara_lib.compat.dropped import dropped
from sinara_lib.compat.variables import warn_of_variables
from sinara_lib.errors import InterfaceError, StopStep
from sinara_lib.layout import StepAddress
from sinara_lib.runs.interface import Entities, Entry
from sinara_lib.runs.notebook_run import NOTEBOOK_VARIABLE, TMP_VARIABLE
from sinara_lib.settings import load_settings
from sinara_lib.store.work_folders import sign
from sinara_lib.substep import (
    ENTITY_NAME,
    ENTITY_PATH,
    ENV_NAME,
    PIPELINE_NAME,
    RUN_ID,
    STEP_NAME,
    SUBSTEP_NAME,
    ZONE_NAME,
)

__all__ = [
    "ENTITY_NAME",
    "ENTITY_PATH",
    "ENV_NAME",
    "PIPELINE_NAME",
    "RUN_ID",
    "STEP_NAME",
    "SUBSTEP_NAME",
    "ZONE_NAME",
    "NotebookSubstep",
    "NotebookSubstepRunResult",
    "StopExecution",
    "get_curr_notebook_name",
    "get_curr_run_id",
    "get_pipeline_params",
    "get_sinara_platform",
    "get_sinara_step_tmp_path",
    "get_sinara_user_work_dir",
    "get_sinara_version",
    "get_step_params",
    "get_tmp_work_path",
    "get_user",
]

StopExecution = StopStep

_KEYS = {ENV_NAME, PIPELINE_NAME, ZONE_NAME, STEP_NAME, RUN_ID, ENTITY_NAME, ENTITY_PATH}
_CURRENT = {"curr_env_name", "curr_pipeline_name", "curr_zone_name"}
_LAST_RUN = "last_run_id"

log = logging.getLogger("sinara_lib.compat")  # imported as `sinara`, the module has another name


class NotebookSubstepRunResult:
    """How a notebook may have ended, as SinaraML's runinfo.json says it."""

    SUCCESS = "SUCCESS"
    FAIL = "FAIL"
    UNKNOWN = "UNKNOWN"


class NotebookSubstep(substep.NotebookSubstep):
    """A notebook of a step with SinaraML's calls: entities on a local disk are given as paths, `inputs` by keyword."""

    _current: ClassVar["NotebookSubstep | None"] = None

    def __init__(
        self, pipeline_params: Mapping[str, Any], step_params: Mapping[str, Any], substep_params: Mapping[str, Any]
    ) -> None:
        warn_of_variables(os.environ)
        super().__init__(pipeline_params, step_params, substep_params)
        NotebookSubstep._current = self

    @property
    def env_name(self) -> str:
        """The environment that is published to."""
        return self.pipeline_params.env_name

    @property
    def pipeline_name(self) -> str:
        """The pipeline."""
        return self.pipeline_params.pipeline_name

    @property
    def zone_name(self) -> str:
        """The zone."""
        return self.pipeline_params.zone_name

    @property
    def substep_name(self) -> str:
        """The notebook's name without its ending; `standalone` when it is opened by hand."""
        return get_curr_notebook_name().partition(".")[0]

    @property
    def metrics(self) -> dict[str, Any]:
        """The run's id and the metrics kept so far."""
        return {"run_id": self.run_id, **self._record.metrics}

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
        """Declare what the notebook uses; keys may be in upper case, as SinaraML's constants were."""
        super().interface(
            inputs=_lowered(inputs),
            outputs=_lowered(outputs),
            custom_inputs=_lowered(custom_inputs),
            custom_outputs=_lowered(custom_outputs),
            tmp_inputs=_lowered(tmp_inputs),
            tmp_outputs=_lowered(tmp_outputs),
            tmp_entities=_lowered(tmp_entities),
        )

    def inputs(  # type: ignore[override]
        self,
        *,
        step_name: str,
        env_name: str | None = None,
        pipeline_name: str | None = None,
        zone_name: str | None = None,
        run_id: str = _LAST_RUN,
    ) -> Entities:
        """Return the inputs of one upstream step, as paths where they lie on a local disk.

        Raises InterfaceError for a `run_id` that was not chosen: pin it in the interface cell by RUN_ID.
        """
        found = super().inputs(
            step_name, env_name=_named(env_name), pipeline_name=_named(pipeline_name), zone_name=_named(zone_name)
        )
        for name in found:
            if run_id != _LAST_RUN and getattr(found, name).split("/")[-2] != run_id:
                raise InterfaceError(
                    f"inputs(run_id={run_id!r}): {name} comes from {getattr(found, name)}; pin the run in the "
                    "interface cell, with RUN_ID."
                )
        return found.as_paths()

    def outputs(self) -> Entities:
        """Return where to write the outputs, as paths where they lie on a local disk."""
        return super().outputs().as_paths()

    def last_run_id(self, step_name: str, env_name: str, pipeline_name: str, zone_name: str, entity_name: str) -> str:
        """Return the id of the newest finished run of a step that has an entity. Raises ArtifactNotFoundError."""
        store = load_settings().store(env_name)
        return store.resolve(StepAddress(pipeline_name, zone_name, step_name), [entity_name]).run_id

    def tensorboard_log_base_dir(self, log_name: str = "log") -> str:
        """Return the folder to show in TensorBoard: this run's logs and those gathered from earlier runs."""
        return str(Path(self.tensorboard_log_dir(log_name)).parent)

    def prepare_tensorbord_logs(
        self, log_name: str = "log", copy_prev_logs: bool = True, prev_logs_env: str | None = None
    ) -> tuple[str, str]:
        """Do as `prepare_tensorboard_logs`, under the name as SinaraML spelled it."""
        return self.prepare_tensorboard_logs(log_name, copy_prev_logs=copy_prev_logs, prev_logs_env=prev_logs_env)

    def copy_tensorboard_logs_from_store_to_tmp(self, log_name: str = "log", log_env: str | None = None) -> None:
        """Lay the logs of earlier runs beside this run's."""
        self.prepare_tensorboard_logs(log_name, copy_prev_logs=True, prev_logs_env=log_env)


def get_pipeline_params(*, pprint: bool = False) -> dict[str, Any]:
    """Return the pipeline parameters that hold for this notebook, and print them when asked."""
    return _shown("Pipeline params:", params.get_pipeline_params(), pprint=pprint)


def get_step_params(*, pprint: bool = False) -> dict[str, Any]:
    """Return the step parameters that hold for this notebook, and print them when asked."""
    return _shown("Step params:", params.get_step_params(), pprint=pprint)


def get_curr_run_id() -> str:
    """Return the id of the run that this notebook belongs to. Raises InterfaceError before it has one."""
    return _current("get_curr_run_id()").run_id


def get_curr_notebook_name() -> str:
    """Return the file name of the notebook that a step runs; `standalone` when it is opened by hand."""
    return os.environ.get(NOTEBOOK_VARIABLE) or "standalone"


def get_tmp_work_path(write_root: bool = False) -> str:
    """Return a folder for temporary files of this run, removed with it; with `write_root` the one around it."""
    root = Path(os.environ.get(TMP_VARIABLE) or _own_tmp())
    folder = root / "tmp_work"
    folder.mkdir(exist_ok=True)
    return str(root if write_root else folder)


def get_sinara_step_tmp_path() -> str:
    """Return the folder for temporary files of this run."""
    return get_tmp_work_path()


def get_sinara_user_work_dir() -> str:
    """Return the folder that the notebook runs in."""
    return str(Path.cwd())


def get_sinara_version() -> str:
    """Return the library's version."""
    return __version__


def get_sinara_platform() -> str | None:
    """Return what SINARA_PLATFORM says."""
    return os.environ.get("SINARA_PLATFORM")


def get_user() -> str:
    """Return the user's name: DSML_USER, NB_USER, or the login."""
    return os.environ.get("DSML_USER") or os.environ.get("NB_USER") or Path.home().name


def __getattr__(name: str) -> Any:
    return dropped(__name__, name)


def _shown(title: str, values: dict[str, Any], *, pprint: bool) -> dict[str, Any]:
    if pprint:
        log.info("%s\n%s", title, _pprint.pformat(values))
    return values


def _current(asked: str) -> NotebookSubstep:
    if NotebookSubstep._current is None:
        raise InterfaceError(f"{asked} was called before NotebookSubstep(...), which joins or starts the run.")
    return NotebookSubstep._current


def _own_tmp() -> str:
    """Make this process's folder for temporary files, once."""
    if "made" not in _made:
        folder = sign(Path(tempfile.mkdtemp(prefix="sinara-")))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        _made["made"] = str(folder)
    return _made["made"]


_made: dict[str, str] = {}


def _lowered(entries: Sequence[Entry]) -> list[Entry]:
    return [{k.lower() if k.lower() in _KEYS else k: v for k, v in entry.items()} for entry in entries]


def _named(value: str | None) -> str | None:
    return None if value in _CURRENT else value
