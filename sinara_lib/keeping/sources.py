"""Whether raw data is still what an earlier run read: asked of its server by ETag and date, of a disk by sha256."""

import hashlib
import json
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

from sinara_lib.errors import SinaraError
from sinara_lib.keeping.notes import note_path, read_note, write_note
from sinara_lib.parallel import MOST_THREADS, in_threads
from sinara_lib.store.manifest import Source
from sinara_lib.urls import without_credentials

DRAWN = "sample"
"""Scheme of data that the step's own code draws: it is the same where the code is."""
SECONDS = 15.0
"""How long a server may take to say whether a file has changed."""
_RACY = 2.0
"""A file may change once more within the moment that its times tell; younger ones are read again."""


def changed_sources(
    sources: Iterable[Source], read: Iterable[str], *, folder: Path, params: Mapping[str, Any]
) -> list[str]:
    """Return in words which raw data is not certainly what it was; empty when all is the same.

    `read` are the URLs outside of all stores that the run read, `folder` is the step's, `params` may hold URLs with the
    credentials that the records leave out.
    """
    known, whole = {source.url: source for source in sources}, _whole_urls(params)
    unknown = [url for url in read if url not in known and _scheme(url) != DRAWN]
    asked = [source for source in known.values() if _scheme(source.url) != DRAWN]

    def ask(source: Source, _: object) -> str | None:
        return _change(source, whole.get(source.url, source.url), folder)

    found = in_threads(ask, asked, threads=MOST_THREADS)
    return [f"{url} cannot be compared: what it held was not recorded" for url in unknown] + list(filter(None, found))


def _change(source: Source, url: str, folder: Path) -> str | None:
    scheme = _scheme(url)
    try:
        if scheme in {"", "file"}:
            return None if _sha256(_path(url, folder)) == source.sha256 else f"{source.url} changed"
        if scheme in {"http", "https", "s3", "gs", "gcs"} and not url.endswith("/"):
            return _asked(source, url)
    except (SinaraError, OSError) as error:
        return f"{source.url} cannot be asked ({without_credentials(str(error))})"
    return f"{source.url} cannot be asked whether it changed"


def _asked(source: Source, url: str) -> str | None:
    """Ask a server; what has neither ETag nor date cannot be told from a changed file."""
    from sinara_lib.downloads.objects import ObjectFile, is_object
    from sinara_lib.downloads.partial import Version
    from sinara_lib.downloads.transfer import BrokenTransferError, WebFile

    if not (source.etag or source.last_modified):
        return f"{source.url} has neither ETag nor date to compare by"
    known = Version(size=source.bytes, etag=source.etag, last_modified=source.last_modified)
    file = ObjectFile(url) if is_object(url) else WebFile(url, SECONDS)
    try:
        with file.ask(known) as answer:
            return f"{source.url} changed" if answer.version else None
    except BrokenTransferError as error:
        return f"{source.url} cannot be asked ({without_credentials(str(error))})"


def _sha256(path: Path) -> str:
    """Return the sha256 of a file or folder; what was found is noted for the state its files are in."""
    from sinara_lib.downloads.folders import files_below, local_sha256

    started, files = time.time(), files_below(path) if path.is_dir() else [path]
    state = _state(path, files)
    note = note_path("sources", str(path))
    before = read_note(note).split()
    if len(before) == 2 and before[0] == state:
        return before[1]
    found = local_sha256(path)
    if _newest(files) < started - _RACY:
        write_note(note, f"{state} {found}")
    return found


def _state(path: Path, files: list[Path]) -> str:
    states = [(file.relative_to(path).as_posix(), *_facts(file)) for file in files]
    return hashlib.sha256(json.dumps(states).encode()).hexdigest()


def _facts(file: Path) -> tuple[int, int, int, int]:
    state = file.stat()
    return state.st_size, state.st_mtime_ns, state.st_ctime_ns, state.st_ino


def _newest(files: list[Path]) -> float:
    return max((max(file.stat().st_mtime, file.stat().st_ctime) for file in files), default=0.0)


def _path(url: str, folder: Path) -> Path:
    path = Path(url2pathname(urlsplit(url).path)) if url.lower().startswith("file:") else Path(url).expanduser()
    return folder / path


def _whole_urls(params: Any) -> dict[str, str]:
    """Return the texts among parameters by what a record shows of them."""
    return {without_credentials(text): text for text in _texts(params)}


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _texts(inner)


def _scheme(url: str) -> str:
    scheme = url.partition(":")[0].lower() if ":" in url else ""
    return "" if len(scheme) == 1 else scheme
