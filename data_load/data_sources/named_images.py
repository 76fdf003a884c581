"""Images that annotations name by URL or path, where no source of images is given."""

import hashlib
import logging
from collections.abc import Iterable
from datetime import datetime, timezone
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from data_sources.fetch import fetch_source, is_remote, local_path
from data_sources.gathering import DOWNLOADS, Gathered, is_image
from label_formats.image_index import plain_path
from sinara_lib.downloads.cache import cache_key
from sinara_lib.downloads.names import fitting, url_path
from sinara_lib.downloads.objects import is_object
from sinara_lib.downloads.options import FetchOptions
from sinara_lib.downloads.origin import Origin
from sinara_lib.parallel import Check, in_threads
from sinara_lib.url_checks import checked_url
from sinara_lib.urls import without_credentials
from source_params import SourceFields, shown_url

THREADS = 8

log = logging.getLogger(__name__)


def take_named(
    names: Iterable[str], source: SourceFields, gathered: Gathered, work: Path, *, options: FetchOptions
) -> None:
    """Add the named images to what was gathered; names that lead to no image stay missing.

    URLs are downloaded. Paths of this machine count only where the annotations lie on it too: what came over a network
    never names files here. Raises DownloadError.
    """
    base = _base(source)
    folder = work / DOWNLOADS / "named"
    folder.mkdir(parents=True, exist_ok=True)
    wanted: dict[str, str] = {}
    for name in dict.fromkeys(names):
        if found := _place(name, base):
            key, place = found
            if wanted.get(key, place) != place:  # addresses that differ in their query alone
                key = PurePosixPath(key).with_stem(f"{PurePosixPath(key).stem}~{cache_key(place)[:16]}").as_posix()
            wanted[key] = place
            gathered.named[name] = key

    def fetch(item: tuple[int, str], check: Check) -> tuple[Path, Origin]:
        check()
        number, place = item
        fetched = fetch_source(place, work / DOWNLOADS, options=options)
        copy = folder / f"{number:08d}"
        fetched.copy_to(copy)
        return copy, fetched.origin

    digest, size = hashlib.sha256(), 0
    copies = in_threads(fetch, enumerate(wanted.values()), threads=THREADS)
    for key, (copy, origin) in zip(wanted, copies, strict=True):
        gathered.images[key] = copy
        size += origin.size
        digest.update(f"{origin.sha256}  {key}\n".encode())
    if wanted:
        url = shown_url(source.annotations_urls[0])
        now = datetime.now(timezone.utc)
        gathered.origins[f"{len(wanted)} images named by the annotations"] = Origin(url, size, digest.hexdigest(), now)


def _base(source: SourceFields) -> Path | None:
    """Return the folder that paths start from: that of local annotations; a database names whole paths only."""
    if source.is_query:
        return Path("/")
    url = source.annotations_urls[0]
    if is_remote(url):
        return None
    path = local_path(url)
    return path if path.is_dir() else path.parent


def _place(name: str, base: Path | None) -> tuple[str, str] | None:
    """Return the path under which an image is kept and where to fetch it; None for what is no image to be had."""
    is_url = "://" in name and not name.lower().startswith("file:")
    if not is_image(str(plain_path(name))):
        return None
    if is_url:
        return _url_place(name)
    if base is None:
        return None
    path = base / (plain_path(name) if "://" in name else Path(name))
    try:
        return (path.as_posix().lstrip("/"), str(path)) if path.is_file() else None
    except OSError:  # no disk has such a name
        return None


def _url_place(name: str) -> tuple[str, str] | None:
    """Return host and path, without user and password, which would become part of names; None for no good URL."""
    try:
        url = checked_url(name)
        host = "" if is_object(url) else f"{urlsplit(url).hostname}/"
    except ValueError:
        log.warning("a URL of an image cannot be read and is left out: %s", without_credentials(name))
        return None
    parts = PurePosixPath(f"{host}{url_path(url).lstrip('/')}").parts
    return "/".join(map(fitting, parts)), url
