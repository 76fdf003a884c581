"""Where each environment lives and which steps make the pipeline: `sinara.toml` and SINARA_<ENV>_ROOT."""

import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import platformdirs
from pydantic import BaseModel, ConfigDict, ValidationError

from sinara_lib.errors import ParamsError
from sinara_lib.layout import check_name
from sinara_lib.store import ArtifactStore, store_at

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

SETTINGS_FILE = "sinara.toml"
ENVIRONMENTS = ("user", "test", "prod")

_ROOT_VARIABLE = re.compile(r"SINARA_([A-Z0-9_]+)_ROOT")


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Pipeline(_Section):
    steps: tuple[str, ...] = ()


class _Environment(_Section):
    root: str


class _File(_Section):
    pipeline: _Pipeline = _Pipeline()
    env: dict[str, _Environment] = {}


@dataclass(frozen=True)
class Settings:
    """The settings in force: the folder of `sinara.toml` (None without one), the steps, a root URL per environment."""

    folder: Path | None
    steps: tuple[str, ...]
    roots: Mapping[str, str]

    def variables(self) -> dict[str, str]:
        """Return the environment variables that make these roots hold in another process, wherever it runs."""
        return {f"SINARA_{env.upper()}_ROOT": root for env, root in self.roots.items()}

    def store(self, env: str) -> ArtifactStore:
        """Return the store of an environment. Raises ParamsError for one that is not known."""
        if env not in self.roots:
            raise ParamsError(
                f"Environment {env!r} is not known; there are {', '.join(sorted(self.roots))}. "
                f"Add [env.{env}] with its root to {SETTINGS_FILE}, or set SINARA_{env.upper()}_ROOT."
            )
        return store_at(self.roots[env])


def load_settings(start: Path | None = None, environ: Mapping[str, str] = os.environ) -> Settings:
    """Read the settings that hold in `start` (default: the current folder): the nearest `sinara.toml` upwards.

    Raises ParamsError when the file is broken or holds an unknown key.
    """
    folder = _find(start or Path.cwd())
    file = _read(folder / SETTINGS_FILE) if folder else _File()
    roots = {env: _default_root(env) for env in ENVIRONMENTS}
    roots |= {check_name(env, "environment"): _absolute(e.root, folder) for env, e in file.env.items()}
    told = (match[1].lower() for match in map(_ROOT_VARIABLE.fullmatch, environ) if match)
    for env, variable in ((env, f"SINARA_{env.upper()}_ROOT") for env in {*roots, *told}):
        if environ.get(variable):
            roots[env] = _absolute(environ[variable], None)
    return Settings(folder=folder, steps=file.pipeline.steps, roots=roots)


def _find(start: Path) -> Path | None:
    start = start.resolve()
    return next((folder for folder in (start, *start.parents) if (folder / SETTINGS_FILE).is_file()), None)


def _read(path: Path) -> _File:
    try:
        return _File.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except tomllib.TOMLDecodeError as error:
        raise ParamsError(f"{path} is not valid TOML: {error}.") from error
    except ValidationError as error:
        first = error.errors()[0]
        raise ParamsError(
            f"{path}: '{'.'.join(map(str, first['loc']))}': {first['msg']}. Known: pipeline.steps, env.<name>.root."
        ) from error


def _default_root(env: str) -> str:
    return str(Path(platformdirs.user_data_dir("sinara", appauthor=False)) / env)


def _absolute(root: str, folder: Path | None) -> str:
    if "://" in root:
        return root
    return str(((folder or Path.cwd()) / Path(root).expanduser()).resolve())
