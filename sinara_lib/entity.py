"""Reading one committed entity, on disk or in an object store, with its checksums."""

import hashlib
import shutil
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from fsspec import AbstractFileSystem

from sinara_lib.errors import ArtifactCorruptError, ArtifactNotFoundError
from sinara_lib.hashing import HashingFile
from sinara_lib.layout import EntityAddress
from sinara_lib.manifest import (
    MANIFEST_FILE,
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
        self.manifest = _load_manifest(fs, path, address)
        self._check_sizes()

    def read(self, name: str) -> bytes:
        """Return a file's bytes. Raises ArtifactCorruptError when they are not the promised ones."""
        entry = self.manifest.file(name)
        if entry is None:
            known = ", ".join(f.path for f in self.manifest.files[:10])
            raise ArtifactNotFoundError(f"{self.path} has no file {name!r}; it holds: {known}.")
        data: bytes = self.fs.cat_file(f"{self.path}/{name}")
        self._check(entry, len(data), hashlib.sha256(data).hexdigest())
        return data

    def copy(self, name: str, target: Path) -> None:
        """Copy a file of any size to local disk, checked on the way."""
        entry = self.manifest.file(name)
        target.parent.mkdir(parents=True, exist_ok=True)
        with self.fs.open(f"{self.path}/{name}", "rb") as stream, target.open("wb") as raw:
            sink = HashingFile(raw)
            shutil.copyfileobj(stream, sink, CHUNK)
        if entry is not None:
            self._check(entry, sink.size, sink.hexdigest())

    def open_checked(self, name: str) -> Any:
        """Open a file for random reads, after its sha256 was checked."""
        entry = self.manifest.file(name)
        if entry is not None and entry.sha256 is not None:
            self._verify(entry)
        return self.fs.open(f"{self.path}/{name}", "rb")

    def verify(self) -> None:
        """Read every file and compare it with the manifest. Raises ArtifactCorruptError at the first difference."""
        extra = sorted(set(_data_files(self.fs, self.path)) - {entry.path for entry in self.manifest.files})
        if extra:
            raise ArtifactCorruptError(f"{self.path} holds {', '.join(extra[:5])}, which its manifest does not name.")
        for entry in self.manifest.files:
            self._verify(entry)

    def _verify(self, entry: FileEntry) -> None:
        digest, size = hashlib.sha256(), 0
        with self.fs.open(f"{self.path}/{entry.path}", "rb") as stream:
            while chunk := stream.read(CHUNK):
                digest.update(chunk)
                size += len(chunk)
        self._check(entry, size, digest.hexdigest())

    def _check_sizes(self) -> None:
        found = _data_files(self.fs, self.path)
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


def _load_manifest(fs: AbstractFileSystem, path: str, address: EntityAddress) -> Manifest:
    try:
        mark = fs.cat_file(f"{path}/{SUCCESS_FILE}").decode().strip()
    except FileNotFoundError as error:
        raise ArtifactNotFoundError(f"{path} is not a committed entity: it has no {SUCCESS_FILE}.") from error
    if not mark:
        return _foreign_manifest(fs, path, address)
    try:
        data: bytes = fs.cat_file(f"{path}/{MANIFEST_FILE}")
    except FileNotFoundError as error:
        raise ArtifactCorruptError(f"{path}/{MANIFEST_FILE} is missing although {SUCCESS_FILE} names it.") from error
    if hashlib.sha256(data).hexdigest() != mark:
        raise ArtifactCorruptError(f"{path}/{MANIFEST_FILE} is not the one that was committed: {SUCCESS_FILE} differs.")
    manifest = read_manifest(data, f"{path}/{MANIFEST_FILE}")
    if (manifest.run_id, manifest.entity) != (address.run.run_id, address.name):
        raise ArtifactCorruptError(
            f"{path}/{MANIFEST_FILE} is that of {manifest.run_id}/{manifest.entity}: the entity was moved or swapped."
        )
    return manifest


def _foreign_manifest(fs: AbstractFileSystem, path: str, address: EntityAddress) -> Manifest:
    """Describe a folder that SinaraML itself wrote: an empty `_SUCCESS`, no manifest, no checksums."""
    files = tuple(FileEntry(path=n, size=s, sha256=None) for n, s in sorted(_data_files(fs, path).items()))
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


def _data_files(fs: AbstractFileSystem, path: str) -> dict[str, int]:
    found = fs.find(path, detail=True)
    base = fs._strip_protocol(path).rstrip("/") + "/"
    sizes = {name[len(base) :]: int(info["size"]) for name, info in found.items()}
    return {name: size for name, size in sizes.items() if name not in {MANIFEST_FILE, SUCCESS_FILE}}
