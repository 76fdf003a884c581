"""Whether two entities hold the same: the same bytes, or the same values in other bytes.

Equal in value are files that differ in nothing but:
- when they were written: modification times in archives and zip files, and the times that text files tell;
- in JSON, the order of keys and white space;
- where the store is: text files may name its root;
- in TensorBoard's event files, when and in which order the same values were written.
"""

import hashlib
import io
import json
import re
import zipfile
from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from pathlib import PurePosixPath

from sinara_lib.archive.format import INDEX_FILE
from sinara_lib.archive.reader import ArchiveReader
from sinara_lib.store.entity import EntityReader

_TEXT = {".json", ".html", ".md", ".txt", ".csv", ".yaml", ".yml", ".py", ".toml", ".svg"}
_TIME = re.compile(
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d| UTC)?"
    r"|\d{1,2} \w+ \d{4}, \d\d:\d\d UTC|\d\d:\d\d:\d\d UTC"
)

Read = Callable[[], bytes]


class Verdict(str, Enum):
    """How two entities compare."""

    BYTES = "byte-equal"
    VALUE = "equal in value"
    DIFFERENT = "different"
    MISSING = "missing"


def compare_entities(a: EntityReader, b: EntityReader, *, roots: Mapping[str, str]) -> tuple[Verdict, list[str]]:
    """Return how two entities compare, and the files that differ. `roots` maps roots of b's world to those of a's."""
    if a.manifest.content == b.manifest.content and all(file.sha256 for file in a.manifest.files):
        return Verdict.BYTES, []
    files_a, files_b = _files(a), _files(b)
    different = list(files_a.keys() ^ files_b.keys())
    for name in sorted(files_a.keys() & files_b.keys()):
        (hash_a, read_a), (hash_b, read_b) = files_a[name], files_b[name]
        if hash_a is None or hash_a != hash_b:
            different += [] if value_digest(name, read_a()) == value_digest(name, read_b(), roots=roots) else [name]
    return (Verdict.DIFFERENT, sorted(different)) if different else (Verdict.VALUE, [])


def value_digest(name: str, data: bytes, *, roots: Mapping[str, str] | None = None) -> str:
    """Return a sha256 that is the same for files of equal value; `roots` are replaced in texts."""
    if PurePosixPath(name).suffix.lower() in _TEXT:
        data = _plain_text(name, data, roots or {})
    elif "tfevents" in PurePosixPath(name).name:
        data = b"".join(sorted(_events(data)))
    elif zipfile.is_zipfile(io.BytesIO(data)):
        data = "\n".join(_members(data, roots or {})).encode()
    return hashlib.sha256(data).hexdigest()


def _plain_text(name: str, data: bytes, roots: Mapping[str, str]) -> bytes:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return data
    if name.endswith(".json"):
        try:
            text = json.dumps(json.loads(text), sort_keys=True)
        except ValueError:
            return data
    for found, meant in roots.items():
        text = text.replace(found, meant)
    return _TIME.sub("(time)", text).encode()


def _members(data: bytes, roots: Mapping[str, str]) -> Iterator[str]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for name in sorted(archive.namelist()):
            yield f"{name} {value_digest(name, archive.read(name), roots=roots)}"


def _events(data: bytes) -> Iterator[bytes]:
    """Yield the events of a file without their times: each lies between its length (8 bytes), and two checks (4 each).

    The time is the first field of a written event: one byte that says so, and eight.
    """
    at = 0
    while at + 12 <= len(data):
        size = int.from_bytes(data[at : at + 8], "little")
        event = data[at + 12 : at + 12 + size]
        yield event[9:] if event[:1] == b"\x09" else event
        at += size + 16


def _files(entity: EntityReader) -> dict[str, tuple[str | None, Read]]:
    """Return each file's sha256 (None where only reading tells) and a way to read it; of an archive, those inside."""
    names = [file.path for file in entity.manifest.files]
    if INDEX_FILE in names or (names and all(name.endswith(".parquet") for name in names)):
        archive = ArchiveReader(entity)
        return {name: (_row_hash(archive, name), _reader(archive.read, name)) for name in archive.names()}
    return {file.path: (file.sha256, _reader(entity.read, file.path)) for file in entity.manifest.files}


def _row_hash(archive: ArchiveReader, name: str) -> str | None:
    places = archive.places(name)
    found = places[0].sha256 if len(places) == 1 else None
    return found.hex() if found else None


def _reader(read: Callable[[str], bytes], name: str) -> Read:
    return lambda: read(name)
