"""SinaraML's `sinara.experiment`: a notebook as a function of what its parameters cell sets."""

import ast
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sinara_lib.compat.substep import get_tmp_work_path
from sinara_lib.errors import ParamsError, StepFailedError


class Experiment:
    """Ways to try things out from Python; no run is recorded. `sinara_lib.experiment` has functions that record one."""

    @staticmethod
    def function(nbname: str, tag: str = "") -> Callable[..., Any]:
        """Return the notebook as a function of the names its parameters cell sets, in their order.

        It returns the value of the last cell that shows one. What is not given keeps the notebook's own value; the
        executed copy, with `tag` in its name, lies among the temporary files of this process.
        """
        from sinara_lib.runs.notebook import Outcome, read_notebook, run_notebook
        from sinara_lib.runs.parameters_cell import parameter_names

        source = Path(nbname)
        names = parameter_names(read_notebook(source).cells)

        def call(*values: Any, **named: Any) -> Any:
            if len(values) > len(names):
                raise ParamsError(f"{nbname} has {len(names)} parameters ({', '.join(names)}), given {len(values)}.")
            target = Path(get_tmp_work_path()) / f"{source.stem}{'_' + tag if tag else ''}.ipynb"
            parameters = {**dict(zip(names, values, strict=False)), **named}
            end = run_notebook(source.resolve(), target, parameters=parameters, environ={})
            if end.outcome is not Outcome.DONE:
                raise StepFailedError(str(end.reason))
            return _last_value(read_notebook(target).cells)

        return call


def _last_value(cells: list[Any]) -> Any:
    shown = [output.data["text/plain"] for cell in cells for output in cell.get("outputs", []) if "data" in output]
    return ast.literal_eval(shown[-1]) if shown else None
