"""A notebook as a Python function: its parameters are arguments, and each call is a run of its step.

    train = Experiment.function("model_train/model_train.ipynb")
    for epochs in (4, 8, 16):
        print(epochs, train(epochs=epochs).metrics["AP50_best"])

`sinara compare` shows the runs afterwards.
"""

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sinara_lib.errors import ParamsError
from sinara_lib.params import FULL_JOB, SAMPLE_FILE, ParamsFile, SubstepParams, load_params
from sinara_lib.settings import Settings
from sinara_lib.step import Step, StepResult

Metric = float | int | str


@dataclass(frozen=True)
class ExperimentResult:
    """What one call gave: the run, the URLs of what it published by entity name, and its metrics."""

    run_id: str
    run_url: str
    outputs: Mapping[str, str]
    metrics: Mapping[str, Metric]


class NotebookFunction:
    """Runs one notebook with other parameters at each call."""

    def __init__(
        self,
        notebook: Path,
        job: ParamsFile,
        *,
        params: Mapping[str, Any],
        names: Sequence[str],
        settings: Settings | None,
    ) -> None:
        self._notebook = notebook
        self._job = job
        self._params = dict(params)
        self._names = tuple(names)
        self._settings = settings
        self.__name__ = notebook.stem
        kind = inspect.Parameter.KEYWORD_ONLY
        self.__signature__ = inspect.Signature(
            [inspect.Parameter(n, kind, default=params.get(n, ...)) for n in names if n.isidentifier()]
        )

    def __call__(self, **params: Any) -> ExperimentResult:
        """Run the notebook with these parameters, the others as in its params file.

        Raises ParamsError for a parameter that the notebook does not have, StepFailedError when the run fails; it is
        recorded and reported like any run.
        """
        unknown = [name for name in params if name not in self._names]
        if unknown:
            raise ParamsError(
                f"{self._notebook.name} has no parameter {', '.join(unknown)}; it has: {', '.join(self._names)}."
            )
        substep = SubstepParams(substep_name=self._notebook.name, substep_params={**self._params, **params})
        job = self._job.model_copy(update={"substeps_params": [substep]})
        return _result(Step(self._notebook.parent, job, settings=self._settings).run())


class Experiment:
    """Ways to try things out from Python."""

    @staticmethod
    def function(
        notebook: str | Path, *, params: str | Path = SAMPLE_FILE, settings: Settings | None = None
    ) -> NotebookFunction:
        """Return a notebook as a function of its parameters; `inspect.signature` and Jupyter show them.

        Defaults come from the file `params`, relative to the notebook's folder; what only the full job names can be
        given as well, and has the notebook's own default (`...`) otherwise. Runs go to the environment `user`.
        The notebook must run by itself: one that needs what an earlier notebook of its step left on local disk does
        not.
        Raises ParamsError when the notebook is not there or not in its params file.
        """
        path = Path(notebook).resolve()
        if not path.is_file():
            raise ParamsError(f"No notebook {path}.")
        job = load_params(path.parent / params)
        chosen = _params_of(job, path.name)
        if chosen is None:
            listed = ", ".join(s.substep_name for s in job.substeps_params)
            raise ParamsError(f"{path.parent / params} does not list {path.name}; it lists {listed}.")
        full_file = path.parent / FULL_JOB
        full = (_params_of(load_params(full_file), path.name) or {}) if full_file.is_file() else {}
        pipeline = job.pipeline_params.model_copy(update={"env_name": "user"})
        job = job.model_copy(update={"pipeline_params": pipeline})
        names = list(dict.fromkeys((*chosen, *full)))
        return NotebookFunction(path, job, params=chosen, names=names, settings=settings)


def _params_of(job: ParamsFile, notebook: str) -> dict[str, Any] | None:
    return next((dict(s.substep_params) for s in job.substeps_params if s.substep_name == notebook), None)


def _result(result: StepResult) -> ExperimentResult:
    outputs = {name.rsplit(".", 1)[-1]: url for name, url in result.outputs.items()}
    return ExperimentResult(result.run_id, result.run_url, outputs, result.metrics)
