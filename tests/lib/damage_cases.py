"""Ways to damage what was committed, with and without care."""

import hashlib
import json
import random
import struct
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


def changed_bytes(data: bytes, dice: random.Random) -> bytes:
    """Flip, overwrite, cut, repeat, fill or insert somewhere."""
    at, size = dice.randrange(len(data)), dice.choice([1, 1, 1, 2, 4, 8, 64])
    change = dice.randrange(7)
    if change == 0:
        return data[:at] + bytes([data[at] ^ (1 << dice.randrange(8))]) + data[at + 1 :]
    if change == 1:
        return data[:at] + dice.randbytes(size) + data[at + size :]
    if change == 2:
        return data[:at]
    if change == 3:
        return data[: at + size] + data[at:]
    if change == 4:
        return data[:at] + bytes([dice.choice([0, 255, 127, 128])]) * size + data[at + size :]
    if change == 5:
        return data[:at] + dice.choice([b"[" * 3000, b"9" * 5000, b"\xff", b"{", b'"', b"-", b"\0"]) + data[at:]
    return data[:at] + struct.pack("<q", dice.choice([-1, 1 << 62, -(1 << 62), 1 << 31, 0])) + data[at + 8 :]
