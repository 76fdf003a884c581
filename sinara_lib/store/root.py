"""From a root URL to the filesystem it lies on, with the options that reach it."""

import os
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import fsspec
from fsspec import AbstractFileSystem
from fsspec.implementations.local import LocalFileSystem

from sinara_lib.errors import LayoutError
from sinara_lib.loopback import pass_proxies_by
from sinara_lib.settings_file import place_of, resolve_variables
from sinara_lib.urls import without_credentials

DRIVERS = {
    "s3": "s3fs",
    "s3a": "s3fs",
    "gs": "gcsfs",
    "gcs": "gcsfs",
    "abfs": "adlfs",
    "abfss": "adlfs",
    "az": "adlfs",
}
"""The package that brings each scheme's driver."""

PART = 12 << 20
"""Bytes of a part of an upload to S3; a file that is written holds several in memory, an object has 10,000 at most."""


def connect(root: str, storage: Mapping[str, Any] | None = None) -> tuple[AbstractFileSystem, str, str]:
    """Return a root's filesystem, its path on it, and its URL. Nothing is asked of the place yet.

    Without `storage` the options are those of the environment whose root this is, by the settings that hold in the
    current folder; of `s3://`, s3fs reads what is missing from AWS_* and FSSPEC_S3_* variables.
    Raises LayoutError for a root that cannot be used, ParamsError when a variable that an option names is not set.
    """
    scheme = root.partition("://")[0] if "://" in root else "file"
    _check_credentials(root)
    if "::" in root:
        raise LayoutError(
            f"The store's root {without_credentials(root)} cannot be used: a chained filesystem (::) does not make "
            "a run once and only once, nor show it to others at once. Name the place itself."
        )
    if storage is None:
        place = place_of(root)
        storage = place.storage if place else {}
    options = resolve_variables(storage, os.environ)
    pass_proxies_by()
    if scheme in {"s3", "s3a"}:
        # Runs of other processes must be seen at once; s3fs keeps listings as long as the process lives.
        options.setdefault("use_listings_cache", False)
        options.setdefault("default_block_size", PART)
    try:
        fs, path = fsspec.core.url_to_fs(root, **options)
    except ImportError as error:
        package = DRIVERS.get(scheme)
        hint = f"pip install {package}" if package else str(error)
        raise LayoutError(f"The store's root {root} cannot be used: no driver for {scheme}:// ({hint}).") from error
    except Exception as error:  # a driver that cannot start raises what its library raises
        first_line = str(error).partition("\n")[0].rstrip(".")
        raise LayoutError(f"The store's root {root} cannot be used: {first_line}.") from error
    url = f"file://{path}" if isinstance(fs, LocalFileSystem) else root
    if "://" not in url.rstrip("/"):
        raise LayoutError(f"The store's root {root} cannot be used: name a folder or bucket, not the whole of a place.")
    return fs, path.rstrip("/"), url.rstrip("/")


def _check_credentials(root: str) -> None:
    user, found, _ = urlsplit(root).netloc.rpartition("@")
    if found and ":" in user:
        raise LayoutError(
            f"The store's root {without_credentials(root)} is given with a password: take it out of the URL, and name "
            "the environment variable that holds it in [env.<name>.storage]."
        )
