"""The settings in force: the pipeline's steps, and the store of each environment."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sinara_lib.errors import ParamsError
from sinara_lib.settings_file import (
    SETTINGS_FILE,
    SettingsFile,
    find_settings_folder,
    pipeline_place,
    read_places,
    read_settings_file,
    root_variable,
    storage_variable,
)
from sinara_lib.step_sources import StepSource, read_sources
from sinara_lib.store import ArtifactStore, store_at


@dataclass(frozen=True)
class Settings:
    """The folder of `sinara.toml` (None without one), the steps, and per environment a root URL and storage options.

    Storage options name the variables that hold secrets, never the secrets.
    """

    folder: Path | None
    steps: tuple[StepSource, ...]
    roots: Mapping[str, str]
    storage: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    pipeline: Mapping[str, str] = field(default_factory=dict)
    """`pipeline_params` of every step whose params file does not say otherwise."""

    def variables(self) -> dict[str, str]:
        """Return the environment variables that make these settings hold in another process, wherever it runs."""
        roots = {root_variable(env): root for env, root in self.roots.items()}
        return roots | {storage_variable(env): json.dumps(dict(o)) for env, o in self.storage.items()}

    def store(self, env: str) -> ArtifactStore:
        """Return the store of an environment. Raises ParamsError for one that is not known."""
        if env not in self.roots:
            raise ParamsError(
                f"Environment {env!r} is not known; there are {', '.join(sorted(self.roots))}. "
                f"Add [env.{env}] with its root to {SETTINGS_FILE}, or set {root_variable(env)}."
            )
        return store_at(self.roots[env], storage=self.storage.get(env, {}))


def load_settings(start: Path | None = None, environ: Mapping[str, str] = os.environ) -> Settings:
    """Read the settings that hold in `start` (default: the current folder): the nearest `sinara.toml` upwards.

    Raises ParamsError when the file is broken or holds an unknown key.
    """
    folder = find_settings_folder(start or Path.cwd())
    file = read_settings_file(folder / SETTINGS_FILE) if folder else SettingsFile()
    places = read_places(file, folder, environ)
    return Settings(
        folder=folder,
        steps=read_sources(file.pipeline.steps, str(folder and folder / SETTINGS_FILE)),
        roots={env: place.root for env, place in places.items()},
        storage={env: place.storage for env, place in places.items()},
        pipeline=pipeline_place(file),
    )
