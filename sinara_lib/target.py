"""What a person names on the command line: a run id, or the URL of a run or an entity."""

from collections.abc import Mapping
from dataclasses import dataclass

from sinara_lib.errors import ArtifactNotFoundError, LayoutError
from sinara_lib.layout import EntityAddress, RunAddress, is_run_id, split_entity_url, split_run_url
from sinara_lib.store import ArtifactStore, store_at


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

    `stores` are those of the known environments; a URL outside all of them is looked for where it says.
    Raises ArtifactNotFoundError when there is no such run or folder, LayoutError when `text` is neither.
    """
    if is_run_id(text):
        runs = [run for step in store.steps() for run in store.runs(step) if run.run_id == text]
        if not runs:
            raise ArtifactNotFoundError(f"{store.url} has no run {text}; `sinara ls` lists the runs.")
        return [Target(store, run) for run in runs]
    if "/" not in text:
        raise LayoutError(f"{text!r} is neither a run id (run-YY-MM-DD-HHMMSS-mmm) nor a URL; see `sinara ls`.")
    address: RunAddress | EntityAddress
    if is_run_id(text.rstrip("/").rsplit("/", 1)[-1]):
        root, address = split_run_url(text)
    else:
        root, address = split_entity_url(text)
    known = {each.url: each for each in (store, *(stores or {}).values())}
    found = Target(known.get(root) or store_at(root), address)
    if found.store.url not in known and not found.store.fs.exists(f"{found.store.root}/{address.path}"):
        roots = ", ".join(known)
        raise ArtifactNotFoundError(f"{text} does not exist, and lies in no known environment ({roots}).")
    return [found]
