"""Lets mmengine, and so every dataset, transform and metric of mmdet, read files of archives straight from the store.

Importing this module registers the backend. Then an archive's URL with `sinara+` before it is a folder to read from:
`data_root="sinara+s3://bucket/obj_detect_rest/test/data_prep/run-26-11-21-013711-482/coco_train_dataset"`. Where a
configuration chooses by `backend_args`, `{"backend": "sinara", "archive": <URL>}` reads paths such as
`sinara://images/1.jpg` as names in that archive.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import NoReturn

import fsspec
from mmengine.fileio import BaseStorageBackend, register_backend

from sinara_lib.archive import ArchiveReader, open_archive
from sinara_lib.errors import ArtifactNotFoundError, DataError, LayoutError
from sinara_lib.layout import is_run_id

PREFIX = "sinara"
OPEN_ARCHIVES = 8
"""Archives that a process keeps open; the one unused for longest is closed."""


_held: dict[str, dict[str, bytes]] = {}


def store_path(url: str) -> str:
    """Return the path under which mmengine reads the files of the archive at `url`, an entity's URL."""
    return f"{PREFIX}+{url}" if "://" in url else f"{PREFIX}://{url}"


def archive_url(path: str) -> str | None:
    """Return the URL of the archive whose `store_path` this is; None for any other path."""
    for start in (f"{PREFIX}://", f"{PREFIX}+"):
        if path.startswith(start):
            return path.removeprefix(start)
    return None


@contextlib.contextmanager
def hold_archive(url: str) -> Iterator[None]:
    """Keep all files of an archive in memory while the block runs, read once in their order and checked.

    Processes that are forked inside the block share the bytes; they are not copied.
    """
    with open_archive(url) as archive:
        _held[url] = dict(archive)
    try:
        yield
    finally:
        del _held[url]


@register_backend(PREFIX, prefixes=[PREFIX, *(f"{PREFIX}+{scheme}" for scheme in fsspec.available_protocols())])
class SinaraBackend(BaseStorageBackend):  # type: ignore[misc]  # mmengine publishes no types
    """Reads files of archives, checked by their sha256; it cannot write.

    archive: URL of the archive that paths are names in; None when each path holds the URL of its own archive.
    """

    def __init__(self, archive: str | None = None) -> None:
        self._archive = archive

    def get(self, filepath: str | Path) -> bytes:
        """Return the bytes of a file. Raises ArtifactNotFoundError or ArtifactCorruptError naming it."""
        url, name = self._locate(filepath)
        held = _held.get(url, {})
        return held[name] if name in held else _opened(url, os.getpid()).read(name)

    def get_text(self, filepath: str | Path, encoding: str = "utf-8") -> str:
        """Return a file as text."""
        return self.get(filepath).decode(encoding)

    def exists(self, filepath: str | Path) -> bool:
        """Tell whether there is a file or folder of that name."""
        return self.isfile(filepath) or self.isdir(filepath)

    def isfile(self, filepath: str | Path) -> bool:
        """Tell whether there is a file of that name."""
        try:
            reader, name = self._find(filepath)
            reader.length(name)
        except ArtifactNotFoundError:
            return False
        return True

    def isdir(self, filepath: str | Path) -> bool:
        """Tell whether there are files below that name."""
        try:
            reader, name = self._find(filepath)
        except ArtifactNotFoundError:
            return False
        folder = f"{name.rstrip('/')}/" if name else ""
        return any(one.startswith(folder) for one in reader.names())

    def join_path(self, filepath: str | Path, *filepaths: str | Path) -> str:
        """Join a path and names below it."""
        path = str(filepath)
        for one in filepaths:
            path = f"{path if path.endswith('/') else path + '/'}{str(one).lstrip('/')}"
        return path

    @contextlib.contextmanager
    def get_local_path(self, filepath: str | Path) -> Iterator[str]:
        """Give the path of a copy on local disk, of the same name, that is there until the block ends."""
        with tempfile.TemporaryDirectory(prefix="sinara-") as folder:
            copy = Path(folder) / str(filepath).rpartition("/")[2]
            copy.write_bytes(self.get(filepath))
            yield str(copy)

    def _refuse(self, *_: object) -> NoReturn:
        raise DataError(
            "mmengine asked to write to, delete in or list an archive of the store: what is committed never changes, "
            "and this backend reads single files only. Write to a local folder and `pack` it; `unpack` gives a folder."
        )

    put = put_text = copyfile = copytree = copyfile_from_local = copytree_from_local = _refuse
    remove = rmtree = copy_if_symlink_fails = copyfile_to_local = copytree_to_local = list_dir_or_file = _refuse

    def _find(self, filepath: str | Path) -> tuple[ArchiveReader, str]:
        url, name = self._locate(filepath)
        return _opened(url, os.getpid()), name

    def _locate(self, filepath: str | Path) -> tuple[str, str]:
        """Return the URL of the archive that a path lies in, and the file's name there."""
        path = str(filepath).replace("\\", "/").removeprefix(f"{PREFIX}://").removeprefix(f"{PREFIX}+")
        return (self._archive, path.strip("/")) if self._archive else _split(path)


@lru_cache(maxsize=OPEN_ARCHIVES)
def _opened(url: str, _process: int) -> ArchiveReader:
    """Return the reader of an archive; a forked worker opens its own, since connections cannot be shared."""
    return open_archive(url)


def _split(path: str) -> tuple[str, str]:
    """Split `<root>/<pipeline>/<zone>/<step>/<run id>/<entity>/<name>` into the entity's URL and the file's name."""
    segments = path.split("/")
    found = (place for place, name in enumerate(segments) if place > 3 and name.startswith("run-") and is_run_id(name))
    run = next(found, len(segments))
    if len(segments) < run + 2:
        raise LayoutError(
            f"{path} is no file of an archive: expected <root>/<pipeline>/<zone>/<step>/<run id>/<entity>/<file>, "
            'or the archive\'s URL in backend_args={"backend": "sinara", "archive": <URL>}.'
        )
    return "/".join(segments[: run + 2]), "/".join(segments[run + 2 :]).strip("/")
