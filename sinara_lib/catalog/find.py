"""What a person names on the command line: a run id, or the URL of a run or an entity."""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sinara_lib.catalog.pipeline_show import find_pipeline_runs, names_pipeline_run
from sinara_lib.errors import ArtifactNotFoundError, LayoutError, SinaraError
from sinara_lib.layout import (
    EntityAddress,
    RunAddress,
    StepAddress,
    is_pipeline_run_id,
    is_run_id,
    run_id_order,
    split_entity_url,
    split_run_url,
)
from sinara_lib.settings import Settings
from sinara_lib.store import ArtifactStore, store_at
from sinara_lib.store.files import StoreFiles

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Target:
    """A run or an entity, and the store it lies in."""

    store: ArtifactStore
    address: RunAddress | EntityAddress

    @property
    def url(self) -> str:
        """The URL of the run or entity."""
        return self.store.url_of(self.address)


def find_targets(store: ArtifactStore, text: str, *, stores: Mapping[str, ArtifactStore] | None = None) -> list[Target]:
    """Return what `text` names: the runs of that id in `store` (one id may serve several steps), or what a URL names.

    Of a run of the pipeline, which lies in `store`, these are the runs of its steps, made or kept.

    `stores` are those of the known environments; a URL outside all of them is looked for where it says.
    Raises ArtifactNotFoundError when there is no such run or folder, LayoutError when `text` is neither.
    """
    if is_run_id(text):
        runs = [run for step in store.steps() for run in store.runs(step) if run.run_id == text]
        if not runs:
            raise ArtifactNotFoundError(f"{store.url} has no run {text}; `sinara ls` lists the runs.")
        return [Target(store, run) for run in runs]
    if names_pipeline_run(text):
        return [Target(store, run) for run in _runs_of_pipeline(store, text)]
    if "/" not in text:
        raise LayoutError(f"{text!r} is neither a run id (run-YY-MM-DD-HHMMSS-mmm) nor a URL; see `sinara ls`.")
    address: RunAddress | EntityAddress
    if is_run_id(text.rstrip("/").rsplit("/", 1)[-1]):
        root, address = split_run_url(text)
    else:
        root, address = split_entity_url(text)
    known = {each.url: each for each in (store, *(stores or {}).values())}
    found = Target(known.get(root) or store_at(root), address)
    if found.store.url not in known and not is_there(found.store, address):
        roots = ", ".join(known)
        raise ArtifactNotFoundError(f"{text} does not exist, and lies in no known environment ({roots}).")
    return [found]


def find_kept(store: ArtifactStore, text: str, *, stores: Mapping[str, ArtifactStore] | None = None) -> list[Target]:
    """Return the runs that `text` names in any form that a command prints.

    An id, the URL of a run or an entity of it, or the path of a file in that.
    Raises ArtifactNotFoundError when there is no such run, LayoutError when `text` is neither.
    """
    parts = text.strip().split("/")
    ids = [at for at, part in enumerate(parts) if is_run_id(part)]
    found = find_targets(store, "/".join(parts[: ids[-1] + 1] if ids else parts), stores=stores)
    for target in found:
        if not is_there(target.store, target.address):
            raise ArtifactNotFoundError(
                f"{text} names no run: {target.url} does not exist; `sinara ls` lists the runs."
            )
    return found


def is_there(store: ArtifactStore, address: RunAddress | EntityAddress) -> bool:
    """Tell whether a run or entity has a folder. Raises StoreUnavailableError where the place cannot be asked."""
    return StoreFiles(store.fs).exists(f"{store.root}/{address.path}")


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
    if is_run_id(text) or is_pipeline_run_id(text):
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
    names = [name] if name else [source.name for source in settings.steps]
    known = [(step, runs[0].run_id) for step in store.steps() if (runs := store.runs(step))]
    for wanted in reversed(names):
        if found := [each for each in known if each[0].step == wanted]:
            return max(found, key=lambda each: run_id_order(each[1]))[0]
    there = ", ".join(sorted({step.step for step, _ in known})) or "no step with runs"
    raise ArtifactNotFoundError(f"{store.url} has no runs of {name or 'a step of this pipeline'}; it has {there}.")


def _runs_of_pipeline(store: ArtifactStore, text: str) -> list[RunAddress]:
    """Return the runs of the steps of a run of the pipeline. Raises ArtifactNotFoundError when it has none."""
    records = [record for _, record in find_pipeline_runs(store, text)]
    found = [split_run_url(step.run)[1] for record in records for step in record.steps if step.run]
    if not found:
        raise ArtifactNotFoundError(f"{text} has no run of any step; `sinara show {text}` tells why.")
    return found


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
