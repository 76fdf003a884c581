"""The one run that a person names on the command line, in whatever environment it is."""

import logging
from collections.abc import Iterator

from sinara_lib.errors import ArtifactNotFoundError, LayoutError, SinaraError
from sinara_lib.layout import RunAddress, is_run_id
from sinara_lib.settings import Settings
from sinara_lib.target import Target, find_targets

log = logging.getLogger(__name__)


def find_run(settings: Settings, text: str, *, env: str | None = None) -> Target:
    """Return the one run that `text` names: by its id, in `env` or else in any environment, or by its URL.

    Raises ArtifactNotFoundError when there is none, LayoutError when it is no name of a run, or that of several.
    """
    envs = [env] if env else list(settings.roots)
    if is_run_id(text):
        found = list(_by_id(settings, text, envs))
    else:
        found = find_targets(settings.store(envs[0]), text, stores={e: settings.store(e) for e in settings.roots})
    runs = {target.url: target for target in map(_run_of, found)}
    if not runs:
        raise ArtifactNotFoundError(f"No run {text} in {', '.join(envs)}: `sinara ls --env …` lists the runs.")
    if len(runs) > 1:
        raise LayoutError(f"{text} is the id of several runs; name one by its URL: {', '.join(runs)}.")
    return next(iter(runs.values()))


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
