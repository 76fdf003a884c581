"""What dead writers left in a store: hidden drafts, uploads that never became entities, empty folders of runs."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fsspec.implementations.local import LocalFileSystem

from sinara_lib.layout import StepAddress, is_run_id
from sinara_lib.store import ArtifactStore
from sinara_lib.store.entity_writer import CLAIM_PREFIX
from sinara_lib.store.failures import plain_errors
from sinara_lib.store.manifest import SUCCESS_FILE

_DRAFT = re.compile(r"\.(.+)\.[0-9a-f]{8}")


@dataclass(frozen=True)
class Listing:
    """Everything below a step: per folder in it, path -> size in bytes; on a local disk folders are named as well."""

    step: StepAddress
    folders: Mapping[str, Mapping[str, int]]

    def size(self, folder: str) -> int:
        """Return the bytes of all files in a folder of the step."""
        return sum(self.folders.get(folder, {}).values())


@dataclass(frozen=True)
class Remains:
    """Something to remove: its path below the store's root, its size in bytes, why, and the id of the run it is of."""

    path: str
    bytes: int
    why: str
    run_id: str


def list_step(store: ArtifactStore, step: StepAddress) -> Listing:
    """Look at everything below a step; in an object store, one paged listing."""
    base = f"{store.root}/{step.path}"
    with plain_errors(store.fs, base):
        store.fs.invalidate_cache()
        found = store.fs.find(base, detail=True, withdirs=isinstance(store.fs, LocalFileSystem))
    start = len(store.fs._strip_protocol(base).rstrip("/")) + 1
    folders: dict[str, dict[str, int]] = {}
    for path, size in ((name[start:], _entry_size(info)) for name, info in found.items()):
        folder, _, rest = path.partition("/")
        if not folder:
            continue
        inside = folders.setdefault(folder, {})
        if rest:
            inside[rest] = size
    return Listing(step, folders)


def remains_of_runs(listing: Listing, over: set[str]) -> Iterator[Remains]:
    """Yield what dead writers left in the folders of runs with ids in `over`, which were over before the listing."""
    for run_id in sorted(listing.folders.keys() & over):
        inside = listing.folders[run_id]
        base = f"{listing.step.path}/{run_id}"
        if not inside:
            yield Remains(base, 0, "the empty folder of a run", run_id)
        tops = dict.fromkeys(path.partition("/")[0] for path in inside)
        for top in tops:
            if _DRAFT.fullmatch(top):
                yield Remains(f"{base}/{top}", _size(inside, top), "the draft of a writer that died", run_id)
            elif top.startswith(CLAIM_PREFIX):
                yield from _abandoned(base, inside, run_id, entity=top.removeprefix(CLAIM_PREFIX))


def drafts_of_runs(listing: Listing) -> Iterator[Remains]:
    """Yield the hidden folders of runs that died while they were made; whether somebody is at it, nobody knows."""
    for folder in listing.folders:
        draft = _DRAFT.fullmatch(folder)
        if draft and is_run_id(draft[1]):
            path = f"{listing.step.path}/{folder}"
            yield Remains(path, listing.size(folder), "a run that died while it was made", draft[1])


def _abandoned(base: str, inside: Mapping[str, int], run_id: str, *, entity: str) -> Iterator[Remains]:
    """Yield an upload without `_SUCCESS`, then its claim: a gc that is killed in between finds the claim again."""
    if f"{entity}/{SUCCESS_FILE}" not in inside and (size := _size(inside, entity)):
        yield Remains(f"{base}/{entity}", size, "an upload that never became an entity", run_id)
    claim = f"{CLAIM_PREFIX}{entity}"
    yield Remains(f"{base}/{claim}", inside[claim], "the claim of a writer that died", run_id)


def _entry_size(info: Mapping[str, Any]) -> int:
    return 0 if info["type"] == "directory" else int(info["size"])


def _size(inside: Mapping[str, int], top: str) -> int:
    return sum(size for path, size in inside.items() if path == top or path.startswith(f"{top}/"))
