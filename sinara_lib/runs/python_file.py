"""A Python file as a substep: run in a kernel like a notebook, so that it has the same run, report and outputs."""

import json
import runpy
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nbformat

from sinara_lib.errors import ParamsError, StepFailedError
from sinara_lib.runs.parameters_cell import GROUPS, PARAMETERS_TAG


def notebook_of(source: Path, target: Path) -> Path:
    """Write a notebook that runs the Python file `source`, and return its path. Raises ParamsError without the file."""
    if not source.is_file():
        found = ", ".join(sorted(path.name for path in source.parent.glob("*.py"))) or "none"
        raise ParamsError(f"Python file {source.name} is not in {source.parent}; Python files there: {found}.")
    parameters = "\n".join(f"{name} = {{}}" for name in GROUPS)
    names = ", ".join(f"{name}={name}" for name in GROUPS)
    call = f"from sinara_lib.runs.python_file import run_python_file\n\nrun_python_file({source.name!r}, {names})"
    notebook = nbformat.v4.new_notebook(metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}})
    notebook.cells = [
        nbformat.v4.new_markdown_cell(f"# {source.name}"),
        nbformat.v4.new_code_cell(parameters, metadata={"tags": [PARAMETERS_TAG]}),
        nbformat.v4.new_code_cell(call),
    ]
    nbformat.write(notebook, target)
    return target


def run_python_file(
    name: str,
    *,
    pipeline_params: Mapping[str, Any],
    step_params: Mapping[str, Any],
    substep_params: Mapping[str, Any],
) -> None:
    """Run a Python file as `python name` would, with the three groups of parameters as its globals.

    They stand on its command line too, as SinaraML put them there: `--params` and `--run_params`, JSON. Raises
    StepFailedError when it ends by `sys.exit` with another code than 0.
    """
    groups = {"pipeline_params": pipeline_params, "step_params": step_params, "substep_params": substep_params}
    before = sys.argv
    sys.argv = [name, "--params", json.dumps(substep_params), "--run_params", json.dumps(pipeline_params)]
    try:
        runpy.run_path(name, init_globals=groups, run_name="__main__")
    except SystemExit as end:
        if end.code not in {None, 0}:
            raise StepFailedError(f"{name} ended with exit code {end.code}.") from end
    finally:
        sys.argv = before
