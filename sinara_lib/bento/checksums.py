"""Whether the files of an unzipped bento are those that were packed; the service asks again when it starts."""

import hashlib
import json
from pathlib import Path

from sinara_lib.errors import ArchiveError

CHECKSUMS_NAME = "checksums.json"
"""In the bento's `src`: path relative to `src` -> sha256 in hex, of every other file there."""


def write_checksums(sources: Path) -> None:
    """Write the checksums of all files below `sources` there."""
    text = json.dumps(_checksums(sources), indent=1)
    (sources / CHECKSUMS_NAME).write_text(f"{text}\n", encoding="utf-8")


def check_checksums(sources: Path) -> None:
    """Raise ArchiveError, naming the first file that was changed, added or removed after packing.

    This tells damage and edits, not a forger, who would write the checksums as well.
    """
    record = sources / CHECKSUMS_NAME
    try:
        expected = json.loads(record.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ArchiveError(f"{record} cannot be read ({error}); pack the service again.") from error
    found = _checksums(sources)
    found.pop(CHECKSUMS_NAME, None)
    if not isinstance(expected, dict):
        raise ArchiveError(f"{record} holds no checksums; pack the service again.")
    if other := min((name for name in {*found, *expected} if found.get(name) != expected.get(name)), default=None):
        raise ArchiveError(f"{sources / other} was changed, added or removed after packing; pack the service again.")


def _checksums(sources: Path) -> dict[str, str]:
    files = sorted(path for path in sources.rglob("*") if path.is_file())
    return {path.relative_to(sources).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
