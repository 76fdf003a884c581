"""Writing one entity, on disk or in an object store: unseen until it is committed whole."""

import hashlib
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from types import TracebackType

from fsspec import AbstractFileSystem
from fsspec.implementations.local import LocalFileSystem

from sinara_lib.errors import ArtifactExistsError, LayoutError
from sinara_lib.hashing import HashingFile
from sinara_lib.layout import EntityAddress
from sinara_lib.manifest import (
    MANIFEST_FILE,
    SUCCESS_FILE,
    FileEntry,
    Manifest,
    RunRecord,
    content_hash,
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
            sources=self._record.sources,
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
