"""One attempt at bytes over http(s): asks for the file or a part of it, and says what came and why it broke off."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from sinara_lib.downloads.digests import promised_digests
from sinara_lib.downloads.partial import Segment, Version
from sinara_lib.errors import DownloadError
from sinara_lib.loopback import web_session
from sinara_lib.urls import without_credentials

if TYPE_CHECKING:
    import requests

BLOCK = 1 << 16
CONNECT_SECONDS = 15
FREE_BYTES, BYTES_PER_BYTE = 100_000_000, 200
"""A compressed body may unpack to so many bytes; beyond, n bytes to no more than n times 200, as archives."""
RETRYABLE = frozenset({408, 425, 429, 500, 502, 503, 504})


class BrokenTransferError(Exception):
    """The attempt failed in a way that another one may mend; `wait` is what the server asked for, in seconds."""

    def __init__(self, reason: str, wait: float = 0.0) -> None:
        super().__init__(reason)
        self.wait = wait


class OtherVersionError(BrokenTransferError):
    """What was received so far cannot be continued: the file changed, or the server sends no parts of it."""


class UnreachableError(DownloadError):
    """No attempt brought the file, but nobody said that it is gone."""


@dataclass(frozen=True)
class Answer:
    """What the server sends: the version (None: the known one), its bytes, and whether they are the part asked for."""

    version: Version | None
    blocks: Iterable[bytes] = ()
    is_part: bool = False


@dataclass(frozen=True)
class WebFile:
    """A file behind a http(s) URL; `timeout` in seconds counts from the last byte."""

    url: str
    timeout: float

    @contextmanager
    def ask(self, known: Version | None) -> Iterator[Answer]:
        """Ask for the whole file, unless it still is the `known` version.

        Raises BrokenTransferError: worth another attempt; DownloadError: another one would end the same way.
        """
        with self._get(_conditions(known)) as response:
            version = _version(response)
            if response.status_code == 304 or (known and version.is_same(known) and version.size):
                yield Answer(None)
            else:
                _expect(response, 200)
                yield Answer(version, _blocks(response))

    @contextmanager
    def ask_part(self, segment: Segment, version: Version) -> Iterator[Answer]:
        """Ask for what the segment lacks, of this version; a server may answer with the whole file instead.

        Raises as `ask`, and OtherVersionError when another version or another part came.
        """
        end = "" if segment.end is None else segment.end - 1
        headers = {"Range": f"bytes={segment.position}-{end}", "If-Range": version.validator or ""}
        with self._get(headers) as response:
            if response.status_code == 416:
                raise OtherVersionError("the server refused to go on where the last attempt ended; starting again")
            if response.status_code == 206:
                _check_part(response, segment, version)
                yield Answer(version, response.iter_content(BLOCK), is_part=True)
            else:
                _expect(response, 200)
                yield Answer(_version(response), _blocks(response))

    @contextmanager
    def _get(self, headers: dict[str, str]) -> Iterator[requests.Response]:
        try:
            import requests  # only who downloads over HTTP needs it; it comes with the extra vision
        except ImportError as error:
            url = without_credentials(self.url)
            raise DownloadError(f"{url}: requests is not installed. Run: pip install requests") from error
        # Without identity a server may compress on the fly, and lengths and ranges would mean something else.
        fixed = {"Accept-Encoding": "identity", "User-Agent": "sinara_lib"}
        try:
            with (
                web_session() as session,
                session.get(
                    self.url, headers=fixed | headers, stream=True, timeout=(CONNECT_SECONDS, self.timeout)
                ) as response,
            ):
                refuse_downgrade(response)
                yield response
        except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError) as error:
            raise BrokenTransferError(f"the connection broke: {_reason(error)}") from error
        except requests.RequestException as error:
            raise DownloadError(
                f"{without_credentials(self.url)}: cannot be fetched: {_reason(error)}. Correct the URL."
            ) from error


def _conditions(known: Version | None) -> dict[str, str]:
    if known is None:
        return {}
    marks = {"If-None-Match": known.etag, "If-Modified-Since": known.last_modified}
    return {name: value for name, value in marks.items() if value}


def _is_encoded(response: requests.Response) -> bool:
    """Return whether the bytes on the wire are not the file's: some servers compress although asked not to."""
    return response.headers.get("Content-Encoding", "identity").strip().lower() not in {"", "identity"}


