"""Parameters of steps: read once, checked at the door, typed below it."""

import json
import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from sinara_lib.errors import ParamsError
from sinara_lib.params_sections import (
    UNREPEATED,
    ParamsFile,
    ParamsModel,
    PipelineParams,
    StepParams,
    SubstepParams,
    likely,
    parse_params,
)
from sinara_lib.settings_file import pipeline_place_in
from sinara_lib.strict_text.json_text import parse_json
from sinara_lib.strict_text.values import check_values, read_text
from sinara_lib.urls import without_credentials

__all__ = [
    "ENV_VARIABLE",
    "FULL_JOB",
    "PARAMS_FILE_VARIABLE",
    "PIPELINE_FILE_VARIABLE",
    "SAMPLE_FILE",
    "UNREPEATED",
    "ParamsFile",
    "ParamsModel",
    "PipelineParams",
    "StepParams",
    "SubstepParams",
    "get_pipeline_params",
    "get_step_params",
    "get_substep_params",
    "load_params",
    "load_pipeline_params",
    "override",
    "parse_params",
]

PARAMS_FILE_VARIABLE = "SINARA_STEP_PARAMS_FILE_PATH"
PIPELINE_FILE_VARIABLE = "SINARA_PIPELINE_PARAMS_FILE_PATH"
"""Names a file whose `pipeline_params` hold for every step, in place of those of each step's own params file."""
ENV_VARIABLE = "SINARA_STEP_ENV_NAME"
"""The environment that a notebook opened by hand publishes to."""
FULL_JOB = Path("params") / "step_params.json"
SAMPLE_FILE = Path("params") / "sample.json"


def load_params(path: str | Path, *, pipeline: Mapping[str, str] | None = None) -> ParamsFile:
    """Read a params file, JSON or YAML. Raises ParamsError when it is absent, broken or wrong.

    A file named by SINARA_PIPELINE_PARAMS_FILE_PATH takes the place of its `pipeline_params`; a notebook given by its
    plain name has the parameters in `<name>.params.json` beside it, where there is such a file. `pipeline` are the
    `pipeline_params` that hold where neither file names its own.
    """
    path = Path(path)
    document = _with_pipeline(_read_document(path), pipeline or {})
    if pipeline_file := os.environ.get(PIPELINE_FILE_VARIABLE):
        document = {**document, "pipeline_params": load_pipeline_params(pipeline_file).model_dump()}
    names = document.get("substeps_params")
    if isinstance(names, str | list):
        beside = path.parent.parent if path.parent.name == "params" else path.parent
        document = {**document, "substeps_params": [_with_own_file(one, beside) for one in _listed(names)]}
    return parse_params(ParamsFile, document, where=str(path))


def _with_pipeline(document: dict[str, Any], pipeline: Mapping[str, str]) -> dict[str, Any]:
    own = document.get("pipeline_params", {})
    if not pipeline or not isinstance(own, dict):
        return document
    told = {str(key).lower() for key in own}
    return {**document, "pipeline_params": {**{k: v for k, v in pipeline.items() if k not in told}, **own}}


def load_pipeline_params(path: str | Path) -> PipelineParams:
    """Read the `pipeline_params` of a file that may hold nothing else. Raises ParamsError, as `load_params` does."""
    section = _read_document(Path(path)).get("pipeline_params")
    if not isinstance(section, dict):
        raise ParamsError(f"{path}: expected an object with pipeline_params.")
    return parse_params(PipelineParams, section, where=f"{path}: pipeline_params")


def _listed(names: Any) -> list[Any]:
    return [names] if isinstance(names, str) else list(names)


def _with_own_file(substep: Any, folder: Path) -> Any:
    own = folder / f"{Path(substep).stem}.params.json" if isinstance(substep, str) else None
    if own is None or not own.is_file():
        return substep
    return {"substep_name": substep, "substep_params": _read_document(own)}


def _read_document(path: Path) -> dict[str, Any]:
    try:
        text = read_text(path)
    except OSError as error:
        found = ", ".join(sorted(p.name for p in path.parent.glob("*.*"))) or "nothing"
        raise ParamsError(f"Cannot read params file {path} ({error.strerror}); its folder holds: {found}.") from error
    document = _decode(text, path)
    if not isinstance(document, dict):
        raise ParamsError(f"{path}: expected an object with pipeline_params and substeps_params.")
    return document


