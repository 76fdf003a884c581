"""Reading one committed entity, on disk or in an object store, with its checksums."""

import hashlib
import os
from collections.abc import Iterable, Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from fsspec import AbstractFileSystem

from sinara_lib.errors import ArtifactCorruptError, ArtifactNotFoundError
from sinara_lib.layout import EntityAddress
from sinara_lib.store.files import StoreFiles
from sinara_lib.store.hashing import HashingFile
from sinara_lib.store.manifest import (
    MANIFEST_FILE,
    RUN_FILE,
    SUCCESS_FILE,
    FileEntry,
    Manifest,
    Producer,
    content_hash,
    read_manifest,
)

CHUNK = 1 << 20


class EntityReader:
    """Reads the files of one committed entity; sizes are checked always, sha256 as files are read."""

    def __init__(self, fs: AbstractFileSystem, path: str, address: EntityAddress) -> None:
        self.path = path
        self.fs = fs
        self._store = StoreFiles(fs)
        self.manifest = _load_manifest(self._store, path, address)
        self._check_sizes()

    def reconnect(self) -> None:
        """Connect anew, as a forked process must: its parent's threads and sockets are not its own."""
        self.fs = type(self.fs)(*self.fs.storage_args, **self.fs.storage_options)
        self._store = StoreFiles(self.fs)

    def read(self, name: str) -> bytes:
        """Return a file's bytes. Raises ArtifactCorruptError when they are not the promised ones."""
        entry = self._entry(name)
        data = b"".join(self._chunks(name))
        self._check(entry, len(data), hashlib.sha256(data).hexdigest())
        return data

    def copy(self, name: str, target: Path) -> None:
        """Copy a file of any size to local disk, checked on the way; a damaged one is not left there."""
        entry = self._entry(name)
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            with target.open("wb") as raw:
                sink = HashingFile(raw)
                for chunk in self._chunks(name):
                    sink.write(chunk)
            self._check(entry, sink.size, sink.hexdigest())
        except BaseException:
            target.unlink(missing_ok=True)
            raise

    def open_checked(self, name: str) -> Any:
        """Open a file for random reads, after its sha256 was checked."""
        entry = self._entry(name)
        if entry.sha256 is not None:
            self._verify(entry)
        return self._store.open(f"{self.path}/{name}")

    def _entry(self, name: str) -> FileEntry:
        entry = self.manifest.file(name)
        if entry is None:
            known = ", ".join(f.path for f in self.manifest.files[:10])
            raise ArtifactNotFoundError(f"{self.path} has no file {name!r}; it holds: {known}.")
        return entry

    def _chunks(self, name: str) -> Iterator[bytes]:
        try:
            yield from self._store.chunks(f"{self.path}/{name}", CHUNK)
        except FileNotFoundError as error:
            raise ArtifactCorruptError(f"{self.path}/{name} is missing; its manifest promises it.") from error

    def _verify(self, entry: FileEntry) -> None:
        digest, size = hashlib.sha256(), 0
        for chunk in self._chunks(entry.path):
            digest.update(chunk)
            size += len(chunk)
        self._check(entry, size, digest.hexdigest())

    def _check_sizes(self) -> None:
        found = _data_files(self._store, self.path)
        for entry in self.manifest.files:
            if entry.path not in found:
                raise ArtifactCorruptError(f"{self.path}/{entry.path} is missing; its manifest promises it.")
            self._check(entry, found[entry.path], entry.sha256)

    def _check(self, entry: FileEntry, size: int, sha256: str | None) -> None:
        if size != entry.size:
            raise ArtifactCorruptError(
                f"{self.path}/{entry.path}: expected {entry.size} bytes, found {size}. Run the producing step again."
            )
        if entry.sha256 is not None and sha256 != entry.sha256:
            raise ArtifactCorruptError(
                f"{self.path}/{entry.path}: expected sha256 {entry.sha256}, found {sha256}. "
                "The file was changed after it was published; run the producing step again."
            )


def _load_manifest(store: StoreFiles, path: str, address: EntityAddress) -> Manifest:
    try:
        mark = store.read(f"{path}/{SUCCESS_FILE}").decode("ascii", "replace").strip()
    except FileNotFoundError as error:
        raise ArtifactNotFoundError(f"{path} is not a committed entity: it has no {SUCCESS_FILE}.") from error
    if not mark:
        _refuse_emptied(store, path)
        return _foreign_manifest(store, path, address)
    try:
        data = store.read(f"{path}/{MANIFEST_FILE}")
    except FileNotFoundError as error:
        raise ArtifactCorruptError(f"{path}/{MANIFEST_FILE} is missing although {SUCCESS_FILE} names it.") from error
    if hashlib.sha256(data).hexdigest() != mark:
        raise ArtifactCorruptError(f"{path}/{MANIFEST_FILE} is not the one that was committed: {SUCCESS_FILE} differs.")
    manifest = read_manifest(data, f"{path}/{MANIFEST_FILE}")
    if (manifest.run_id, manifest.entity) != (address.run.run_id, address.name):
        raise ArtifactCorruptError(
            f"{path}/{MANIFEST_FILE} is that of {manifest.run_id}/{manifest.entity}: the entity was moved or swapped."
        )
    _check_names((entry.path for entry in manifest.files), path)
    return manifest


def _refuse_emptied(store: StoreFiles, path: str) -> None:
    """Only SinaraML leaves `_SUCCESS` empty; beside records of ours it was emptied."""
    for record in (f"{path}/{MANIFEST_FILE}", f"{path.rpartition('/')[0]}/{RUN_FILE}"):
        if store.exists(record):
            raise ArtifactCorruptError(
                f"{path}/{SUCCESS_FILE} is empty, but {record} is not SinaraML's: run the producing step again."
            )


def _foreign_manifest(store: StoreFiles, path: str, address: EntityAddress) -> Manifest:
    """Describe a folder that SinaraML itself wrote: an empty `_SUCCESS`, no manifest, no checksums."""
    sizes = _data_files(store, path)
    _check_names(sizes, path)
    files = tuple(FileEntry(path=name, size=size, sha256=None) for name, size in sorted(sizes.items()))
    return Manifest(
        entity=address.name,
        run_id=address.run.run_id,
        created=datetime.fromtimestamp(0, timezone.utc),
        producer=Producer(library="SinaraML"),
        inputs=(),
        files=files,
        bytes=sum(f.size for f in files),
        content=content_hash(files),
    )


def _data_files(store: StoreFiles, path: str) -> dict[str, int]:
    return {name: size for name, size in store.sizes(path).items() if name not in {MANIFEST_FILE, SUCCESS_FILE}}


def _check_names(names: Iterable[str], path: str) -> None:
    """Raise ArtifactCorruptError for a file name that would be written outside the folder it is fetched into."""
    for name in names:
        if {"", ".", ".."} & {*name.replace(os.sep, "/").split("/")}:
            raise ArtifactCorruptError(f"{path}: its file {name!r} climbs out of the entity: somebody changed it.")
