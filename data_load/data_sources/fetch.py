"""The one way to raw data: a URL or path in, a file or folder on this machine out, with its origin.

What is downloaded stays in the cache of all runs. A run asks the server whether its copy is still the newest; a copy
whose whole sha256 was given is used without asking, since it cannot be another. A server that cannot be reached ends
the run, unless the parameters allow the copy, and then the origin says so.
"""

import html
import re
import shutil
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from pydantic import TypeAdapter

from data_sources.origin import keep_server_time, origin_of_files
from sinara_lib.downloads.cache import cache_key, file_sha256
from sinara_lib.downloads.digests import named_sha256
from sinara_lib.downloads.fetching import bring
from sinara_lib.downloads.folders import files_below
from sinara_lib.downloads.names import file_name, fitting
from sinara_lib.downloads.objects import is_object, object_errors, open_object
from sinara_lib.downloads.options import FetchOptions
from sinara_lib.downloads.origin import Origin, ensure_promised
from sinara_lib.downloads.transfer import BrokenTransferError
from sinara_lib.errors import DownloadError
from sinara_lib.urls import without_credentials

ORIGIN_FILE = "origin.json"


@dataclass(frozen=True)
class FetchedSource:
    """A file or folder to read from, never to change, and where it came from."""

    path: Path
    origin: Origin

    def copy_to(self, target: Path) -> None:
        """Copy the file, with a time that a later fetch of the same bytes gives it too: the server's, or its own."""
        shutil.copyfile(self.path, target)
        if is_remote(self.origin.url):
            keep_server_time(target, self.origin)
        else:
            shutil.copystat(self.path, target)


def fetch_source(
    url: str, folder: Path, *, sha256: str | None = None, options: FetchOptions | None = None
) -> FetchedSource:
    """Bring a source to this machine; what `folder` holds already from an earlier call is not asked for again.

    http(s), s3:// and gs:// are downloaded into a place of their own below `folder`; an object store's folder (its URL
    ends with /) becomes a folder. Local files and folders are used where they lie. Without `sha256` the start of one is
    taken from a checkpoint's name, where it has one.

    Raises DownloadError: not there, not complete after all attempts, a web page, no room, or another checksum.

    >>> fetched = fetch_source(url, Path("downloads"))
    >>> fetched.path.name, fetched.path.stat().st_size == fetched.origin.size
    ('photos.zip', True)
    """
    place = folder / cache_key(url)[:16]
    if (place / ORIGIN_FILE).is_file():
        return _SOURCES.validate_json((place / ORIGIN_FILE).read_bytes())
    place.mkdir(parents=True, exist_ok=True)
    options = options or FetchOptions()
    promised = (sha256 or "").lower() or named_sha256(url)
    if is_remote(url) and not (is_object(url) and url.endswith("/")):
        path = place / file_name(url)
        fetched = FetchedSource(path, bring(url, path, promised=promised, options=options))
    else:
        fetched = _object_folder(url, place, options) if is_remote(url) else _local(url)
        ensure_promised(fetched.origin, promised)
    _refuse_no_data(fetched)
    (place / ORIGIN_FILE).write_bytes(_SOURCES.dump_json(fetched))
    return fetched


def is_remote(url: str) -> bool:
    """Return whether the source has to be downloaded. Raises DownloadError for a scheme that is not supported."""
    scheme = urlsplit(url).scheme.lower()
    if scheme in {"http", "https"} or is_object(url):
        return True
    # One letter is a Windows drive.
    if scheme in {"", "file"} or len(scheme) == 1:
        return False
    raise DownloadError(
        f"{without_credentials(url)}: cannot read from {scheme}://. Give an http(s), s3, gs or file: URL, or a path."
    )


def local_path(url: str) -> Path:
    """Return the path of a file: URL or of a plain path. Raises DownloadError when nothing is there.

    A percent sign is read as one of a URL in file: alone, and there too a name that holds it as it is counts.
    """
    paths = [Path(url).expanduser()]
    if url.lower().startswith("file:"):
        raw = re.sub(r"^file:(//(localhost)?(?=/))?", "", url, flags=re.IGNORECASE)
        paths = [Path(url2pathname(urlsplit(url).path)), Path(raw), Path(url2pathname(raw))]
    for path in paths:
        if path.exists():
            return path
    raise DownloadError(f"{url}: there is no file or folder {paths[0].absolute()}. Correct the path in the parameters.")


def _local(url: str) -> FetchedSource:
    path = local_path(url)
    if path.is_dir():
        return FetchedSource(path, origin_of_files(url, path, files_below(path)))
    origin = Origin(url, path.stat().st_size, file_sha256(path), datetime.now(timezone.utc))
    return FetchedSource(path, origin)


def _object_folder(url: str, place: Path, options: FetchOptions) -> FetchedSource:
    """Return every object below a prefix, under its name there."""
    fs, prefix = open_object(url)
    try:
        with object_errors(url):
            names = [name for name in fs.find(prefix) if not name.endswith("/")]
    except BrokenTransferError as error:
        raise DownloadError(f"{url}: cannot be listed: {error}. Check the endpoint, then run again.") from error
    if not names:
        raise DownloadError(f"{url}: there is no object below it. Correct the URL in the parameters.")
    target, taken = place / "files", dict[Path, str]()
    for name in names:
        relative = name.removeprefix(prefix.rstrip("/")).lstrip("/")
        if {"..", "."} & set(relative.split("/")) or "\\" in relative or "\0" in relative:
            raise DownloadError(f"{url}: the object {relative!r} has no usable file name. Rename it.")
        path = target.joinpath(*map(fitting, relative.split("/")))
        if path in taken:
            raise DownloadError(f"{url}: {taken[path]!r} and {relative!r} would become one file. Rename one of them.")
        taken[path] = relative
        path.parent.mkdir(parents=True, exist_ok=True)
        bring(fs.unstrip_protocol(name), path, promised="", options=options)
    return FetchedSource(target, origin_of_files(url, target, files_below(target)))


def _refuse_no_data(fetched: FetchedSource) -> None:
    """Raise DownloadError for an empty file, and for a web page in the place of one."""
    origin = fetched.origin
    if fetched.path.is_dir():
        return
    if origin.size == 0:
        raise DownloadError(f"{origin.url}: the file is empty. Check the address.")
    with fetched.path.open("rb") as file:
        start = file.read(4096).lstrip(b"\xef\xbb\xbf \t\r\n")
    if not start[:15].lower().startswith((b"<!doctype html", b"<html")):
        return
    title = re.search(rb"<title[^>]*>(.*?)</title", start, re.IGNORECASE | re.DOTALL)
    words = html.unescape(title[1].decode("utf-8", "replace")).strip() if title else "no title"
    raise DownloadError(
        f"{origin.url}: found a web page ({words[:80]!r}, {origin.size:,} bytes), "
        f"not a data file. Open the address in a browser; a login, a notice or a moved file may stand in between."
    )


_SOURCES = TypeAdapter(FetchedSource)