def override(
    params: ParamsFile, assignments: list[str], known: Mapping[str, Collection[str]] | None = None
) -> ParamsFile:
    """Return `params` with each `key=value` of `assignments` set; values are read as JSON, else as text.

    A key is `pipeline_params.x`, `step_params.x`, `<notebook>.x`, or a bare `x` of the one notebook that has it
    (of the only notebook, where there is one). `known` are the parameters that a notebook has besides those written in
    the file. Raises ParamsError for a key that fits nowhere or in two places.
    """
    document = params.model_dump()
    for assignment in assignments:
        check_values(assignment, "--set")
        key, separator, text = assignment.partition("=")
        if not separator or not key:
            raise ParamsError(f"--set {without_credentials(assignment)}: expected key=value.")
        group, name = _target(document, key, known or {})
        name = next((one for one in group if one.lower() == name.lower()), name)
        _refuse_new(document, group, name)
        group[name] = _value(text, f"--set {key}")
    return parse_params(ParamsFile, document, where="--set")


def get_pipeline_params() -> dict[str, Any]:
    """Return the pipeline parameters of the notebook's job or, opened by hand, of the params file that holds then."""
    params = _notebook_params().pipeline_params.model_dump()
    return params | ({"env_name": env} if (env := os.environ.get(ENV_VARIABLE)) else {})


def get_step_params() -> dict[str, Any]:
    """Return the step parameters that are given, from the notebook's job or the params file that holds by hand."""
    return _notebook_params().step_params.model_dump(exclude_none=True, exclude_defaults=True)


def get_substep_params(substep_name: str) -> dict[str, Any]:
    """Return the parameters of one notebook, from its job or the params file that holds by hand."""
    substeps = _notebook_params().substeps_params
    for substep in substeps:
        if substep.substep_name == substep_name:
            return substep.substep_params
    listed = ", ".join(substep.substep_name for substep in substeps)
    raise ParamsError(f"{_notebook_file()} has no substep {substep_name}; it lists {listed}.")


def _notebook_params() -> ParamsFile:
    path = _notebook_file()
    if not path.is_file():
        raise ParamsError(
            f"{Path.cwd()} has no {path}: run the notebook in its step's folder (with papermill: --cwd FOLDER), "
            f"or name a params file in {PARAMS_FILE_VARIABLE}."
        )
    return load_params(path, pipeline=pipeline_place_in(Path.cwd()))


def _notebook_file() -> Path:
    if named := os.environ.get(PARAMS_FILE_VARIABLE):
        return Path(named)
    return FULL_JOB if FULL_JOB.is_file() and not SAMPLE_FILE.is_file() else SAMPLE_FILE


def _decode(text: str, path: Path) -> Any:
    if path.suffix in {".yaml", ".yml"}:
        from sinara_lib.strict_text.yaml_text import parse_yaml

        return parse_yaml(text, str(path))
    try:
        return parse_json(text, str(path))
    except json.JSONDecodeError as error:
        raise ParamsError(f"{path} is not valid JSON: {error}.") from error


def _refuse_new(document: dict[str, Any], group: dict[str, Any], name: str) -> None:
    """Raise ParamsError for a key of the pipeline's or the step's section that is neither the library's nor there."""
    for section in ("pipeline_params", "step_params"):
        if group is document[section] and name not in group:
            raise ParamsError(
                f"--set: unknown key '{section}.{name}'{likely(name, group)}. Allowed in {section}: {', '.join(group)}."
            )


def _target(document: dict[str, Any], key: str, known: Mapping[str, Collection[str]]) -> tuple[dict[str, Any], str]:
    """Return the section of a params document that `key` belongs to, and its name there."""
    substeps = {s["substep_name"]: s["substep_params"] for s in document["substeps_params"]}
    groups = {"pipeline_params": document["pipeline_params"], "step_params": document["step_params"], **substeps}
    for prefix, group in groups.items():
        if key.startswith(f"{prefix}."):
            return group, key[len(prefix) + 1 :]
    names = {prefix: list(dict.fromkeys([*group, *known.get(prefix, ())])) for prefix, group in groups.items()}
    named = [group for prefix, group in substeps.items() if key.lower() in map(str.lower, names[prefix])]
    homes = list(substeps.values()) if len(substeps) == 1 else named
    if len(homes) == 1:
        return homes[0], key
    problem = "fits several notebooks" if homes else "no such parameter"
    near = "" if homes else likely(key, [name for prefix in substeps for name in names[prefix]])
    there = ", ".join(f"{prefix}.{name}" for prefix in groups for name in names[prefix])
    raise ParamsError(f"--set {without_credentials(key)}: {problem}{near}. There are: {there}.")


def _value(text: str, where: str) -> Any:
    try:
        return parse_json(text, where)
    except json.JSONDecodeError:
        return text
