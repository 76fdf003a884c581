"""Parameters of steps: read once, checked at the door, typed below it."""

import json
import os
from collections.abc import Collection, Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, model_validator

from sinara_lib.errors import ParamsError
from sinara_lib.strict_text.json_text import parse_json
from sinara_lib.strict_text.values import check_values, read_text
from sinara_lib.urls import params_without_credentials, without_credentials

PARAMS_FILE_VARIABLE = "SINARA_STEP_PARAMS_FILE_PATH"
FULL_JOB = Path("params") / "step_params.json"
SAMPLE_FILE = Path("params") / "sample.json"

UNREPEATED = "unrepeated"
"""Type of a pydantic error whose value may hold a secret: the message says what is wrong, not what was found."""

Model = TypeVar("Model", bound=BaseModel)


class ParamsModel(BaseModel):
    """Base of parameter models: frozen, strict, no unknown keys; SinaraML's upper-case keys are read as lower-case.

    The docstring below a field is its meaning in `--help`, in README and in the schema.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, protected_namespaces=(), use_attribute_docstrings=True
    )

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
    """Which store: `user`, `test`, `prod`, or one of sinara.toml; a step sets it by its mode."""
    pipeline_name: str
    """What all steps of a pipeline have in common in the store."""
    zone_name: str = "test"
    """Keeps apart runs that must not see each other."""


class StepParams(ParamsModel):
    """What holds for all notebooks of a step."""

    step_name: str | None = None
    """Name in the store; default: the folder's name after its last `-`."""
    kernel_name: str | None = None
    """Jupyter kernel to run the notebooks with; default: the one each notebook names."""
    depends_on: list[Literal["day", "device"]] = Field(default_factory=list)
    """What the result depends on besides code, parameters and data: the `day` (UTC) or the `device`; a run of the
    pipeline keeps an earlier run of the step only where these are the same."""


class SubstepParams(ParamsModel):
    """One notebook of a step and its parameters, which the notebook itself checks."""

    substep_name: str
    """File name of the notebook."""
    substep_params: dict[str, JsonValue] = Field(default_factory=dict)


class ParamsFile(ParamsModel):
    """A params file: the pipeline, the step, and its notebooks in the order they run."""

    pipeline_params: PipelineParams
    step_params: StepParams = StepParams()
    substeps_params: list[SubstepParams] = Field(min_length=1)


def parse_params(model: type[Model], data: Mapping[str, Any], where: str = "parameters") -> Model:
    """Check `data` against `model`; `where` names its origin in messages.

    Raises ParamsError listing every offending key, what was found, and the keys that exist, the likeliest first.
    """
    check_values(data, where)
    try:
        return model.model_validate(dict(data))
    except ValidationError as error:
        problems = "; ".join(_problem(model, dict(entry)) for entry in error.errors())
        allowed = " ".join(dict.fromkeys(_allowed(model, entry["loc"]) for entry in error.errors()))
        raise ParamsError(f"{where}: {problems}. {allowed}") from error


def load_params(path: str | Path) -> ParamsFile:
    """Read a params file, JSON or YAML. Raises ParamsError when it is absent, broken or wrong."""
    path = Path(path)
    try:
        text = read_text(path)
    except OSError as error:
        found = ", ".join(sorted(p.name for p in path.parent.glob("*.*"))) or "nothing"
        raise ParamsError(f"Cannot read params file {path} ({error.strerror}); its folder holds: {found}.") from error
    document = _decode(text, path)
    if not isinstance(document, dict):
        raise ParamsError(f"{path}: expected an object with pipeline_params and substeps_params.")
    return parse_params(ParamsFile, document, where=str(path))


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
        group[name] = _value(text, f"--set {key}")
    return parse_params(ParamsFile, document, where="--set")


def get_pipeline_params() -> dict[str, Any]:
    """Return the pipeline parameters of the params file that a notebook opened by hand uses."""
    return _notebook_params().pipeline_params.model_dump()


def get_step_params() -> dict[str, Any]:
    """Return the step parameters of the params file that a notebook opened by hand uses."""
    return _notebook_params().step_params.model_dump()


def get_substep_params(substep_name: str) -> dict[str, Any]:
    """Return the parameters of one notebook, from the params file that a notebook opened by hand uses."""
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
    return load_params(path)


def _notebook_file() -> Path:
    return Path(os.environ.get(PARAMS_FILE_VARIABLE) or SAMPLE_FILE)


def _decode(text: str, path: Path) -> Any:
    if path.suffix in {".yaml", ".yml"}:
        from sinara_lib.strict_text.yaml_text import parse_yaml

        return parse_yaml(text, str(path))
    try:
        return parse_json(text, str(path))
    except json.JSONDecodeError as error:
        raise ParamsError(f"{path} is not valid JSON: {error}.") from error


def _problem(model: type[BaseModel], entry: dict[str, Any]) -> str:
    key = ".".join(map(str, entry["loc"]))
    if not key:
        return str(entry.get("ctx", {}).get("error", entry["msg"]))
    if entry["type"] == "extra_forbidden":
        section, _ = _section(model, entry["loc"])
        return f"unknown key {key!r}{likely(str(entry['loc'][-1]), section.model_fields)}"
    if entry["type"] == "missing":
        return f"missing key {key!r}"
    if entry["type"] == UNREPEATED:
        return f"{key!r} {str(entry['msg']).rstrip('.')}"
    found = repr(params_without_credentials(entry["input"]))
    return f"{key!r} is {found if len(found) <= 200 else found[:200] + '…'}: {entry['msg']}"


def likely(name: str, known: Iterable[str]) -> str:
    """Return in brackets which of the known names a wrong one may stand for; nothing where none is near."""
    near = get_close_matches(name.lower(), list(dict.fromkeys(known)), n=3)
    return f" (did you mean {' or '.join(near)}?)" if near else ""


def _section(model: type[BaseModel], loc: tuple[int | str, ...]) -> tuple[type[BaseModel], list[str]]:
    """Return the section of `model` that `loc` lies in, and the keys that lead to it."""
    section, path = model, list[str]()
    for part in loc[:-1]:
        field = section.model_fields.get(str(part))
        kinds = (field.annotation, *get_args(field.annotation)) if field else ()
        for kind in kinds:
            if get_origin(kind) is None and isinstance(kind, type) and issubclass(kind, BaseModel):
                section, path = kind, [*path, str(part)]
    return section, path


def _allowed(model: type[BaseModel], loc: tuple[int | str, ...]) -> str:
    section, path = _section(model, loc)
    return f"Allowed {'in ' + '.'.join(path) if path else 'here'}: {', '.join(sorted(section.model_fields))}."


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
