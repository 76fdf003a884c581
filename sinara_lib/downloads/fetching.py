"""A download out of the cache, or from its server into the cache: which of both, and saying so."""

import logging
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

from sinara_lib.downloads.cache import CacheSlot, download_cache
from sinara_lib.downloads.download import LARGE, Arrival, Download
from sinara_lib.downloads.objects import ObjectFile, is_object
from sinara_lib.downloads.options import FetchOptions
from sinara_lib.downloads.origin import Origin, ensure_promised
from sinara_lib.downloads.partial import Partial, Version
from sinara_lib.downloads.transfer import UnreachableError, WebFile
from sinara_lib.errors import DownloadError
from sinara_lib.urls import without_credentials

log = logging.getLogger(__name__)


def bring(url: str, path: Path, *, promised: str, options: FetchOptions) -> Origin:
    """Put the file of a URL at `path`, read-only; `promised` is its sha256 or the start of it, or empty.

    Raises DownloadError as `fetch_source` does; a file with another checksum does not stay in the cache.

    >>> origin = bring(url, Path("photos.zip"), promised="", options=FetchOptions())
    >>> origin.size == Path("photos.zip").stat().st_size
    True
    """
    with download_cache().slot(url) as slot:
        entry = slot.entry()
        if entry and entry.sha256 == promised:
            log.info("%s: taken from the cache by its sha256 (%s bytes)", entry.url, f"{entry.size:,}")
            origin = replace(entry, note="from the cache, by its sha256")
        else:
            origin = _ask(url, slot, entry, promised=promised, options=options)
        try:
            ensure_promised(origin, promised)
        except DownloadError:
            slot.drop()
            raise
        slot.hand_out(origin.sha256, path)
    return origin


def _ask(url: str, slot: CacheSlot, entry: Origin | None, *, promised: str, options: FetchOptions) -> Origin:
    """Ask the server for what is newer than the copy in the cache."""
    download = Download(
        ObjectFile(url) if is_object(url) else WebFile(url, options.retry.timeout),
        Partial.load(slot.partial, slot.state),
        without_credentials(url),
        options.retry,
        connections=options.connections,
        sha256=promised,
    )
    try:
        arrival = download.receive(Version(entry.size, entry.etag, entry.last_modified) if entry else None)
    except UnreachableError as error:
        if entry is None:
            raise
        return _without_server(error, entry, promised=promised, options=options)
    if arrival is None and entry is not None:
        level = logging.INFO if entry.size >= LARGE else logging.DEBUG
        log.log(level, "%s: unchanged, taken from the cache (%s bytes)", entry.url, f"{entry.size:,}")
        return replace(entry, note="from the cache, unchanged on the server")
    if arrival is None:
        raise DownloadError(f"{download.shown}: the server answered 304 to a plain request. Try again later.")
    return _keep(slot, download.shown, arrival)


def _keep(slot: CacheSlot, shown: str, arrival: Arrival) -> Origin:
    entry = Origin(
        url=shown,
        sha256=arrival.sha256,
        size=arrival.size,
        etag=arrival.version.etag,
        last_modified=arrival.version.last_modified,
        fetched=datetime.now(timezone.utc),
        checked=arrival.checked,
    )
    slot.keep(entry)
    return entry


def _without_server(error: UnreachableError, entry: Origin, *, promised: str, options: FetchOptions) -> Origin:
    """Return the copy, where the name or the parameters allow it. Raises DownloadError that tells how to allow it."""
    when = entry.fetched.strftime("%Y-%m-%d %H:%M:%S UTC")
    if promised and entry.sha256.startswith(promised):
        log.warning("%s The copy of %s has the checksum that its name asks for and is used.", error, when)
        return replace(entry, note="from the cache, by the checksum in its name; the server did not answer")
    if options.when_unreachable == "use_cached":
        log.warning("%s The copy of %s is used; it may be out of date.", error, when)
        return replace(entry, note="from the cache, perhaps out of date: the server did not answer")
    raise UnreachableError(
        f"{error} A copy of {when} is in the cache: give its sha256 {entry.sha256} in the parameters, or set "
        f"when_unreachable to use_cached, to use it."
    ) from error
