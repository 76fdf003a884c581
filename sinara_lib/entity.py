"""One entity on disk or in an object store: written unseen, committed whole, read with its checksums."""

import hashlib
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from fsspec import AbstractFileSystem
from fsspec.implementations.local import LocalFileSystem

from sinara_lib.errors import ArtifactCorruptError, ArtifactExistsError, ArtifactNotFoundError, LayoutError
from sinara_lib.layout import EntityAddress
from sinara_lib.manifest import (
    MANIFEST_FILE,
    SUCCESS_FILE,
    FileEntry,
    Manifest,
    Producer,
    RunRecord,
    content_hash,
    read_manifest,
)

CHUNK = 1 << 20


class EntityWriter:
    """Writes the files of one entity; nothing is visible before `commit`, nothing stays after `discard`.

    On a local disk the files lie in a hidden sibling folder that is renamed at the end; in an object store they
    go to their final place and become an entity by the `_SUCCESS` that is written last.
    As a context manager it commits on a clean exit and discards on any exception, Ctrl-C included.
    """

    def __init__(self, fs: AbstractFileSystem, path: str, *, address: EntityAddress, record: RunRecord) -> None:
        self.manifest: Manifest | None = None
        self.rows: int | None = None
        self._fs = fs
        self._path = path
        self._address = address
        self._record = record
        self._local = isinstance(fs, LocalFileSystem)
        parent, _, name = path.rpartition("/")
        self._folder = f"{parent}/.{name}.{uuid.uuid4().hex[:8]}" if self._local else path
        self._files: list[FileEntry] = []
        if self._is_committed():
            raise ArtifactExistsError(f"{path} is committed and never changes; start a new run to publish again.")
        fs.makedirs(self._folder, exist_ok=not self._local)

    @contextmanager
    def open(self, name: str) -> Iterator["HashingFile"]:
        """Open a new file of the entity for writing; it is counted and hashed on the way.

        Raises LayoutError for a name that is taken, climbs out, or is one of the entity's own marks.
        """
        parts = name.split("/")
        if name in {MANIFEST_FILE, SUCCESS_FILE, *(f.path for f in self._files)} or {"", ".", ".."} & {*parts}:
            raise LayoutError(f"{self._path}: a file cannot be named {name!r} here; rename it.")
        target = f"{self._folder}/{name}"
        self._fs.makedirs(target.rpartition("/")[0], exist_ok=True)
        with self._fs.open(target, "wb") as raw:
            sink = HashingFile(raw)
            yield sink
            if self._local:
                raw.flush()
                os.fsync(raw.fileno())
        self._files.append(FileEntry(path=name, size=sink.size, sha256=sink.hexdigest()))

    def put(self, source: Path, name: str) -> None:
        """Copy a local file into the entity."""
        with source.open("rb") as stream, self.open(name) as sink:
            shutil.copyfileobj(stream, sink, CHUNK)

    def commit(self) -> Manifest:
        """Write manifest and `_SUCCESS`, and make the entity visible under its final path."""
        if self._is_committed():
            raise ArtifactExistsError(f"{self._path} was committed meanwhile by another writer.")
        manifest = Manifest(
            entity=self._address.name,
            run_id=self._address.run.run_id,
            created=datetime.now(timezone.utc),
            producer=self._record.producer,
            inputs=self._record.inputs,
            files=tuple(sorted(self._files, key=lambda f: f.path)),
            rows=self.rows,
            bytes=sum(f.size for f in self._files),
            content=content_hash(self._files),
        )
        data = manifest.model_dump_json(indent=1).encode()
        self._write_mark(MANIFEST_FILE, data)
        self._write_mark(SUCCESS_FILE, hashlib.sha256(data).hexdigest().encode())
        if self._local:
            self._rename()
        self.manifest = manifest
        return manifest

    def discard(self) -> None:
        """Remove everything written so far, but never what another writer has committed meanwhile."""
        if self._fs.exists(self._folder) and (self._local or not self._is_committed()):
            self._fs.rm(self._folder, recursive=True)

    def __enter__(self) -> "EntityWriter":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if kind is not None:
            self.discard()
            return
        try:
            self.commit()
        except BaseException:
            self.discard()
            raise

    def _is_committed(self) -> bool:
        return bool(self._fs.exists(f"{self._path}/{SUCCESS_FILE}"))

    def _write_mark(self, name: str, data: bytes) -> None:
        with self._fs.open(f"{self._folder}/{name}", "wb") as raw:
            raw.write(data)
            if self._local:
                raw.flush()
                os.fsync(raw.fileno())

    def _rename(self) -> None:
        _sync_folders(Path(self._folder))
        try:
            os.rename(self._folder, self._path)
        except OSError as error:
            if Path(self._path).exists():
                raise ArtifactExistsError(f"{self._path} was committed meanwhile by another writer.") from error
            raise
        _sync_folder(Path(self._path).parent)


