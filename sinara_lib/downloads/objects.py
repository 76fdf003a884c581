"""Files in object stores (s3://, gs://) by fsspec, asked for in the same words as files on the web."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from email.utils import format_datetime
from functools import cached_property
from typing import Any

import fsspec

from sinara_lib.downloads.digests import etag_digest
from sinara_lib.downloads.partial import Segment, Version
from sinara_lib.downloads.transfer import Answer, BrokenTransferError, OtherVersionError
from sinara_lib.errors import DownloadError
from sinara_lib.loopback import pass_proxies_by
from sinara_lib.store.failures import answer_code
from sinara_lib.urls import without_credentials

SCHEMES = {"s3": "s3fs", "gs": "gcsfs", "gcs": "gcsfs"}
"""Schemes and the packages that fsspec needs for them."""
BLOCK = 4 << 20


@dataclass(frozen=True)
class ObjectFile:
    """An object; credentials and endpoint come from the environment, as the cloud's own tools read them."""

    url: str

    @cached_property
    def _opened(self) -> tuple[Any, str]:
        return open_object(self.url)

    @contextmanager
    def ask(self, known: Version | None) -> Iterator[Answer]:
        """Ask for the whole object, unless it still is the `known` version.

        Raises BrokenTransferError: worth another attempt; DownloadError: another one would end the same way.
        """
        with object_errors(self.url):
            version = self._version()
            if known and version.is_same(known):
                yield Answer(None)
            else:
                yield Answer(version, self._blocks(Segment(0, version.size), version))

    @contextmanager
    def ask_part(self, segment: Segment, version: Version) -> Iterator[Answer]:
        """Ask for what the segment lacks, of this version. Raises as `ask`, and OtherVersionError."""
        with object_errors(self.url):
            self._ensure(version)
            yield Answer(version, self._blocks(segment, version), is_part=True)

    def _blocks(self, segment: Segment, version: Version) -> Iterator[bytes]:
        fs, path = self._opened
        end = segment.end or 0
        for start in range(segment.position, end, BLOCK):
            yield fs.cat_file(path, start=start, end=min(start + BLOCK, end))
        self._ensure(version)

    def _ensure(self, version: Version) -> None:
        if not self._version().is_same(version):
            raise OtherVersionError("the object was changed meanwhile; starting again")

    def _version(self) -> Version:
        fs, path = self._opened
        fs.invalidate_cache(path)
        return object_version(fs.info(path))


def is_object(url: str) -> bool:
    """Return whether fsspec brings it."""
    return url.partition("://")[0].lower() in SCHEMES


def open_object(url: str) -> tuple[Any, str]:
    """Return the filesystem and the path in it. Raises DownloadError when the package for it is not installed."""
    scheme, _, path = url.partition("://")
    pass_proxies_by()
    try:
        fs = fsspec.filesystem(scheme.lower())  # by hand, since a key may hold :: and what else leads fsspec elsewhere
    except ImportError as error:
        package = SCHEMES[scheme.lower()]
        raise DownloadError(f"{url}: {package} is not installed. Run: pip install {package}") from error
    return fs, path


def object_version(info: dict[str, Any]) -> Version:
    """Return what a listing says of an object: S3 and Google Cloud name size, ETag and time in words of their own."""
    etag = info.get("ETag") or info.get("etag")
    when = info.get("LastModified") or info.get("mtime") or info.get("updated")
    if isinstance(when, datetime):
        when = format_datetime(when.astimezone(timezone.utc), usegmt=True)
    digest = etag_digest(etag) if "ETag" in info else None
    return Version(
        size=info["size"],
        etag=etag,
        last_modified=when,
        ranges=True,
        digests=(digest,) if digest else (),
    )


@contextmanager
def object_errors(url: str) -> Iterator[None]:
    """Say in plain words what a driver raises inside: DownloadError, or BrokenTransferError where it may pass."""
    url = without_credentials(url)
    try:
        yield
    except (DownloadError, BrokenTransferError):
        raise
    except FileNotFoundError as error:
        what = "the bucket does not exist" if answer_code(error) == "NoSuchBucket" else "there is no such object"
        raise DownloadError(f"{url}: {what}. Correct the URL in the parameters.") from error
    except PermissionError as error:
        raise DownloadError(
            f"{url}: access is refused ({error}). Check the credentials: the variables of the cloud's own tools, "
            f"such as AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_ENDPOINT_URL."
        ) from error
    except Exception as error:  # drivers raise what their libraries raise: botocore's, aiohttp's, Google's own classes
        if isinstance(error, OSError) and error.filename:
            raise  # of the disk that is written to
        raise BrokenTransferError(f"{type(error).__name__}: {error}") from error
