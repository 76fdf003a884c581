"""The sections of a params file as models, checked at the door: a wrong key is named beside those there are."""

from collections.abc import Collection, Iterable, Mapping
from difflib import get_close_matches
from typing import Any, Literal, TypeVar, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, field_validator, model_validator

from sinara_lib.errors import ParamsError
from sinara_lib.strict_text.values import check_values
from sinara_lib.urls import params_without_credentials

UNREPEATED = "unrepeated"
"""Type of a pydantic error whose value may hold a secret: the message says what is wrong, not what was found."""

_MISSPELT = 0.85
"""A step's own key that is so like one of the library's is taken for a slip; 1 is the same word."""

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
        own = cls.model_config.get("extra") == "allow"
        lowered = {_lowered(str(key), cls.model_fields if own else None): value for key, value in data.items()}
        if len(lowered) != len(data):
            raise ValueError(f"a key is given twice, in upper and lower case: {', '.join(map(str, data))}")
        return lowered


def _lowered(key: str, fields: Collection[str] | None) -> str:
    return key.lower() if fields is None or key.lower() in fields else key


class OpenParams(ParamsModel):
    """Base of sections that may hold keys of a step's own, which its notebooks find there as they were written."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, JsonValue] = Field(init=False)

    @property
    def own_keys(self) -> list[str]:
        """The keys that are not the library's."""
        return sorted(self.__pydantic_extra__ or {})


class PipelineParams(OpenParams):
    """Where the entities of a pipeline live: environment, pipeline and zone."""

    env_name: str = "user"
    """Which store: `user`, `test`, `prod`, or one of sinara.toml; a step sets it by its mode."""
    pipeline_name: str
    """What all steps of a pipeline have in common in the store."""
    zone_name: str = "test"
    """Keeps apart runs that must not see each other."""


class StepParams(OpenParams):
    """What holds for all notebooks of a step."""

    step_name: str | None = None
    """Name in the store; default: the folder's name after its last `-`."""
    kernel_name: str | None = None
    """Jupyter kernel to run the notebooks with; default: the one each notebook names."""
    depends_on: list[Literal["day", "device"]] = Field(default_factory=list)
    """What the result depends on besides code, parameters and data: the `day` (UTC) or the `device`; a run of the
    pipeline keeps an earlier run of the step only where these are the same."""
    verbose_output: bool | None = None
    """Whether what cells print is shown while the step runs; default: it is. `substep_params` may say otherwise."""
    failing_commands: Literal["fail", "ignore"] | None = None
    """What a `!command` that ends with another exit code than 0 does to its cell; default: it fails."""


class SubstepParams(ParamsModel):
    """One notebook or Python file of a step and its parameters, which it checks itself; a plain name has none."""

    substep_name: str
    """File name of the notebook or Python file."""
    substep_params: dict[str, JsonValue] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _from_name(cls, data: Any) -> Any:
        if isinstance(data, str):
            return {"substep_name": data}
        if isinstance(data, Mapping) and "params" in data and "substep_params" not in data:  # SinaraML 1.0
            return {"substep_params" if key == "params" else key: value for key, value in data.items()}
        return data

    @property
    def is_verbose(self) -> bool | None:
        """What its own parameters say of `verbose_output`; None where they say nothing."""
        said = self.substep_params.get("verbose_output")
        return said if isinstance(said, bool) else None


class ParamsFile(ParamsModel):
    """A params file: the pipeline, the step, and its notebooks in the order they run."""

    pipeline_params: PipelineParams
    step_params: StepParams = StepParams()
    substeps_params: list[SubstepParams] = Field(min_length=1)

    @field_validator("substeps_params", mode="before")
    @classmethod
    def _as_list(cls, data: Any) -> Any:
        return [data] if isinstance(data, str) else data

    def shows_output(self, substep: SubstepParams) -> bool:
        """Tell whether what the cells of a notebook print is shown while it runs."""
        said = substep.is_verbose if substep.is_verbose is not None else self.step_params.verbose_output
        return said is not False


def parse_params(model: type[Model], data: Mapping[str, Any], where: str = "parameters") -> Model:
    """Check `data` against `model`; `where` names its origin in messages.

    Raises ParamsError listing every offending key, what was found, and the keys that exist, the likeliest first.
    """
    check_values(data, where)
    try:
        parsed = model.model_validate(dict(data))
    except ValidationError as error:
        problems = "; ".join(_problem(model, dict(entry)) for entry in error.errors())
        allowed = " ".join(dict.fromkeys(_allowed(model, entry["loc"]) for entry in error.errors()))
        raise ParamsError(f"{where}: {problems}. {allowed}") from error
    refuse_own_keys(parsed, where, cutoff=_MISSPELT)
    return parsed


def refuse_own_keys(params: BaseModel, where: str, *, cutoff: float = 0.0) -> None:
    """Raise ParamsError for a key of a step's own in `params`, or only for one that is so like one of the library's."""
    if isinstance(params, ParamsFile):
        sections = {"pipeline_params": params.pipeline_params, "step_params": params.step_params}
    else:
        sections = {"": params} if isinstance(params, OpenParams) else {}
    for name, section in sections.items():
        fields = type(section).model_fields
        for key in section.own_keys:
            if not cutoff or get_close_matches(key.lower(), fields, n=1, cutoff=cutoff):
                place, allowed = (f"{name}.{key}", f"in {name}") if name else (key, "here")
                listed = ", ".join(sorted(fields))
                raise ParamsError(f"{where}: unknown key {place!r}{likely(key, fields)}. Allowed {allowed}: {listed}.")


def likely(name: str, known: Iterable[str]) -> str:
    """Return in brackets which of the known names a wrong one may stand for; nothing where none is near."""
    near = get_close_matches(name.lower(), list(dict.fromkeys(known)), n=3)
    return f" (did you mean {' or '.join(near)}?)" if near else ""


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