class HashingFile:
    """A binary file to write to that counts and hashes what passes."""

    def __init__(self, raw: IO[bytes]) -> None:
        self.size = 0
        self._raw = raw
        self._digest = hashlib.sha256()

    def write(self, data: Any) -> int:
        """Write bytes-like `data` and return its length in bytes."""
        view = memoryview(data)
        self._digest.update(view)
        self._raw.write(view)
        self.size += view.nbytes
        return view.nbytes

    def tell(self) -> int:
        """Return the number of bytes written."""
        return self.size

    def flush(self) -> None:
        """Flush the file below."""
        self._raw.flush()

    def close(self) -> None:
        """Leave closing to whoever opened the file below."""

    @property
    def closed(self) -> bool:
        """Whether the file below is closed."""
        return self._raw.closed

    def hexdigest(self) -> str:
        """Return the sha256 of all that was written."""
        return self._digest.hexdigest()


class EntityReader:
    """Reads the files of one committed entity; sizes are checked always, sha256 as files are read."""

    def __init__(self, fs: AbstractFileSystem, path: str, address: EntityAddress) -> None:
        self.path = path
        self._fs = fs
        self.manifest = _load_manifest(fs, path, address)
        self._check_sizes()

    def read(self, name: str) -> bytes:
        """Return a file's bytes. Raises ArtifactCorruptError when they are not the promised ones."""
        entry = self.manifest.file(name)
        if entry is None:
            known = ", ".join(f.path for f in self.manifest.files[:10])
            raise ArtifactNotFoundError(f"{self.path} has no file {name!r}; it holds: {known}.")
        data: bytes = self._fs.cat_file(f"{self.path}/{name}")
        self._check(entry, len(data), hashlib.sha256(data).hexdigest())
        return data

    def copy(self, name: str, target: Path) -> None:
        """Copy a file of any size to local disk, checked on the way."""
        entry = self.manifest.file(name)
        target.parent.mkdir(parents=True, exist_ok=True)
        with self._fs.open(f"{self.path}/{name}", "rb") as stream, target.open("wb") as raw:
            sink = HashingFile(raw)
            shutil.copyfileobj(stream, sink, CHUNK)
        if entry is not None:
            self._check(entry, sink.size, sink.hexdigest())

    def open_checked(self, name: str) -> Any:
        """Open a file for random reads, after its sha256 was checked."""
        entry = self.manifest.file(name)
        if entry is not None and entry.sha256 is not None:
            self._verify(entry)
        return self._fs.open(f"{self.path}/{name}", "rb")

    def verify(self) -> None:
        """Read every file and compare it with the manifest. Raises ArtifactCorruptError at the first difference."""
        for entry in self.manifest.files:
            self._verify(entry)

    def _verify(self, entry: FileEntry) -> None:
        digest, size = hashlib.sha256(), 0
        with self._fs.open(f"{self.path}/{entry.path}", "rb") as stream:
            while chunk := stream.read(CHUNK):
                digest.update(chunk)
                size += len(chunk)
        self._check(entry, size, digest.hexdigest())

    def _check_sizes(self) -> None:
        found = _data_files(self._fs, self.path)
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
    return read_manifest(data, f"{path}/{MANIFEST_FILE}")


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


def _sync_folders(folder: Path) -> None:
    for root, _, _ in os.walk(folder):
        _sync_folder(Path(root))


def _sync_folder(folder: Path) -> None:
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
