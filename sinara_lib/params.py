"""Parameters of steps: read once, checked at the door, typed below it."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, model_validator

from sinara_lib.errors import ParamsError

PARAMS_FILE_VARIABLE = "SINARA_STEP_PARAMS_FILE_PATH"
SAMPLE_FILE = Path("params") / "sample.json"

Model = TypeVar("Model", bound=BaseModel)


class ParamsModel(BaseModel):
    """Base of parameter models: frozen, strict, no unknown keys; SinaraML's upper-case keys are read as lower-case."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, protected_namespaces=())

    @model_validator(mode="before")
    @classmethod
    def _lower_keys(cls, data: Any) -> Any:
        if not isinstance(data, Mapping):
            return data
        lowered = {str(key).lower(): value for key, value in data.items()}
        if len(lowered) != len(data):
            raise ValueError(f"a key is given twice, in upper and lower case: {', '.join(map(str, data))}")
        return lowered


class PipelineParams(ParamsModel):
    """Where the entities of a pipeline live: environment, pipeline and zone."""

    env_name: str = "user"
    pipeline_name: str
    zone_name: str = "test"


class StepParams(ParamsModel):
    """What holds for all notebooks of a step."""

    step_name: str | None = None
    """Name in the store; default: the folder's name after its last `-`."""
    kernel_name: str | None = None
    """Jupyter kernel to run the notebooks with; default: the one each notebook names."""


class SubstepParams(ParamsModel):
    """One notebook of a step and its parameters, which the notebook itself checks."""

    substep_name: str
    substep_params: dict[str, JsonValue] = Field(default_factory=dict)


class ParamsFile(ParamsModel):
    """A params file: the pipeline, the step, and its notebooks in the order they run."""

    pipeline_params: PipelineParams
    step_params: StepParams = StepParams()
    substeps_params: list[SubstepParams] = Field(min_length=1)


def parse_params(model: type[Model], data: Mapping[str, Any], where: str = "parameters") -> Model:
    """Check `data` against `model`; `where` names its origin in messages.

    Raises ParamsError listing every offending key, what was found, and the keys that exist.
    """
    try:
        return model.model_validate(dict(data))
    except ValidationError as error:
        problems = "; ".join(_problem(dict(entry)) for entry in error.errors())
        allowed = " ".join(dict.fromkeys(_allowed(model, entry["loc"]) for entry in error.errors()))
        raise ParamsError(f"{where}: {problems}. {allowed}") from error


def load_params(path: str | Path) -> ParamsFile:
    """Read a params file, JSON or YAML. Raises ParamsError when it is absent, broken or wrong."""
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ParamsError(
            f"{path} is not UTF-8 text ({error.reason} at byte {error.start}): save it as UTF-8."
        ) from error
    except OSError as error:
        found = ", ".join(sorted(p.name for p in path.parent.glob("*.*"))) or "nothing"
        raise ParamsError(f"Cannot read params file {path} ({error.strerror}); its folder holds: {found}.") from error
    document = _decode(text, path)
    if not isinstance(document, dict):
        raise ParamsError(f"{path}: expected an object with pipeline_params and substeps_params.")
    return parse_params(ParamsFile, document, where=str(path))


def override(params: ParamsFile, assignments: list[str]) -> ParamsFile:
    """Return `params` with each `key=value` of `assignments` set; values are read as JSON, else as text.

    A key is `pipeline_params.x`, `step_params.x`, `<notebook>.x`, or a bare `x` of the one notebook that has it
    (of the only notebook, where there is one). Raises ParamsError for a key that fits nowhere or in two places.
    """
    document = params.model_dump()
    for assignment in assignments:
        key, separator, text = assignment.partition("=")
        if not separator or not key:
            raise ParamsError(f"--set {assignment}: expected key=value.")
        group, name = _target(document, key)
        known = next((key for key in group if key.lower() == name.lower()), name)
        group[known] = _value(text)
    return parse_params(ParamsFile, document, where="--set")


def get_pipeline_params() -> dict[str, Any]:
    """Return the pipeline parameters of the params file that a notebook opened by hand uses."""
    return load_params(_notebook_file()).pipeline_params.model_dump()


def get_step_params() -> dict[str, Any]:
    """Return the step parameters of the params file that a notebook opened by hand uses."""
    return load_params(_notebook_file()).step_params.model_dump()


def get_substep_params(substep_name: str) -> dict[str, Any]:
    """Return the parameters of one notebook, from the params file that a notebook opened by hand uses."""
    path = _notebook_file()
    substeps = load_params(path).substeps_params
    for substep in substeps:
        if substep.substep_name == substep_name:
            return substep.substep_params
    raise ParamsError(f"{path} has no substep {substep_name}; it lists {', '.join(s.substep_name for s in substeps)}.")


def _notebook_file() -> Path:
    return Path(os.environ.get(PARAMS_FILE_VARIABLE) or SAMPLE_FILE)


def _decode(text: str, path: Path) -> Any:
    if path.suffix in {".yaml", ".yml"}:
        return _decode_yaml(text, path)
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise ParamsError(f"{path} is not valid JSON: {error}.") from error


def _decode_yaml(text: str, path: Path) -> Any:
    import yaml

    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ParamsError(f"{path} is not valid YAML: {error}.") from error


def _problem(entry: dict[str, Any]) -> str:
    key = ".".join(map(str, entry["loc"]))
    if not key:
        return str(entry["msg"]).removeprefix("Value error, ")
    if entry["type"] == "extra_forbidden":
        return f"unknown key '{key}'"
    if entry["type"] == "missing":
        return f"missing key '{key}'"
    return f"'{key}' is {entry['input']!r}: {entry['msg']}"


def _allowed(model: type[BaseModel], loc: tuple[int | str, ...]) -> str:
    """Say which keys exist in the section of `model` that `loc` lies in."""
    section, path = model, list[str]()
    for part in loc[:-1]:
        field = section.model_fields.get(str(part))
        kinds = (field.annotation, *get_args(field.annotation)) if field else ()
        for kind in kinds:
            if get_origin(kind) is None and isinstance(kind, type) and issubclass(kind, BaseModel):
                section, path = kind, [*path, str(part)]
    return f"Allowed {'in ' + '.'.join(path) if path else 'here'}: {', '.join(sorted(section.model_fields))}."


def _target(document: dict[str, Any], key: str) -> tuple[dict[str, Any], str]:
    substeps = {s["substep_name"]: s["substep_params"] for s in document["substeps_params"]}
    groups = {"pipeline_params": document["pipeline_params"], "step_params": document["step_params"], **substeps}
    for prefix, group in groups.items():
        if key.startswith(f"{prefix}."):
            return group, key[len(prefix) + 1 :]
    named = [group for group in substeps.values() if key.lower() in map(str.lower, group)]
    homes = list(substeps.values()) if len(substeps) == 1 else named
    if len(homes) == 1:
        return homes[0], key
    known = ", ".join(f"{name}.{k}" for name, group in groups.items() for k in group)
    raise ParamsError(f"--set {key}: {'fits several notebooks' if homes else 'no such parameter'}. There are: {known}.")


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text
