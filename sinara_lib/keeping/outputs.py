"""Whether what a run published still stands as it was: by one listing, or, where that differs, by reading it all."""

import hashlib
import json
import logging
from collections.abc import Iterable, Mapping

from sinara_lib.catalog.find import Target
from sinara_lib.errors import ArtifactError
from sinara_lib.keeping.notes import note_path, read_note, write_note
from sinara_lib.layout import RunAddress
from sinara_lib.store import ArtifactStore
from sinara_lib.store.listings import file_versions
from sinara_lib.store.manifest import SUCCESS_FILE
from sinara_lib.store.step_identity import Output

Versions = Mapping[str, tuple[int, str]]
"""Size and version of each file of a run, by its path below the run."""

log = logging.getLogger(__name__)


def read_outputs(store: ArtifactStore, run: RunAddress, names: Iterable[str]) -> dict[str, Output]:
    """Return what a run has published under these names: the content, and the stamp of its files as they are now."""
    versions = _versions(store, run)
    return {
        name: Output(content=store.open(run.entity(name)).manifest.content, stamp=_stamp(versions, name))
        for name in names
    }


def why_fallen(store: ArtifactStore, run: RunAddress, outputs: Mapping[str, Output]) -> str | None:
    """Return what is wrong with the outputs of a run, in words; None when all stand. Costs one listing.

    Where files are not as they were noted (another disk, or a change), every byte is read once, and the answer is kept
    in the user's cache for this state of the files.
    """
    versions = _versions(store, run)
    for name, output in outputs.items():
        if f"{name}/{SUCCESS_FILE}" not in versions:
            return f"{name} is gone"
        stamp = _stamp(versions, name)
        if stamp == output.stamp:
            continue
        note = note_path("verified", store.url_of(run.entity(name)))
        if read_note(note) == stamp:
            continue
        log.info("%s: its files are not as they were noted; reading them", store.url_of(run.entity(name)))
        if wrong := _damage(store, run, name, output):
            return wrong
        write_note(note, stamp)
    return None


def _damage(store: ArtifactStore, run: RunAddress, name: str, output: Output) -> str | None:
    """Read an entity and return what is wrong with it, in words."""
    from sinara_lib.catalog.verify import verify_targets  # where nothing has changed, nothing is read

    address = run.entity(name)
    if found := verify_targets([Target(store, address)]).findings:
        return f"{name} is damaged ({found[0]})"
    try:
        content = store.open(address).manifest.content
    except ArtifactError as error:
        return f"{name} is damaged ({error})"
    return None if content == output.content else f"{name} holds something else than was published"


def _versions(store: ArtifactStore, run: RunAddress) -> Versions:
    return file_versions(store.fs, f"{store.root}/{run.path}")


def _stamp(versions: Versions, entity: str) -> str:
    own = sorted((path, size, version) for path, (size, version) in versions.items() if path.startswith(f"{entity}/"))
    return hashlib.sha256(json.dumps(own).encode()).hexdigest()
