"""Writing one entity, on disk or in an object store: unseen until it is committed whole."""

import hashlib
import json
import logging
import shutil
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timezone
from pathlib import Path
from types import TracebackType

from fsspec import AbstractFileSystem

from sinara_lib.errors import ArtifactExistsError, LayoutError, StoreUnavailableError
from sinara_lib.layout import EntityAddress
from sinara_lib.store.file_names import FileNames
from sinara_lib.store.files import StoreFiles
from sinara_lib.store.hashing import HashingFile
from sinara_lib.store.manifest import (
    MANIFEST_FILE,
    SUCCESS_FILE,
    FileEntry,
    Manifest,
    RunRecord,
    content_hash,
)

CHUNK = 1 << 20
CLAIM_PREFIX = "_WRITING."
"""In an object store `_WRITING.<entity>` stands in the run's folder while one writer has the entity in hand."""

log = logging.getLogger(__name__)


class EntityWriter:
    """Writes the files of one entity; nothing is visible before `commit`, nothing stays after `discard`.

    On a local disk the files lie in a hidden sibling folder that is renamed at the end: of several writers the first
    to commit wins. In an object store they go to their final place and become an entity by the `_SUCCESS` that is
    written last; there a writer claims the entity when it begins, and another one is refused.
    `record` gives the run's record, and raises for a run that is closed.
    As a context manager it commits on a clean exit and discards on any exception, Ctrl-C included.
    """

    def __init__(
        self, fs: AbstractFileSystem, path: str, *, address: EntityAddress, record: Callable[[], RunRecord]
    ) -> None:
        self.manifest: Manifest | None = None
        self.rows: int | None = None
        self._store = StoreFiles(fs)
        self._path = path
        self._address = address
        self._record = record
        self._claim = f"{path.rpartition('/')[0]}/{CLAIM_PREFIX}{address.name}"
        self._names = FileNames(MANIFEST_FILE, SUCCESS_FILE)
        self._lock = threading.Lock()
        self._files: list[FileEntry] = []
        self._folder = path if not self._store.local else self._begin_locally()
        if not self._store.local:
            self._claim_entity()

    @contextmanager
    def open(self, name: str) -> Iterator[HashingFile]:
        """Open a new file of the entity for writing; it is counted and hashed on the way. Threads may do so at once.

        Raises LayoutError for a name that is taken, clashes with another but for its case, climbs out, or is one of
        the entity's own marks.
        """
        try:
            self._names.take(name)
        except LayoutError as error:
            raise LayoutError(f"{self._path}: {error}") from None
        try:
            with self._store.new_file(self._folder, name) as raw:
                sink = HashingFile(raw)
                yield sink
        except BaseException:
            self._names.free(name)
            raise
        with self._lock:
            self._files.append(FileEntry(path=name, size=sink.size, sha256=sink.hexdigest()))

    def put(self, source: Path, name: str) -> None:
        """Copy a local file into the entity."""
        with source.open("rb") as stream, self.open(name) as sink:
            shutil.copyfileobj(stream, sink, CHUNK)

    def commit(self) -> Manifest:
        """Write manifest and `_SUCCESS`, and make the entity visible under its final path.

        Inputs and producer are those that the run's record names by now. Raises ArtifactExistsError when another
        writer of the same entity was faster, or the run was closed meanwhile.
        """
        if self._is_committed():
            raise ArtifactExistsError(f"{self._path} was committed meanwhile by another writer.")
        manifest = self._make_manifest(self._record())
        data = manifest.model_dump_json(indent=1).encode()
        mark = hashlib.sha256(data).hexdigest().encode()
        if self._store.local:
            self._write_mark(MANIFEST_FILE, data)
            self._write_mark(SUCCESS_FILE, mark)
            seen = self._store.rename_folder(self._folder, self._path)
        else:
            self._store.write(f"{self._path}/{MANIFEST_FILE}", data)
            seen = self._store.create_own(f"{self._path}/{SUCCESS_FILE}", mark)
        if not seen:
            raise ArtifactExistsError(f"{self._path} was committed meanwhile by another writer.")
        self.manifest = manifest
        self._release()
        return manifest

    def discard(self) -> None:
        """Remove everything written so far, but never what is committed."""
        if self._store.local:
            self._store.remove_folder(self._folder)
            return
        if not self._is_committed():
            self._store.remove_folder(self._folder)
        self._store.remove_file(self._claim)

    def __enter__(self) -> "EntityWriter":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if kind is not None:
            self._discard_after_failure()
            return
        try:
            self.commit()
        except BaseException:
            self._discard_after_failure()
            raise

    def _begin_locally(self) -> str:
        self._refuse_committed()
        return self._store.make_draft_folder(self._path)

    def _claim_entity(self) -> None:
        """Take the entity in hand. A claim given back stands after `_SUCCESS`, hence the look comes second."""
        note = json.dumps({"writer": uuid.uuid4().hex, "began": datetime.now(timezone.utc).isoformat()}).encode()
        try:
            ours = self._store.create_own(self._claim, note)
        except BaseException:
            with suppress(StoreUnavailableError, FileNotFoundError):  # done, but the answer was lost
                if self._store.read(self._claim) == note:
                    self._store.remove_file(self._claim)
            raise
        if not ours:
            self._refuse_committed()
            raise ArtifactExistsError(
                f"{self._path} is in the hands of another writer, or one died at it: {self._claim} stands. "
                "If nobody writes it any more, start a new run."
            )
        try:
            self._refuse_committed()
        except BaseException:
            self._release()
            raise

    def _refuse_committed(self) -> None:
        if self._is_committed():
            raise ArtifactExistsError(f"{self._path} is committed and never changes; start a new run to publish again.")

    def _is_committed(self) -> bool:
        return self._store.exists(f"{self._path}/{SUCCESS_FILE}")

    def _make_manifest(self, record: RunRecord) -> Manifest:
        return Manifest(
            entity=self._address.name,
            run_id=self._address.run.run_id,
            created=datetime.now(timezone.utc),
            producer=record.producer,
            inputs=record.inputs,
            sources=record.sources,
            files=tuple(sorted(self._files, key=lambda f: f.path)),
            rows=self.rows,
            bytes=sum(f.size for f in self._files),
            content=content_hash(self._files),
        )

    def _write_mark(self, name: str, data: bytes) -> None:
        with self._store.new_file(self._folder, name) as raw:
            raw.write(data)

    def _release(self) -> None:
        """Give the claim back; one that stays behind keeps nobody from anything that is still theirs to write."""
        if self._store.local:
            return
        try:
            self._store.remove_file(self._claim)
        except StoreUnavailableError as error:
            log.warning("%s could not be removed: %s", self._claim, error)

    def _discard_after_failure(self) -> None:
        """Discard without hiding the failure that led here."""
        try:
            self.discard()
        except StoreUnavailableError as error:
            log.warning("what was written of %s could not be removed: %s", self._path, error)
