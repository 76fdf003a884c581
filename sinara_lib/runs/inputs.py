"""The inputs that a notebook declares: each upstream step's entities, all of one run."""

import os
from collections.abc import Sequence

from sinara_lib.errors import InterfaceError
from sinara_lib.params import PipelineParams
from sinara_lib.runs.interface import (
    ENV_NAME,
    PIPELINE_NAME,
    RUN_ID,
    STEP_NAME,
    USED_BY,
    ZONE_NAME,
    Entities,
    Entry,
    entity_names,
    is_designing,
)
from sinara_lib.runs.notebook_run import NotebookRun, StepKey
from sinara_lib.urls import without_credentials


class Inputs:
    """Chooses for each upstream step the run that a notebook's inputs come from, and keeps their URLs."""

    def __init__(self, run: NotebookRun, here: PipelineParams) -> None:
        self._run = run
        self._here = here
        self._urls: dict[StepKey, dict[str, str]] = {}

    def resolve(self, entries: Sequence[Entry], *, outside: Sequence[str]) -> None:
        """Resolve all entries and record them; `outside` are the paths and URLs read from outside the store."""
        wanted: dict[StepKey, list[Entry]] = {}
        for entry in entries:
            wanted.setdefault(self._key(entry), []).append(entry)
        # What another input was made from can be asked once that one is chosen.
        for key, group in sorted(wanted.items(), key=lambda one: any(USED_BY in entry for entry in one[1])):
            if is_designing(os.environ):
                self._urls[key] = self._run.planned(key, entity_names(group))
                continue
            pins = {entry[RUN_ID] for entry in group if RUN_ID in entry}
            pins |= {self._run_used_by(entry[USED_BY], key) for entry in group if USED_BY in entry}
            if len(pins) > 1:
                found = ", ".join(sorted(pins))
                raise InterfaceError(f"Inputs of {'.'.join(key)} pin several runs ({found}): pin one.")
            self._urls[key] = self._run.resolve(key, entity_names(group), pin=next(iter(pins), None))
        if is_designing(os.environ):
            return
        self._run.remember([*self.urls(), *map(without_credentials, outside)])
        for key, chosen in self._urls.items():
            self._run.confirm(key, chosen)

    def of(self, step: str, *, env: str | None, pipeline: str | None, zone: str | None) -> Entities:
        """Return the inputs of one upstream step. Raises InterfaceError when none are declared."""
        key = self._key({STEP_NAME: step}, env, pipeline, zone)
        if key not in self._urls:
            declared = ", ".join(".".join(k) for k in self._urls) or "none"
            raise InterfaceError(f"No input of step {'.'.join(key)} is declared; declared: {declared}.")
        urls = self._urls[key]
        return Entities("input", urls, {name: ".".join((*key, name)) for name in urls})

    def urls(self) -> list[str]:
        """Return the URLs of all inputs."""
        return [url for urls in self._urls.values() for url in urls.values()]

    def named(self) -> dict[str, str]:
        """Return the URLs by the inputs' full names."""
        return {".".join((*key, name)): url for key, urls in self._urls.items() for name, url in urls.items()}

    def _key(
        self, entry: Entry, env: str | None = None, pipeline: str | None = None, zone: str | None = None
    ) -> StepKey:
        return (
            env or entry.get(ENV_NAME, self._here.env_name),
            pipeline or entry.get(PIPELINE_NAME, self._here.pipeline_name),
            zone or entry.get(ZONE_NAME, self._here.zone_name),
            entry[STEP_NAME],
        )

    def _run_used_by(self, step: str, key: StepKey) -> str:
        users = [next(iter(urls.values())) for other, urls in self._urls.items() if other[-1] == step]
        if len(users) != 1:
            raise InterfaceError(f"USED_BY names step {step!r}: declare inputs of exactly one such step beside it.")
        return self._run.used_by(users[0], key)
