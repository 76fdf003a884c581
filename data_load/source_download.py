"""Brings one source file onto this machine: http(s) with resume, retries and checks; file: URLs and paths as they are.

`requests` does the transport: it is kept well, follows proxy and certificate settings of the environment, raises when
a body ends early, and comes with papermill anyway. Resuming and retrying is done here, because a retry of its adapter
would start a body again from its first byte.
"""

import hashlib
import html
import logging
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

import requests
from source_transfer import BrokenTransferError, Partial, receive

from sinara_lib.errors import DownloadError
from sinara_lib.layout import without_credentials
from sinara_lib.progress import progress

HASH_BLOCK = 1 << 20
# OpenMMLab and torch hub end a checkpoint's name with the start of its sha256; digits alone are a date.
NAMED_SHA256 = re.compile(r"-(?!\d+\.)([0-9a-f]{8,64})\.(?:pth|pt)$")

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RetryPolicy:
    """How many attempts may bring no new byte, and how long to wait after one: seconds, doubled each time."""

    attempts: int = 5
    first_wait: float = 1.0
    longest_wait: float = 30.0
    timeout: float = 60.0
    sleep: Callable[[float], None] = time.sleep


@dataclass(frozen=True)
class SourceFile:
    """A source file on this machine and what is known of its origin; size in bytes, sha256 in hex, time in UTC."""

    url: str
    path: Path
    size: int
    sha256: str
    retrieved: datetime
    etag: str | None = None
    last_modified: str | None = None


def is_remote(url: str) -> bool:
    """Whether the source has to be downloaded. Raises DownloadError for a scheme that is not supported."""
    scheme = urlsplit(url).scheme.lower()
    if scheme in {"http", "https"}:
        return True
    # One letter is a Windows drive.
    if scheme in {"", "file"} or len(scheme) == 1:
        return False
    raise DownloadError(
        f"{without_credentials(url)}: cannot read from {scheme}://. Give an http(s) or file: URL, or a path."
    )


def local_path(url: str) -> Path:
    """The path of a file: URL or of a plain path. Raises DownloadError when nothing is there."""
    path = Path(url2pathname(urlsplit(url).path)) if url.lower().startswith("file:") else Path(url).expanduser()
    if not path.exists():
        raise DownloadError(f"{url}: there is no file or folder {path.absolute()}. Correct the path in the parameters.")
    return path


def obtain(url: str, folder: Path, *, sha256: str | None = None, retry: RetryPolicy | None = None) -> SourceFile:
    """Download into `folder`, or find on disk (never copied), and check its sha256.

    Without a given `sha256` the start of one is taken from a checkpoint's name, where it has one.

    Raises:
        DownloadError: not there, not complete after all attempts, a web page, no room, or another checksum.
    """
    promised = (sha256 or "").lower() or _named_sha256(url)
    if is_remote(url):
        source = _download(url, folder, retry or RetryPolicy())
    else:
        path = local_path(url)
        if not path.is_file():
            raise DownloadError(f"{url}: expected a file, found a folder. Give the path of the file.")
        source = SourceFile(url, path, path.stat().st_size, file_sha256(path), datetime.now(timezone.utc))
    _refuse_other_content(source)
    if not source.sha256.startswith(promised):
        raise DownloadError(
            f"{without_credentials(url)}: the checksum differs: "
            f"sha256 should {'be' if len(promised) == 64 else 'start with'} {promised}, found {source.sha256} "
            f"({source.size:,} bytes). The file was changed or damaged on its way; "
            f"run again, or correct the checksum if the new file is the one you want."
        )
    return source


def file_sha256(path: Path) -> str:
    """sha256 of a file in hex."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(HASH_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def url_file_name(url: str) -> str:
    """The last part of the URL's path as a file name."""
    name = unquote(urlsplit(url).path).replace("\\", "/").rstrip("/").rpartition("/")[2]
    return re.sub(r"[^A-Za-z0-9_.-]", "_", name).lstrip(".") or "download"


def _download(url: str, folder: Path, retry: RetryPolicy) -> SourceFile:
    partial = Partial(folder / f"{url_file_name(url)}.part")
    _receive_all(url, partial, retry)
    path = partial.path.rename(folder / url_file_name(url))
    source = SourceFile(
        url=url,
        path=path,
        size=path.stat().st_size,
        sha256=file_sha256(path),
        retrieved=datetime.now(timezone.utc),
        etag=partial.etag,
        last_modified=partial.last_modified,
    )
    log.info("%s: %s bytes, sha256 %s", without_credentials(url), f"{source.size:,}", source.sha256)
    return source


def _receive_all(url: str, partial: Partial, retry: RetryPolicy) -> None:
    """Fill the partial file; attempts are counted anew whenever bytes have arrived."""
    failures, wait = 0, retry.first_wait
    with requests.Session() as session, progress(label=url_file_name(url), unit="B") as bar:
        while True:
            before = partial.size
            try:
                receive(session, url, partial, timeout=retry.timeout, bar=bar)
            except BrokenTransferError as error:
                if partial.size > before:
                    failures, wait = 0, retry.first_wait
                failures += 1
                if failures >= retry.attempts:
                    raise DownloadError(
                        f"{without_credentials(url)}: gave up after {failures} attempts without progress: {error}. "
                        f"Check the address and the network, then run again."
                    ) from error
                pause = min(max(wait, error.wait), retry.longest_wait)
                log.warning("%s: %s; trying again in %.0f s", without_credentials(url), error, pause)
                retry.sleep(pause)
                wait = min(wait * 2, retry.longest_wait)
            else:
                return


def _named_sha256(url: str) -> str:
    match = NAMED_SHA256.search(urlsplit(url).path if is_remote(url) else url)
    return match[1] if match else ""


def _refuse_other_content(source: SourceFile) -> None:
    if source.size == 0:
        raise DownloadError(f"{without_credentials(source.url)}: the file is empty. Check the address.")
    with source.path.open("rb") as file:
        start = file.read(4096).lstrip(b"\xef\xbb\xbf \t\r\n")
    if not start[:15].lower().startswith((b"<!doctype html", b"<html")):
        return
    title = re.search(rb"<title[^>]*>(.*?)</title", start, re.IGNORECASE | re.DOTALL)
    words = html.unescape(title[1].decode("utf-8", "replace")).strip() if title else "no title"
    raise DownloadError(
        f"{without_credentials(source.url)}: found a web page ({words[:80]!r}, {source.size:,} bytes), "
        f"not a data file. Open the address in a browser; a login, a notice or a moved file may stand in between."
    )
