"""`sinara.lock`: which commit of each step's repository a pipeline stands on."""

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sinara_lib.errors import ParamsError
from sinara_lib.repositories.clones import clone_of
from sinara_lib.repositories.places import url_of
from sinara_lib.runs.git import run_git
from sinara_lib.step_sources import StepSource
from sinara_lib.strict_text.values import read_text
from sinara_lib.urls import without_credentials

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

LOCK_FILE = "sinara.lock"
_AGAIN = "`sinara pipeline lock` writes it anew."


class LockedStep(BaseModel):
    """A step, where it came from, and the commit that it stands on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    git: str
    ref: str = ""
    commit: str = Field(pattern=r"^[0-9a-f]{40,64}$")


class Lock(BaseModel):
    """The locked steps; those that are folders of the pipeline's own repository need no lock."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    step: tuple[LockedStep, ...] = ()


def write_lock(sources: Sequence[StepSource], folder: Path) -> list[LockedStep]:
    """Write the commits that the steps' refs mean now, all of them or nothing, and return them."""
    locked = [_lock(source, folder) for source in sources if source.git]
    lines = ["# The commits that this pipeline stands on: `sinara pipeline lock` writes it, commit it.", ""]
    for step in locked:
        lines += ["[[step]]", *(f"{key} = {json.dumps(value)}" for key, value in step.model_dump().items()), ""]
    draft = folder / f".{LOCK_FILE}.{os.getpid()}"
    draft.write_text("\n".join(lines), encoding="utf-8")
    os.replace(draft, folder / LOCK_FILE)
    return locked


def locked_commits(sources: Sequence[StepSource], folder: Path) -> dict[str, str]:
    """Return the locked commit of every step that lives in a repository of its own, by its name.

    Raises ParamsError where there is no lock, or where it is one of another pipeline or of an older `sinara.toml`.
    """
    wanted = [source for source in sources if source.git]
    if not wanted:
        return {}
    locked = {step.name: step for step in _read(folder).step}
    for source in wanted:
        step = locked.get(source.name)
        if step is None:
            raise ParamsError(f"{folder / LOCK_FILE} does not lock {source.name}: {_AGAIN}")
        if (step.git, step.ref) != (_shown_url(source), source.ref or ""):
            raise ParamsError(
                f"{folder / LOCK_FILE} locks {source.name} of {step.git}{_at(step.ref)}, and sinara.toml names "
                f"{_shown_url(source)}{_at(source.ref)}: it is the lock of another pipeline, or an old one. {_AGAIN}"
            )
    return {source.name: locked[source.name].commit for source in wanted}


def _lock(source: StepSource, folder: Path) -> LockedStep:
    clone = clone_of(url_of(source, folder), ref=source.ref, name=source.repository_folder)
    commit = run_git(clone, "rev-parse", "HEAD")
    return LockedStep(name=source.name, git=_shown_url(source), ref=source.ref or "", commit=commit)


def _read(folder: Path) -> Lock:
    path = folder / LOCK_FILE
    if not path.is_file():
        raise ParamsError(
            f"{folder} has no {LOCK_FILE}, and prod runs only locked commits of steps in other repositories: "
            "`sinara pipeline lock` writes it; --unlocked runs what their refs mean now."
        )
    try:
        return Lock.model_validate(tomllib.loads(read_text(path)))
    except (ValidationError, ValueError) as error:
        words = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
        raise ParamsError(f"{path} is no lock of a pipeline: {words}. {_AGAIN}") from error


def _shown_url(source: StepSource) -> str:
    return without_credentials(str(source.git))


def _at(ref: str | None) -> str:
    return f" at {ref}" if ref else ""