def _blocks(response: requests.Response) -> Iterator[bytes]:
    """Yield the body. Raises DownloadError where a compressed one is a bomb."""
    received = 0
    for block in response.iter_content(BLOCK):
        received += len(block)
        if received > FREE_BYTES and _is_encoded(response) and received > response.raw.tell() * BYTES_PER_BYTE:
            raise DownloadError(
                f"{without_credentials(response.url)}: {response.raw.tell():,} bytes unpack to more than "
                f"{BYTES_PER_BYTE} times as much ({received:,} bytes so far); refused as a bomb."
            )
        yield block


def _version(response: requests.Response) -> Version:
    if _is_encoded(response):  # length, parts and digests are those of other bytes
        return Version(etag=response.headers.get("ETag"), last_modified=response.headers.get("Last-Modified"))
    length = response.headers.get("Content-Length", "")
    return Version(
        size=int(length) if length.isdigit() else None,
        etag=response.headers.get("ETag"),
        last_modified=response.headers.get("Last-Modified"),
        ranges=response.headers.get("Accept-Ranges", "").strip().lower() == "bytes",
        digests=promised_digests(response.headers) if response.status_code == 200 else (),
    )


def _check_part(response: requests.Response, segment: Segment, version: Version) -> None:
    """Raise OtherVersionError unless this part of this version comes."""
    if _is_encoded(response):
        raise OtherVersionError("the server sends parts of a compressed body; starting again")
    span = response.headers.get("Content-Range", "")
    etag = response.headers.get("ETag")
    if not span.startswith(f"bytes {segment.position}-"):
        raise OtherVersionError(f"the server sent another part than the one asked for ({span or 'no range'})")
    total = span.rpartition("/")[2]
    if version.size is not None and total.isdigit() and int(total) != version.size:
        raise OtherVersionError(f"the file has {int(total):,} bytes now, it had {version.size:,}; starting again")
    if etag and version.etag and etag != version.etag:
        raise OtherVersionError("the file was changed on the server meanwhile; starting again")


def _expect(response: requests.Response, status: int) -> None:
    if response.status_code in RETRYABLE:
        raise BrokenTransferError(f"the server answered {response.status_code} {response.reason}", _wait(response))
    if response.status_code != status:
        raise DownloadError(
            f"{without_credentials(response.url)}: the server answered {response.status_code} {response.reason}. "
            f"Check that the address is right and open to you."
        )


def refuse_downgrade(response: requests.Response) -> None:
    """Raise DownloadError when a connection that proves its server led to one that does not."""
    schemes = [urlsplit(one.url).scheme for one in (*response.history, response)]
    if "https" in schemes[:-1] and "http" in schemes[schemes.index("https") :]:
        raise DownloadError(
            f"{without_credentials(response.history[0].url)}: leads from https to "
            f"{without_credentials(response.url)}, where anybody on the way may change it. Give that address itself, "
            f"with a sha256, if it is the one you want."
        )


def _wait(response: requests.Response) -> float:
    """Retry-After in seconds, from a number or a date."""
    text = response.headers.get("Retry-After", "")
    if text.isdigit():
        return float(text)
    try:
        return max(0.0, (parsedate_to_datetime(text) - datetime.now(timezone.utc)).total_seconds())
    except (ValueError, TypeError):
        return 0.0


def _reason(error: Exception) -> str:
    """Return the innermost cause in one line."""
    cause: BaseException = error
    while (inner := cause.__cause__ or cause.__context__) is not None:
        cause = inner
    return " ".join(str(cause).split())[:200] or type(cause).__name__
