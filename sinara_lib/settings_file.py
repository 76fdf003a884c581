"""`sinara.toml` and the variables that win over it: where each environment lives, and how its place is reached."""

import json
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import platformdirs
from pydantic import BaseModel, ConfigDict, ValidationError

from sinara_lib.errors import ParamsError
from sinara_lib.layout import check_name
from sinara_lib.strict_text.json_text import parse_json
from sinara_lib.strict_text.values import TOO_DEEP, check_values, read_text

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

SETTINGS_FILE = "sinara.toml"
ENVIRONMENTS = ("user", "test", "prod")
VARIABLE_KEY = "_env"
"""A storage option `<name>_env` takes its value from the environment variable it names."""

_VARIABLE = re.compile(r"SINARA_([A-Z0-9_]+)_ROOT")
_SECRET = re.compile(r"(?:^|_)(?:key|secret|token|password|passwd|credentials?|connection_string|sas)(?:_|$)", re.I)


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class _Pipeline(_Section):
    name: str | None = None
    zone: str | None = None
    library: str | None = None
    steps: list[Any] | dict[str, Any] = []


class _Environment(_Section):
    root: str | None = None
    storage: dict[str, Any] = {}


class SettingsFile(_Section):
    """What `sinara.toml` may hold."""

    pipeline: _Pipeline = _Pipeline()
    env: dict[str, _Environment] = {}


@dataclass(frozen=True)
class StorePlace:
    """Where an environment lives: a root URL or path, and options of its filesystem, secrets by variable name only."""

    root: str
    storage: Mapping[str, Any] = field(default_factory=dict)

    def holds(self, url: str) -> bool:
        """Tell whether `url` is this root or lies below it."""
        root = self.root.rstrip("/")
        return url == root or url.startswith(f"{root}/")


def find_settings_folder(start: Path) -> Path | None:
    """Return the nearest folder from `start` upwards that has a `sinara.toml`."""
    start = start.resolve()
    return next((folder for folder in (start, *start.parents) if (folder / SETTINGS_FILE).is_file()), None)


def read_settings_file(path: Path) -> SettingsFile:
    """Read a `sinara.toml`. Raises ParamsError when it is broken, holds an unknown key, or holds a secret."""
    try:
        return SettingsFile.model_validate(_decode(read_text(path), path))
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(part for part in map(str, first["loc"]) if "[" not in part)  # without the kinds of a union
        raise ParamsError(
            f"{path}: '{key}': {first['msg']}. "
            "Known: pipeline.name, .zone, .library, .steps, env.<name>.root, env.<name>.storage."
        ) from error


def read_places(file: SettingsFile, folder: Path | None, environ: Mapping[str, str]) -> dict[str, StorePlace]:
    """Return the place of every environment: SINARA_<ENV>_ROOT and _STORAGE before the file before the user's folder.

    A root given by variable keeps the file's storage options where both are of one scheme.
    """
    told = (match[1].lower() for match in map(_VARIABLE.fullmatch, environ) if match)
    places = {}
    for env in dict.fromkeys((*ENVIRONMENTS, *file.env, *told)):
        written = file.env.get(check_name(env, "environment"), _Environment())
        root = _absolute(written.root, folder) if written.root else _default_root(env)
        storage = _checked(written.storage, f"{SETTINGS_FILE}: env.{env}.storage")
        if variable := environ.get(root_variable(env)):
            variable = _absolute(variable, None)
            storage = storage if _scheme(variable) == _scheme(root) else {}
            root = variable
        if text := environ.get(storage_variable(env)):
            storage = _checked(_parse(text, storage_variable(env)), storage_variable(env))
        places[env] = StorePlace(root, storage)
    return places


def pipeline_place(file: SettingsFile) -> dict[str, str]:
    """Return the name and zone that the file gives its pipeline, as `pipeline_params` name them."""
    told = {"pipeline_name": file.pipeline.name, "zone_name": file.pipeline.zone}
    return {key: check_name(name, f"{SETTINGS_FILE}: {key[:-5]}") for key, name in told.items() if name is not None}


def pipeline_place_in(start: Path) -> dict[str, str]:
    """Return the same by the settings that hold in a folder."""
    folder = find_settings_folder(start)
    return pipeline_place(read_settings_file(folder / SETTINGS_FILE)) if folder else {}


def place_of(url: str) -> StorePlace | None:
    """Return the place that `url` lies in, by the settings that hold in the current folder; the nearest root wins."""
    folder = find_settings_folder(Path.cwd())
    file = read_settings_file(folder / SETTINGS_FILE) if folder else SettingsFile()
    places = read_places(file, folder, os.environ).values()
    return max((p for p in places if p.holds(url)), key=lambda place: len(place.root), default=None)


def root_variable(env: str) -> str:
    """Return the name of the environment variable that tells an environment's root."""
    return f"SINARA_{env.upper()}_ROOT"


def storage_variable(env: str) -> str:
    """Return the name of the environment variable that tells an environment's storage options, as JSON."""
    return f"SINARA_{env.upper()}_STORAGE"


def resolve_variables(storage: Mapping[str, Any], environ: Mapping[str, str]) -> dict[str, Any]:
    """Return storage options with each `<name>_env` replaced by `<name>` and the value of that variable.

    Raises ParamsError for a variable that is not set.
    """
    options: dict[str, Any] = {}
    for key, value in storage.items():
        if isinstance(value, Mapping):
            options[key] = resolve_variables(value, environ)
        elif not key.endswith(VARIABLE_KEY):
            options[key] = value
        elif value in environ:
            options[key.removesuffix(VARIABLE_KEY)] = environ[value]
        else:
            raise ParamsError(f"Storage option {key} names the variable {value}, which is not set: export it.")
    return options


def _checked(storage: Mapping[str, Any], where: str) -> Mapping[str, Any]:
    """Raise ParamsError, without its value, for a secret that stands here in the open."""
    for key, value in storage.items():
        if isinstance(value, Mapping):
            _checked(value, f"{where}.{key}")
        elif key.endswith(VARIABLE_KEY):
            if not isinstance(value, str):
                raise ParamsError(f"{where}.{key}: give the name of an environment variable.")
        elif _SECRET.search(key):
            raise ParamsError(
                f"{where}.{key} looks like a secret, which has no place in a file: put it into an environment "
                f'variable and name that: {key}{VARIABLE_KEY} = "VARIABLE".'
            )
    return storage


def _decode(text: str, path: Path) -> dict[str, Any]:
    try:
        document = tomllib.loads(text)
    except RecursionError:
        raise ParamsError(f"{path}: the text {TOO_DEEP}.") from None
    except ValueError as error:  # also from a number of thousands of digits
        raise ParamsError(f"{path} is not valid TOML: {error}.") from error
    check_values(document, str(path))
    return document


def _parse(text: str, variable: str) -> dict[str, Any]:
    try:
        storage = parse_json(text, variable)
    except json.JSONDecodeError as error:
        raise ParamsError(f"{variable} is not valid JSON: {error.msg} at character {error.pos}.") from error
    if not isinstance(storage, dict):
        raise ParamsError(f"{variable} holds a JSON {type(storage).__name__}: give an object of storage options.")
    return storage


def _default_root(env: str) -> str:
    return str(Path(platformdirs.user_data_dir("sinara", appauthor=False)) / env)


def _absolute(root: str, folder: Path | None) -> str:
    if "://" in root:
        return root
    return str(((folder or Path.cwd()) / Path(root).expanduser()).resolve())


def _scheme(root: str) -> str:
    return root.partition("://")[0] if "://" in root else "file"
