"""Images that annotations name by URL or path, where no source of images is given."""

import hashlib
import shutil
from collections.abc import Iterable
from datetime import datetime, timezone
from pathlib import Path
from urllib.parse import urlsplit

from data_sources.fetch import fetch_source, is_remote, local_path
from data_sources.gathering import DOWNLOADS, Gathered, is_image
from data_sources.origin import keep_server_time
from fetch_params import FetchParams
from label_formats.image_index import plain_path
from sinara_lib.downloads.cache import file_sha256
from sinara_lib.downloads.origin import Origin
from sinara_lib.parallel import Check, in_threads
from source_params import SourceFields, shown_url

THREADS = 8


def take_named(names: Iterable[str], source: SourceFields, params: FetchParams, gathered: Gathered, work: Path) -> None:
    """Add the named images to what was gathered; names that lead to no image stay missing.

    URLs are downloaded. Paths of this machine count only where the annotations lie on it too: what came over a network
    never names files here. Raises DownloadError.
    """
    base = _base(source)
    folder = work / DOWNLOADS / "named"
    folder.mkdir(parents=True, exist_ok=True)
    wanted = {key: place for name in dict.fromkeys(names) if (found := _place(name, base)) for key, place in [found]}

    def fetch(item: tuple[int, str], check: Check) -> Path:
        check()
        number, place = item
        fetched = fetch_source(place, work / DOWNLOADS, options=params.options_for(source))
        copy = folder / f"{number:08d}"
        shutil.copyfile(fetched.path, copy)
        if is_remote(place):
            keep_server_time(copy, fetched.origin)
        else:
            shutil.copystat(fetched.path, copy)
        return copy

    digest, size = hashlib.sha256(), 0
    copies = in_threads(fetch, enumerate(wanted.values()), threads=THREADS)
    for key, copy in zip(wanted, copies, strict=True):
        gathered.images[key] = copy
        size += copy.stat().st_size
        digest.update(f"{file_sha256(copy)}  {key}\n".encode())
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
    parts = urlsplit(name)
    if not is_image(str(plain_path(name))):
        return None
    if "://" in name and parts.scheme != "file":
        return f"{parts.netloc}/{str(plain_path(name)).lstrip('/')}", name
    if base is None:
        return None
    path = base / (plain_path(name) if parts.scheme == "file" else Path(name))
    return (path.as_posix().lstrip("/"), str(path)) if path.is_file() else None
