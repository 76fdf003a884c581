"""Downloads kept for the next run: one slot per URL, with the newest version that arrived and what broke off.

A slot is used under a lock, so that of two runs at once one downloads and the other waits for it. What is handed out is
a link (a copy, where the disks differ), so that clearing the cache takes nothing away from a run that is at work.
"""

import hashlib
import json
import logging
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import platformdirs
from filelock import FileLock, Timeout
from pydantic import TypeAdapter, ValidationError

from sinara_lib.downloads.origin import Origin
from sinara_lib.errors import DownloadError
from sinara_lib.urls import OBJECT_STORES, without_credentials

CACHE_VARIABLE = "SINARA_CACHE"
ENTRY_FILE, PARTIAL_FILE, STATE_FILE, ADDRESS_FILE = "entry.json", "partial", "partial.json", "url"
READ_ONLY = 0o444
SIGNATURES = ("x-amz-", "x-goog-", "awsaccesskeyid", "googleaccessid", "signature", "expires", "key-pair-id", "policy")
"""Beginnings of query parameters that sign a URL: they change while the file stays the same."""
AZURE_SIGNATURES = frozenset({"sig", "se", "st", "sp", "sv", "sr", "spr", "skoid", "sktid", "skt", "ske", "sks", "skv"})

log = logging.getLogger(__name__)

_ENTRIES = TypeAdapter(Origin)


@dataclass(frozen=True)
class CachedDownload:
    """What `sinara cache ls` tells of a slot: `partial` counts the bytes of a download that broke off."""

    key: str
    url: str
    size: int
    partial: int
    fetched: datetime | None
    used: float
    """When it was touched last, in seconds since 1970."""


class CacheSlot:
    """The place of one URL, while this process holds its lock."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.partial = folder / PARTIAL_FILE
        self.state = folder / STATE_FILE

    def entry(self) -> Origin | None:
        """Return the record of what is there: its bytes are read and compared. Damage is said and removed."""
        entry = _read_entry(self._folder)
        if entry is None:
            return None
        content = self._folder / entry.sha256
        if content.is_file() and content.stat().st_size == entry.size and file_sha256(content) == entry.sha256:
            return entry
        log.warning("%s: the copy in the cache is damaged; it is fetched again", entry.url)
        self.drop()
        return None

    def keep(self, entry: Origin) -> None:
        """Turn the partial file, which is complete now, into the slot's content."""
        self.partial.chmod(READ_ONLY)
        self.partial.replace(self._folder / entry.sha256)
        self.state.unlink(missing_ok=True)
        new = self._folder / f"{ENTRY_FILE}.new"
        new.write_bytes(_ENTRIES.dump_json(entry, indent=1, exclude_defaults=True))
        new.replace(self._folder / ENTRY_FILE)
        for path in self._folder.iterdir():
            if path.name not in {ENTRY_FILE, ADDRESS_FILE, entry.sha256}:
                path.unlink()

    def drop(self) -> None:
        """Remove everything that is there."""
        for path in self._folder.iterdir():
            path.unlink()

    def hand_out(self, sha256: str, target: Path) -> None:
        """Put the content at `target`, read-only: a link where the disk allows it, else a copy."""
        content = self._folder / sha256
        target.unlink(missing_ok=True)
        try:
            os.link(content, target)
        except OSError:
            shutil.copy2(content, target)
        os.utime(self._folder)


