"""One attempt at a http(s) body: asks for what is still missing, appends it, and says why it broke off."""

import errno
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from sinara_lib.errors import DownloadError
from sinara_lib.layout import without_credentials

BLOCK = 1 << 16
CONNECT_SECONDS = 15
RETRYABLE = frozenset({408, 425, 429, 500, 502, 503, 504})


class BrokenTransferError(Exception):
    """The attempt failed in a way that another one may mend; `wait` is what the server asked for, in seconds."""

    def __init__(self, reason: str, wait: float = 0.0) -> None:
        super().__init__(reason)
        self.wait = wait


@dataclass
class Partial:
    """A file that is being received, and what the server said of the version it belongs to."""

    path: Path
    etag: str | None = None
    last_modified: str | None = None

    @property
    def size(self) -> int:
        """Bytes received so far."""
        return self.path.stat().st_size if self.path.exists() else 0

    @property
    def validator(self) -> str | None:
        """What If-Range needs to be sure that the rest belongs to the same version; a weak ETag does not do."""
        if self.etag and not self.etag.startswith("W/"):
            return self.etag
        return self.last_modified

    def restart(self) -> None:
        """Forget what was received."""
        self.path.unlink(missing_ok=True)


def receive(session: requests.Session, url: str, partial: Partial, *, timeout: float, bar: Any) -> None:
    """Receive what the partial file still lacks; returns when it is complete.

    Raises:
        BrokenTransferError: worth another attempt.
        DownloadError: another attempt would end the same way.
    """
    if partial.validator is None:
        partial.restart()
    try:
        with session.get(url, headers=_headers(partial), stream=True, timeout=(CONNECT_SECONDS, timeout)) as response:
            start = _start_of(response, partial)
            total = _total(response, start)
            partial.etag, partial.last_modified = response.headers.get("ETag"), response.headers.get("Last-Modified")
            bar.total, bar.n = total, start
            _append(response, partial, start=start, total=total, bar=bar)
    except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError) as error:
        raise BrokenTransferError(f"the connection broke after {partial.size:,} bytes: {_reason(error)}") from error
    except requests.RequestException as error:
        raise DownloadError(
            f"{without_credentials(url)}: cannot be fetched: {_reason(error)}. Correct the URL."
        ) from error


def _headers(partial: Partial) -> dict[str, str]:
    # Without identity a server may compress on the fly, and lengths and ranges would mean something else.
    headers = {"Accept-Encoding": "identity", "User-Agent": "sinara_lib"}
    if partial.size and partial.validator:
        headers |= {"Range": f"bytes={partial.size}-", "If-Range": partial.validator}
    return headers


def _start_of(response: requests.Response, partial: Partial) -> int:
    """Where the body that follows belongs; a server that ignores or refuses the range sends everything again."""
    if response.status_code == 206:
        span = response.headers.get("Content-Range", "")
        if span.startswith(f"bytes {partial.size}-"):
            return partial.size
        partial.restart()
        raise BrokenTransferError(f"the server sent another part than the one asked for ({span or 'no range'})")
    if response.status_code == 416:
        partial.restart()
        raise BrokenTransferError("the server refused to go on where the last attempt ended; starting again")
    if response.status_code in RETRYABLE:
        raise BrokenTransferError(f"the server answered {response.status_code} {response.reason}", _wait(response))
    if response.status_code != 200:
        raise DownloadError(
            f"{without_credentials(response.url)}: the server answered {response.status_code} {response.reason}. "
            f"Check that the address is right and open to you."
        )
    return 0


def _append(response: requests.Response, partial: Partial, *, start: int, total: int | None, bar: Any) -> None:
    _ensure_room(partial.path, needed=(total or 0) - start, url=response.url)
    try:
        with partial.path.open("ab" if start else "wb") as file:
            for block in response.iter_content(BLOCK):
                file.write(block)
                bar.update(len(block))
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
            raise
        raise DownloadError(_no_room(partial.path, response.url, needed=(total or 0) - partial.size)) from error
    if total is not None and partial.size != total:
        raise BrokenTransferError(f"the body is truncated: {partial.size:,} of {total:,} bytes arrived")


def _total(response: requests.Response, start: int) -> int | None:
    length = response.headers.get("Content-Length", "")
    return start + int(length) if length.isdigit() else None


def _wait(response: requests.Response) -> float:
    """Retry-After in seconds; its date form is left to the back-off."""
    text = response.headers.get("Retry-After", "")
    return float(text) if text.isdigit() else 0.0


def _ensure_room(path: Path, *, needed: int, url: str) -> None:
    if needed > shutil.disk_usage(path.parent).free:
        raise DownloadError(_no_room(path, url, needed=needed))


def _no_room(path: Path, url: str, *, needed: int) -> str:
    free = shutil.disk_usage(path.parent).free
    return (
        f"{without_credentials(url)}: no room on the disk: {needed:,} bytes are needed, "
        f"{free:,} are free in {path.parent}. Free some space, or point TMPDIR at a larger disk."
    )


def _reason(error: Exception) -> str:
    """The innermost cause in one line."""
    cause: BaseException = error
    while (inner := cause.__cause__ or cause.__context__) is not None:
        cause = inner
    return " ".join(str(cause).split())[:200] or type(cause).__name__
