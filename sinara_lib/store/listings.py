"""What one listing of a folder tells: names, and the version that each file is in."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from fsspec import AbstractFileSystem

from sinara_lib.store.failures import answer_code, plain_errors
from sinara_lib.store.files import StoreFiles
from sinara_lib.store.local_files import make_folders

_VERSION_KEYS = ("ETag", "etag", "md5Hash", "content_md5", "LastModified", "last_modified", "mtime", "created")
"""What tells one version of an object from another, in the words of S3, Google Cloud, Azure and memory."""


def file_versions(fs: AbstractFileSystem, folder: str) -> dict[str, tuple[int, str]]:
    """Return size and version of every file below a folder, by its path from there; one listing.

    The version is another one once a file was written again: an object store's ETag, or else when it was changed; of a
    local file the times of the last change of its bytes and of its state, of which the second cannot be set back.
    """
    with plain_errors(fs, folder):
        if StoreFiles(fs).local:
            return dict(_local(Path(folder)))
        fs.invalidate_cache(folder)
        found = fs.find(folder, detail=True)
    base = fs._strip_protocol(folder).rstrip("/") + "/"
    return {name[len(base) :]: (int(info["size"]), _version(info)) for name, info in found.items()}


def names_in(fs: AbstractFileSystem, folder: str) -> list[str]:
    """Return the names of files and folders in a folder, in no order; none when it is not there. One listing."""
    with plain_errors(fs, folder):
        try:
            if StoreFiles(fs).local:
                return os.listdir(folder)
            fs.invalidate_cache(folder)
            listing = fs.ls(folder, detail=False)
        except FileNotFoundError as error:
            if answer_code(error):
                raise
            return []
    return [name.rstrip("/").rsplit("/", 1)[-1] for name in listing]


def lay_file(fs: AbstractFileSystem, path: str, data: bytes) -> None:
    """Write a small file atomically, over an older one, and make the folders that it needs."""
    files = StoreFiles(fs)
    if files.local:
        with plain_errors(fs, path):
            make_folders(Path(path).parent)
    files.write(path, data)


def _local(folder: Path) -> Iterator[tuple[str, tuple[int, str]]]:
    for place, _, files in os.walk(folder):
        for name in files:
            path = Path(place) / name
            state = path.stat()
            version = f"{state.st_mtime_ns} {state.st_ctime_ns}"
            yield path.relative_to(folder).as_posix(), (state.st_size, version)


def _version(info: Mapping[str, Any]) -> str:
    return next((str(info[key]) for key in _VERSION_KEYS if info.get(key)), "")
