"""Parameters as people look them up: by name, type, default and meaning; as text, as Markdown, as JSON Schema."""

import json
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic.json_schema import models_json_schema

from sinara_lib.errors import ParamsError
from sinara_lib.params import PipelineParams, StepParams
from sinara_lib.step_models import Models
from sinara_lib.tables import Markup, code, markdown_table

_NOUNS = {str: "string", int: "integer", float: "number", type(None): "`null`", bool: "`true` or `false`"}
_NO_DEFAULT = "required"


@dataclass(frozen=True)
class Parameter:
    """One parameter; those of an object within it come after it, `augment.copies` after `augment`."""

    name: str
    kind: str
    default: str | None
    """As JSON; None where a value has to be given."""
    meaning: str


def parameters_of(model: type[BaseModel], *, prefix: str = "") -> Iterator[Parameter]:
    """Yield what a model takes, in its order."""
    for name, field in model.model_fields.items():
        kind = _either(_kinds(field.annotation, field.metadata))
        yield Parameter(prefix + name, kind, _default(field), " ".join((field.description or "").split()))
        for nested in _models_in(field.annotation):
            if not nested.model_fields.keys() <= model.model_fields.keys():
                yield from parameters_of(nested, prefix=f"{prefix}{name}.")


def help_text(models: Models, *, width: int) -> str:
    """Return the parameters of a step's notebooks as text of `width` columns."""
    lines = []
    for notebook, model in models.items():
        lines += ["", f"parameters of {notebook}:"]
        for one in parameters_of(model):
            default = _NO_DEFAULT if one.default is None else f"default {one.default}"
            lines.append(f"  {one.name}: {one.kind}; {default}")
            lines += textwrap.wrap(one.meaning, width, initial_indent=" " * 6, subsequent_indent=" " * 6)
    return "\n".join(lines)


def parameter_table(model: type[BaseModel]) -> str:
    """Return the parameters of a model as a table in Markdown; a meaning is Markdown already."""
    rows = []
    for one in parameters_of(model):
        default = _NO_DEFAULT if one.default is None else code(one.default)
        rows.append([code(one.name), _cell(one.kind), default, _cell(one.meaning)])
    return markdown_table(["name", "type", "default", "meaning"], rows)


def with_tables(page: str, models: Models) -> str:
    """Return a README with the tables of a step's parameters written anew between the marks of each notebook.

    Raises ParamsError for a notebook that the page has no marks for.
    """
    for notebook, model in models.items():
        start, end = f"<!-- parameters of {notebook}: sinara params --write -->\n", "\n<!-- end of parameters -->"
        before, found, rest = page.partition(start)
        _, ended, after = rest.partition(end)
        if not (found and ended):
            raise ParamsError(f"README.md has no place for the parameters of {notebook}: write {start}{end[1:]}")
        page = f"{before}{start}{parameter_table(model)}{end}{after}"
    return page


def params_schema(models: Models, *, step: str) -> dict[str, Any]:
    """Return the JSON Schema of a step's params file; names in upper case, which are read too, are not in it."""
    wanted: list[type[BaseModel]] = [PipelineParams, StepParams, *models.values()]
    refs, shared = models_json_schema([(one, "validation") for one in wanted])
    of = {model: ref for (model, _), ref in refs.items()}
    substeps = [_substep({"const": notebook}, of[model]) for notebook, model in models.items()]
    substeps.append(_substep({"type": "string", "not": {"enum": list(models)}}, {"type": "object"}))
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"Parameters of step {step}",
        "type": "object",
        "properties": {
            "pipeline_params": of[PipelineParams],
            "step_params": of[StepParams],
            "substeps_params": {"type": "array", "minItems": 1, "items": {"anyOf": substeps}},
        },
        "required": ["pipeline_params", "substeps_params"],
        "additionalProperties": False,
        **shared,
    }


def _cell(text: str) -> Markup:
    return Markup(text.replace("|", r"\|"))


def _substep(name: dict[str, Any], params: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {"substep_name": name, "substep_params": params},
        "required": ["substep_name"],
        "additionalProperties": False,
    }


def _kinds(annotation: Any, limits: Sequence[Any]) -> Iterator[str]:
    """Yield the kinds of value that a type allows, in JSON's words."""
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        yield from _kinds(args[0], [*limits, *(one for arg in args[1:] for one in getattr(arg, "metadata", [arg]))])
    elif origin in (Union, UnionType):
        for one in args:
            yield from _kinds(one, limits)
    elif origin is Literal:
        yield from (f"`{value}`" for value in args)
    elif origin in (list, dict):
        what = _either([_plural(kind) for kind in _kinds(args[-1], [])])
        yield f"{'list' if origin is list else 'object'} of {_count(limits)}{what}"
    else:
        yield f"{_NOUNS.get(annotation, 'object')}{_range(limits) if annotation in (int, float) else ''}"


def _either(kinds: Sequence[str] | Iterator[str]) -> str:
    *most, last = dict.fromkeys(kinds)
    return f"{', '.join(most)} or {last}" if most else last


def _plural(kind: str) -> str:
    noun, _, more = kind.partition(" ")
    return kind if noun.startswith("`") else f"{noun}s {more}".rstrip()


def _limit(limits: Sequence[Any], name: str) -> Any:
    return next((value for one in limits if (value := getattr(one, name, None)) is not None), None)


def _count(limits: Sequence[Any]) -> str:
    least, most = _limit(limits, "min_length"), _limit(limits, "max_length")
    return f"{least} " if least is not None and least == most else ""


def _range(limits: Sequence[Any]) -> str:
    least, most = _limit(limits, "ge"), _limit(limits, "le")
    if least is not None and most is not None:
        return f" from {least} to {most}"
    signs = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<"}
    words = [f"{sign} {value}" for name, sign in signs.items() if (value := _limit(limits, name)) is not None]
    return f" {', '.join(words)}" if words else ""


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for one in get_args(annotation):
        yield from _models_in(one)


def _default(field: FieldInfo) -> str | None:
    if field.is_required():
        return None
    value = field.get_default(call_default_factory=True)
    plain = value.model_dump(mode="json", exclude_none=True) if isinstance(value, BaseModel) else value
    return json.dumps(plain, ensure_ascii=False)
