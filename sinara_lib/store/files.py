"""What a store asks of a filesystem, on a local disk and in an object store: atomic files, claims, listings."""

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from fsspec import AbstractFileSystem
from fsspec.implementations.local import LocalFileSystem
from fsspec.spec import AbstractBufferedFile

from sinara_lib.store.failures import answer_code, plain_errors, vanished

FOLDERLESS = {"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "memory"}
"""Schemes whose files need no folder to lie in; asking s3fs for one would even make a missing bucket."""

_PIECE = 1 << 20
"""Bytes handed on at once: drivers of object stores upload, and copy, all they hold when it is a part or more."""


class StoreFiles:
    """A filesystem's files as the store needs them; failures raise StoreUnavailableError.

    On a local disk what is written is on the disk, and not only in its cache, when a method returns.
    """

    def __init__(self, fs: AbstractFileSystem) -> None:
        self.fs = fs
        self.local = isinstance(fs, LocalFileSystem)
        schemes = {fs.protocol} if isinstance(fs.protocol, str) else {*fs.protocol}
        self._has_folders = not schemes & FOLDERLESS

    def read(self, path: str) -> bytes:
        """Return a file's bytes. Raises FileNotFoundError."""
        with plain_errors(self.fs, path):
            return bytes(self.fs.cat_file(path))

    def exists(self, path: str) -> bool:
        """Tell whether a file is there; a place that cannot be asked is an error, not a no."""
        with plain_errors(self.fs, path):
            try:
                self.fs.invalidate_cache(path.rpartition("/")[0])  # some drivers answer from listings they keep
                self.fs.info(path)
            except (FileNotFoundError, NotADirectoryError):
                return False
        return True

    def folders(self, path: str) -> list[str]:
        """Return the names of the folders in a folder, in no order; none when it is not there."""
        with plain_errors(self.fs, path):
            try:
                if self.local:
                    with os.scandir(path) as entries:
                        return [entry.name for entry in entries if entry.is_dir()]
                self.fs.invalidate_cache(path)
                listing = self.fs.ls(path, detail=True)
            except FileNotFoundError as error:
                if answer_code(error):
                    raise
                return []
        return [e["name"].rstrip("/").rsplit("/", 1)[-1] for e in listing if e["type"] == "directory"]

    def sizes(self, folder: str) -> dict[str, int]:
        """Return the size in bytes of every file below a folder, by its path from there."""
        with plain_errors(self.fs, folder):
            self.fs.invalidate_cache(folder)
            found = self.fs.find(folder, detail=True)
        base = self.fs._strip_protocol(folder).rstrip("/") + "/"
        return {name[len(base) :]: int(info["size"]) for name, info in found.items()}

    def write(self, path: str, data: bytes) -> None:
        """Write a small file atomically, over an older one."""
        with plain_errors(self.fs, path):
            if not self.local:
                self.fs.pipe_file(path, data)
                return
            draft = _draft_of(path)
            try:
                _write_through(draft, data)
                os.replace(draft, path)
            except FileNotFoundError as error:
                raise vanished(self.fs, path.rpartition("/")[0]) from error
            except BaseException:
                draft.unlink(missing_ok=True)
                raise
            sync_folder(Path(path).parent)

    def create(self, path: str, data: bytes) -> bool:
        """Create a small file in an object store unless it exists, and tell whether this call made it."""
        with plain_errors(self.fs, path):
            try:
                if self._has_folders:
                    self.fs.makedirs(path.rpartition("/")[0], exist_ok=True)
                self.fs.pipe_file(path, data, mode="create")
            except FileExistsError:
                return False
            except OSError as error:
                if answer_code(error) in {"PreconditionFailed", "ConditionalRequestConflict"}:
                    return False
                raise
        return True

    def create_own(self, path: str, data: bytes) -> bool:
        """Do as `create` does with data that nobody else writes: a file that holds it is this call's.

        A client that asks again after an answer was lost is told that the file exists, which it has just made.
        """
        if self.create(path, data):
            return True
        try:
            return self.read(path) == data
        except FileNotFoundError:
            return False

    def claim_folder(self, folder: str, name: str, data: bytes) -> bool:
        """Make a folder that holds the file `name` unless it exists, and tell whether this call made it.

        Nobody sees the folder without the file: local disks rename a draft onto it, which fails where it has content.
        """
        if not self.local:
            return self.create(f"{folder}/{name}", data)
        with plain_errors(self.fs, folder):
            draft = _draft_of(folder)
            _make_folders(draft.parent)
            draft.mkdir()
            try:
                _write_through(draft / name, data)
                sync_folder(draft)
                if Path(folder).exists():
                    return False
                os.rename(draft, folder)
            except OSError:
                if Path(folder).exists():
                    return False
                raise
            finally:
                shutil.rmtree(draft, ignore_errors=True)
            sync_folder(draft.parent)
        return True

    def make_draft_folder(self, folder: str) -> str:
        """Make an empty hidden folder beside `folder` on a local disk, to be renamed to it, and return its path."""
        draft = _draft_of(folder)
        with plain_errors(self.fs, folder):
            try:
                draft.mkdir()
            except FileNotFoundError as error:
                raise vanished(self.fs, str(draft.parent)) from error
        return str(draft)

    def rename_folder(self, draft: str, folder: str) -> bool:
        """Rename a local folder, all of it on the disk before, and tell whether `folder` was still free."""
        with plain_errors(self.fs, folder):
            for root, _, _ in os.walk(draft):
                sync_folder(Path(root))
            try:
                os.rename(draft, folder)
            except OSError as error:
                if Path(folder).exists():
                    return False
                if isinstance(error, FileNotFoundError):
                    raise vanished(self.fs, draft) from error
                raise
            sync_folder(Path(folder).parent)
        return True

    @contextmanager
    def new_file(self, folder: str, name: str) -> Iterator["PlainFile"]:
        """Open a new file below an existing folder for writing; one whose block fails is not uploaded."""
        path = f"{folder}/{name}"
        with plain_errors(self.fs, path):
            if self.local:
                self._make_below(Path(folder), name)
            elif self._has_folders:
                self.fs.makedirs(path.rpartition("/")[0], exist_ok=True)
            raw = self.fs.open(path, "wb")
        try:
            yield PlainFile(raw, self.fs, path)
        except BaseException:
            _abandon(raw)
            raise
        with plain_errors(self.fs, path):
            if self.local:
                raw.flush()
                os.fsync(raw.fileno())
            raw.close()

    def remove_folder(self, folder: str) -> None:
        """Remove a folder with all in it; nothing happens when it is not there."""
        with plain_errors(self.fs, folder), suppress(FileNotFoundError):
            self.fs.rm(folder, recursive=True)

    def remove_file(self, path: str) -> None:
        """Remove a file; nothing happens when it is not there."""
        with plain_errors(self.fs, path), suppress(FileNotFoundError):
            self.fs.rm_file(path)

    def open(self, path: str) -> Any:
        """Open a file for reading. Raises FileNotFoundError."""
        with plain_errors(self.fs, path):
            return self.fs.open(path, "rb")

    def chunks(self, path: str, size: int) -> Iterator[bytes]:
        """Yield a file's bytes, `size` at a time. Raises FileNotFoundError."""
        with self.open(path) as stream:
            while True:
                with plain_errors(self.fs, path):
                    chunk = stream.read(size)
                if not chunk:
                    return
                yield chunk

    def _make_below(self, folder: Path, name: str) -> None:
        """Make the folders of `name` below `folder`, but never `folder`: its disk may just have been taken away."""
        if not folder.is_dir():
            raise vanished(self.fs, str(folder))
        for part in [*Path(name).parents][-2::-1]:
            (folder / part).mkdir(exist_ok=True)


class PlainFile:
    """A file to write to whose failures are told in plain words."""

    def __init__(self, raw: Any, fs: AbstractFileSystem, path: str) -> None:
        self._raw = raw
        self._fs = fs
        self._path = path

    def write(self, data: Any) -> int:
        """Write bytes-like `data` and return its length in bytes."""
        view = memoryview(data).cast("B")
        with plain_errors(self._fs, self._path):
            for at in range(0, len(view), _PIECE):
                self._raw.write(view[at : at + _PIECE])
        return len(view)

    def flush(self) -> None:
        """Hand on what is buffered."""
        with plain_errors(self._fs, self._path):
            self._raw.flush()

    @property
    def closed(self) -> bool:
        """Whether the file is closed."""
        return bool(self._raw.closed)


def sync_folder(folder: Path) -> None:
    """Bring a local folder's own entries to the disk."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _draft_of(path: str) -> Path:
    """Return a hidden path of its own beside `path`."""
    return Path(path).with_name(f".{Path(path).name}.{uuid.uuid4().hex[:8]}")


def _write_through(path: Path, data: bytes) -> None:
    with path.open("wb") as raw:
        raw.write(data)
        raw.flush()
        os.fsync(raw.fileno())


def _make_folders(folder: Path) -> None:
    """Make a folder and those above it, and bring the new entries to the disk."""
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for each in missing:
        sync_folder(each.parent)


def _abandon(raw: Any) -> None:
    """Let go of a file that was not written to its end; drivers upload on closing, garbage collection included."""
    with suppress(Exception):  # the failure that led here is the one to tell
        if isinstance(raw, AbstractBufferedFile):
            raw.closed = True
            raw.discard()
        else:
            raw.close()
