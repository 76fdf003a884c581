"""What a store asks of a filesystem, on a local disk and in an object store: atomic files, claims, listings."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from fsspec import AbstractFileSystem
from fsspec.implementations.local import LocalFileSystem
from fsspec.spec import AbstractBufferedFile

from sinara_lib.errors import ArtifactCorruptError
from sinara_lib.store.failures import answer_code, plain_errors, vanished
from sinara_lib.store.local_files import (
    draft_of,
    leads_into,
    make_folders,
    open_regular,
    remove_tree,
    sync_folder,
    write_through,
)
from sinara_lib.store.plain_file import PlainFile

FOLDERLESS = {"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "memory"}
"""Schemes whose files need no folder to lie in; asking s3fs for one would even make a missing bucket."""

MOST_BYTES = 256 << 20
"""Records, marks and manifests are smaller, by far but for manifests: those name some 200 bytes for each file."""


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
        """Return the bytes of a small file. Raises FileNotFoundError, and ArtifactCorruptError for no such file."""
        with plain_errors(self.fs, path):
            if not self.local:
                return bytes(self.fs.cat_file(path))
            with open_regular(path) as file:
                if os.fstat(file.fileno()).st_size <= MOST_BYTES:
                    return file.read(MOST_BYTES)
        raise ArtifactCorruptError(f"{path} is larger than {MOST_BYTES >> 20} MiB, which no record is: look at it.")

    def exists(self, path: str) -> bool:
        """Tell whether a file is there; a place that cannot be asked is an error, not a no."""
        with plain_errors(self.fs, path):
            try:
                self.fs.invalidate_cache(path.rpartition("/")[0])  # some drivers answer from listings they keep
                self.fs.info(path)
            except (FileNotFoundError, NotADirectoryError):
                return False
        return True

    def folders(self, path: str, *, within: str | None = None) -> list[str]:
        """Return the names of the folders in a folder, in no order; none when it is not there.

        A link to a folder below `within` is left out: that one is found under its own name.
        """
        with plain_errors(self.fs, path):
            try:
                if self.local:
                    with os.scandir(path) as entries:
                        return [entry.name for entry in entries if entry.is_dir() and not leads_into(entry, within)]
                self.fs.invalidate_cache(path)
                listing = self.fs.ls(path, detail=True)
            except FileNotFoundError as error:
                if answer_code(error):
                    raise
                return []
        return [e["name"].rstrip("/").rsplit("/", 1)[-1] for e in listing if e["type"] == "directory"]

    def identity(self, folder: str) -> object:
        """Return what tells a folder that is there from every other one, whatever links lead to it.

        In an object store every path is a place of its own.
        """
        if self.local:
            with suppress(OSError):
                found = os.stat(folder)
                return (found.st_dev, found.st_ino)
        return (self.fs, folder)

    def true_path(self, folder: str, *, within: str) -> str:
        """Return a folder's path below the folder `within`, on a local disk without any link; empty when outside."""
        if self.local:
            folder, within = os.path.realpath(folder), os.path.realpath(within)
        return folder.removeprefix(f"{within}/") if folder.startswith(f"{within}/") else ""

    def is_link(self, folder: str) -> bool:
        """Tell whether a local folder is a link to one."""
        return self.local and os.path.islink(folder)

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
            draft = draft_of(path)
            try:
                write_through(draft, data)
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
            draft = draft_of(folder)
            make_folders(draft.parent)
            draft.mkdir()
            try:
                write_through(draft / name, data)
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
        draft = draft_of(folder)
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
    def new_file(self, folder: str, name: str) -> Iterator[PlainFile]:
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

    def rename_file(self, path: str, target: str) -> None:
        """Rename a local file within its folder; nothing happens when it is not there."""
        with plain_errors(self.fs, path), suppress(FileNotFoundError):
            os.replace(path, target)
            sync_folder(Path(target).parent)

    def remove_folder(self, folder: str) -> None:
        """Remove a folder with all in it; nothing happens when it is not there."""
        with plain_errors(self.fs, folder), suppress(FileNotFoundError):
            if self.local:
                remove_tree(folder)
            else:
                self.fs.rm(folder, recursive=True)

    def remove_file(self, path: str) -> None:
        """Remove a file; nothing happens when it is not there."""
        with plain_errors(self.fs, path), suppress(FileNotFoundError):
            self.fs.rm_file(path)

    def open(self, path: str) -> Any:
        """Open a file for reading. Raises FileNotFoundError."""
        with plain_errors(self.fs, path):
            return open_regular(path) if self.local else self.fs.open(path, "rb")

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


def _abandon(raw: Any) -> None:
    """Let go of a file that was not written to its end; drivers upload on closing, garbage collection included."""
    with suppress(Exception):  # the failure that led here is the one to tell
        if isinstance(raw, AbstractBufferedFile):
            raw.closed = True
            raw.discard()
        else:
            raw.close()
