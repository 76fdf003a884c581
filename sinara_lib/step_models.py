"""The parameter models of a step: found in its folder and held against its parameters before anything runs.

A module `<word>_params.py` at the top of the folder names them: `NOTEBOOKS = {"data_load.ipynb": FetchParams}`. It is
loaded apart from everything else, so it stays light: pydantic, and nothing that takes time. A notebook that no module
names checks its parameters itself.
"""

import ast
import importlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from pydantic import BaseModel

from sinara_lib.errors import ParamsError
from sinara_lib.isolation import isolated_modules
from sinara_lib.params import ParamsFile, load_params, override, parse_params
from sinara_lib.params_sections import refuse_own_keys
from sinara_lib.settings_file import pipeline_place_in
from sinara_lib.sinaraml_params import translated
from sinara_lib.strict_text.values import read_text

NOTEBOOKS = "NOTEBOOKS"

Models = Mapping[str, type[BaseModel]]
"""Parameter models by the notebook's file name."""


def step_models(folder: Path) -> Models:
    """Return the parameter models of a step's notebooks, in the order in which they are named.

    Raises ParamsError when a module cannot be loaded, or names what is no notebook or no model.
    """
    found: dict[str, type[BaseModel]] = {}
    importlib.invalidate_caches()
    with isolated_modules(folder), _no_bytecode():
        for path in sorted(folder.glob("*_params.py")):
            if not _names_notebooks(path):
                continue
            named = _load(path)
            if twice := found.keys() & named.keys():
                raise ParamsError(f"{path}: {NOTEBOOKS} names {min(twice)}, which another module names too.")
            found |= named
    return found


def ask_params(
    folder: Path, *, file: Path, assignments: Sequence[str] = (), pipeline: Mapping[str, str] | None = None
) -> ParamsFile:
    """Return the parameters of the file, which stands in the step's folder, overridden by `key=value`.

    `pipeline` are the `pipeline_params` that hold where the file names none (default: those of `sinara.toml` around).
    """
    told = pipeline_place_in(folder) if pipeline is None else pipeline
    params = translated(load_params(folder / file, pipeline=told), step_models(folder))
    return overridden(folder, params, assignments)


def overridden(folder: Path, params: ParamsFile, assignments: Sequence[str]) -> ParamsFile:
    """Return the parameters of a step overridden by `key=value`. Raises ParamsError for a key that it does not know."""
    if not assignments:
        return params
    return override(params, list(assignments), known={n: m.model_fields for n, m in step_models(folder).items()})


def check_step_params(folder: Path, params: ParamsFile) -> Models:
    """Return the step's models. Raises ParamsError for parameters of a notebook that its model does not take.

    A step that names models for its notebooks is told every key; one that does not may have keys of its own.
    """
    models = step_models(folder)
    if models:
        refuse_own_keys(params, "params")
    for substep in params.substeps_params:
        if substep.substep_name in models:
            parse_params(models[substep.substep_name], substep.substep_params, where=substep.substep_name)
    return models


def _names_notebooks(path: Path) -> bool:
    """Tell whether a module assigns NOTEBOOKS, without running it."""
    text = read_text(path)
    if NOTEBOOKS not in text:
        return False
    try:
        body = ast.parse(text).body
    except SyntaxError as error:
        raise ParamsError(f"{path} is no Python module: {error.msg}, line {error.lineno}.") from error
    assigned = [one for one in body if isinstance(one, ast.Assign | ast.AnnAssign)]
    targets = [name for one in assigned for name in (one.targets if isinstance(one, ast.Assign) else [one.target])]
    return any(isinstance(name, ast.Name) and name.id == NOTEBOOKS for name in targets)


def _load(path: Path) -> Mapping[str, type[BaseModel]]:
    """Run a module and return its NOTEBOOKS, checked."""
    try:
        named = getattr(importlib.import_module(path.stem), NOTEBOOKS)
    except Exception as error:
        # Whatever a module raises while it is loaded, the reader needs to know which module.
        raise ParamsError(f"{path} cannot be loaded ({type(error).__name__}: {error}).") from error
    if not isinstance(named, Mapping):
        raise ParamsError(
            f"{path}: {NOTEBOOKS} is a {type(named).__name__}; expected models by the notebook's file name."
        )
    for notebook, model in named.items():
        if not (isinstance(model, type) and issubclass(model, BaseModel)):
            raise ParamsError(f"{path}: {NOTEBOOKS} gives {notebook} {model!r}, which is no pydantic model.")
        if not (path.parent / str(notebook)).is_file():
            there = ", ".join(sorted(one.name for one in path.parent.glob("*.ipynb"))) or "none"
            raise ParamsError(f"{path}: {NOTEBOOKS} names {notebook}; notebooks beside it: {there}.")
        model.model_rebuild()
    return named


@contextmanager
def _no_bytecode() -> Iterator[None]:
    """Leave no `__pycache__` in the folder: what is not committed would be told of the run."""
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        yield
    finally:
        sys.dont_write_bytecode = before
