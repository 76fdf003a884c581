"""The run or step that a person names on the command line, in whatever environment it is."""

import logging
from collections.abc import Iterator

from sinara_lib.errors import ArtifactNotFoundError, LayoutError, SinaraError
from sinara_lib.layout import RunAddress, StepAddress, is_run_id, run_id_order, step_name
from sinara_lib.settings import Settings
from sinara_lib.store import ArtifactStore
from sinara_lib.target import Target, find_targets

log = logging.getLogger(__name__)


def known_stores(settings: Settings) -> dict[str, ArtifactStore]:
    """Return each environment's store, but for those that have no key or driver here."""
    found = {}
    for env in settings.roots:
        try:
            found[env] = settings.store(env)
        except SinaraError as error:
            log.debug("%s is left out: %s", env, error)
    return found


def find_run(settings: Settings, text: str, *, env: str | None = None) -> Target:
    """Return the one run that `text` names: by its id, in `env` or else in any environment, or by its URL.

    Raises ArtifactNotFoundError when there is none, LayoutError when it is no name of a run, or that of several.
    """
    envs = [env] if env else list(settings.roots)
    if is_run_id(text):
        found = list(_by_id(settings, text, envs))
    else:
        stores = known_stores(settings)
        first = settings.store(env) if env else next(iter(stores.values()))
        found = find_targets(first, text, stores=stores)
    runs = {target.url: target for target in map(_run_of, found)}
    if not runs:
        raise ArtifactNotFoundError(f"No run {text} in {', '.join(envs)}: `sinara ls --env …` lists the runs.")
    if len(runs) > 1:
        raise LayoutError(f"{text} is the id of several runs; name one by its URL: {', '.join(runs)}.")
    return next(iter(runs.values()))


def choose_step(settings: Settings, store: ArtifactStore, name: str | None) -> StepAddress:
    """Return the step of a store by its name, or the last of the pipeline that has runs; the newest of several zones.

    Raises ArtifactNotFoundError when there is none.
    """
    names = [name] if name else [step_name(source.rstrip("/").rsplit("/", 1)[-1]) for source in settings.steps]
    known = [(step, runs[0].run_id) for step in store.steps() if (runs := store.runs(step))]
    for wanted in reversed(names):
        if found := [each for each in known if each[0].step == wanted]:
            return max(found, key=lambda each: run_id_order(each[1]))[0]
    there = ", ".join(sorted({step.step for step, _ in known})) or "no step with runs"
    raise ArtifactNotFoundError(f"{store.url} has no runs of {name or 'a step of this pipeline'}; it has {there}.")


def _run_of(target: Target) -> Target:
    return target if isinstance(target.address, RunAddress) else Target(target.store, target.address.run)


def _by_id(settings: Settings, run_id: str, envs: list[str]) -> Iterator[Target]:
    for env in envs:
        try:
            yield from find_targets(settings.store(env), run_id)
        except ArtifactNotFoundError:
            continue
        except SinaraError as error:
            if len(envs) == 1:
                raise
            log.warning("%s was not looked through: %s", env, error)