class DownloadCache:
    """The folder of all slots: `downloads` in SINARA_CACHE, else in the user's cache folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @contextmanager
    def slot(self, url: str) -> Iterator[CacheSlot]:
        """Hold the slot of a URL; who finds it taken waits. Raises DownloadError where nothing can be written."""
        key = cache_key(url)
        lock = self._acquire(key, url)
        try:
            folder = self.folder / key
            folder.mkdir(exist_ok=True)
            (folder / ADDRESS_FILE).write_text(without_credentials(url), encoding="utf-8")
            yield CacheSlot(folder)
        finally:
            lock.release()

    def _acquire(self, key: str, url: str) -> FileLock:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self.folder / f"{key}.lock")
            try:
                lock.acquire(timeout=0)
            except Timeout:
                log.info("%s: another run is fetching it; waiting", without_credentials(url))
                lock.acquire()
        except OSError as error:
            raise DownloadError(
                f"{self.folder}: the cache of downloads cannot be written ({error.strerror}). "
                f"Make it writable, or set {CACHE_VARIABLE} to another folder."
            ) from error
        return lock

    def downloads(self) -> list[CachedDownload]:
        """Return all slots, the largest first."""
        found = [_describe(path) for path in self.folder.glob("*/") if path.is_dir()]
        return sorted(found, key=lambda one: (-one.size - one.partial, one.url))

    def clear(self, *, unused_since: float | None = None) -> tuple[list[CachedDownload], list[CachedDownload]]:
        """Remove the slots untouched since a time (seconds since 1970), or all; return the removed and the busy."""
        removed, busy = [], []
        for one in self.downloads():
            if unused_since is not None and one.used >= unused_since:
                continue
            lock = FileLock(self.folder / f"{one.key}.lock")
            try:
                with lock.acquire(timeout=0):
                    shutil.rmtree(self.folder / one.key)
            except Timeout:
                busy.append(one)
            else:
                removed.append(one)
        return removed, busy


def download_cache(environ: Mapping[str, str] = os.environ) -> DownloadCache:
    """Return the cache of this user."""
    told = environ.get(CACHE_VARIABLE)
    root = Path(told).expanduser() if told else Path(platformdirs.user_cache_dir("sinara", appauthor=False))
    return DownloadCache(root / "downloads")


def download_rows(downloads: Iterable[CachedDownload]) -> list[list[str]]:
    """Return size, time and URL of each download as text; what broke off is told."""
    rows = []
    for one in downloads:
        fetched = f"{one.fetched:%Y-%m-%d %H:%M:%S} UTC" if one.fetched else "-"
        if one.size or not one.partial:
            rows.append([_megabytes(one.size), fetched, one.url])
        if one.partial:
            rows.append([_megabytes(one.partial), "broke off", one.url])
    return rows


def total(downloads: Sequence[CachedDownload]) -> str:
    """Return how many downloads there are, and their size."""
    size = sum(one.size + one.partial for one in downloads)
    return f"{len(downloads)} {'download' if len(downloads) == 1 else 'downloads'}, {_megabytes(size)}"


def cache_key(url: str) -> str:
    """Return the name of a URL's slot: a hash of the URL without user, password, fragment and signature."""
    scheme, _, key = without_credentials(url).partition("://")
    if scheme.lower() in OBJECT_STORES:
        return hashlib.sha256(f"{scheme.lower()}://{key}".encode()).hexdigest()[:32]
    parts = urlsplit(url)
    query = [(name, value) for name, value in parse_qsl(parts.query, keep_blank_values=True) if not _signs(name)]
    bare = urlunsplit((parts.scheme.lower(), parts.netloc.rpartition("@")[2], parts.path, urlencode(query), ""))
    return hashlib.sha256(bare.encode()).hexdigest()[:32]


def file_sha256(path: Path) -> str:
    """sha256 of a file in hex."""
    with path.open("rb") as file:
        digest = hashlib.sha256()
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"


def _signs(name: str) -> bool:
    return name.lower().startswith(SIGNATURES) or name in AZURE_SIGNATURES


def _read_entry(folder: Path) -> Origin | None:
    try:
        return _ENTRIES.validate_json((folder / ENTRY_FILE).read_bytes())
    except (FileNotFoundError, ValidationError):
        return None


def _describe(folder: Path) -> CachedDownload:
    entry, partial, address = _read_entry(folder), folder / PARTIAL_FILE, folder / ADDRESS_FILE
    return CachedDownload(
        key=folder.name,
        url=entry.url if entry else address.read_text(encoding="utf-8") if address.is_file() else "?",
        size=entry.size if entry else 0,
        partial=_received(folder) if partial.is_file() else 0,
        fetched=entry.fetched if entry else None,
        used=folder.stat().st_mtime,
    )


def _received(folder: Path) -> int:
    """Return the bytes that a broken download has brought; its file may be longer than that."""
    try:
        return sum(got for _, _, got in json.loads((folder / STATE_FILE).read_text())["segments"])
    except (OSError, ValueError, KeyError, TypeError):
        return (folder / PARTIAL_FILE).stat().st_size
