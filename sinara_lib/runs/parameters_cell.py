"""The cell of a notebook that sets its parameters: what it assigns, and whether that fits what the step gives."""

import ast
import json
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from sinara_lib.errors import InterfaceError, ParamsError
from sinara_lib.params import ENV_VARIABLE, PARAMS_FILE_VARIABLE, PIPELINE_FILE_VARIABLE

PARAMETERS_TAG = "parameters"
GROUPS = ("pipeline_params", "step_params", "substep_params")
"""What a step gives its notebooks; a cell may set one of them and ask for the others, as SinaraML's guide has it."""

_LIKE = 0.85


def check_parameters(source: Path, cells: list[Any], parameters: Mapping[str, Any]) -> None:
    """Raise unless a cell tagged `parameters` assigns what `parameters` give; of a step's groups any one will do."""
    tagged = [c for c in cells if c.cell_type == "code" and PARAMETERS_TAG in c.metadata.get("tags", [])]
    if not tagged:
        raise InterfaceError(f"{source} has no code cell tagged '{PARAMETERS_TAG}': tag the cell that sets them.")
    try:
        allowed = {name for cell in tagged for name in _assigned(cell.source)}
    except SyntaxError as error:
        raise InterfaceError(f"{source}: its parameters cell is not plain Python ({error}).") from error
    unknown = [name for name in parameters if name not in allowed]
    if allowed & parameters.keys() & {*GROUPS}:
        unknown = [name for name in unknown if name not in GROUPS or (parameters[name] and name == GROUPS[-1])]
        unset = [name for name in GROUPS if name not in allowed]
        unknown += [name for name in unset if get_close_matches(name, allowed - {*GROUPS}, n=1, cutoff=_LIKE)]
    if unknown:
        raise ParamsError(
            f"{source.name} has no parameter {', '.join(unknown)}; its parameters cell sets: "
            f"{', '.join(sorted(allowed)) or 'nothing'}."
        )


def parameter_names(cells: list[Any]) -> list[str]:
    """Return the names that cells tagged `parameters` assign, in their order."""
    tagged = [c for c in cells if c.cell_type == "code" and PARAMETERS_TAG in c.metadata.get("tags", [])]
    return list(dict.fromkeys(name for cell in tagged for name in _assigned(cell.source)))


def job_file(folder: Path, source: Path, parameters: Mapping[str, Any]) -> dict[str, str]:
    """Write a step's parameters into `folder` for `get_pipeline_params` and its like; return variables that name them.

    Nothing is written, and no variable given, for parameters that are no step's.
    """
    if "pipeline_params" not in parameters:
        return {}
    substep = {"substep_name": source.name, "substep_params": parameters.get("substep_params", {})}
    groups = {name: parameters[name] for name in GROUPS[:2] if name in parameters}
    path = folder / "job_params.json"
    path.write_text(json.dumps({**groups, "substeps_params": [substep]}), encoding="utf-8")
    env = str(parameters["pipeline_params"].get("env_name", ""))
    return {PARAMS_FILE_VARIABLE: str(path), PIPELINE_FILE_VARIABLE: "", ENV_VARIABLE: env}


def _assigned(code: str) -> Iterator[str]:
    for node in ast.parse(code).body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        yield from (target.id for target in targets if isinstance(target, ast.Name))
