"""Ways to damage what was committed, with and without care."""

import hashlib
import json
from collections.abc import Callable

from sinara_lib.layout import EntityAddress, RunAddress
from sinara_lib.store import ArtifactStore
from sinara_lib.store.manifest import MANIFEST_FILE, SUCCESS_FILE

Bytes = Callable[[bytes], bytes]


def path_of(store: ArtifactStore, address: EntityAddress | RunAddress, name: str) -> str:
    """Path of a file of a run or entity on the store's filesystem."""
    return f"{store.root}/{address.path}/{name}"


def change_file(store: ArtifactStore, address: EntityAddress | RunAddress, name: str, change: Bytes) -> None:
    """Replace a file's bytes."""
    path = path_of(store, address, name)
    store.fs.pipe_file(path, change(store.fs.cat_file(path)))


def recommit(store: ArtifactStore, address: EntityAddress, change: Callable[[dict[str, object]], None]) -> None:
    """Write manifest and mark anew, fitting each other: what a careful forger, or a faulty writer, leaves."""
    page = json.loads(store.fs.cat_file(path_of(store, address, MANIFEST_FILE)))
    change(page)
    data = json.dumps(page).encode()
    store.fs.pipe_file(path_of(store, address, MANIFEST_FILE), data)
    store.fs.pipe_file(path_of(store, address, SUCCESS_FILE), hashlib.sha256(data).hexdigest().encode())
