"""Refuses to start a service whose files are not those that were packed."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

CHECKSUMS_NAME = "checksums.json"
"""Written beside service.py when the bento is built: path relative to this folder -> sha256 in hex."""


class ChangedFileError(RuntimeError):
    """A file of the bento was changed, added or removed after packing."""


def check_files(folder: Path) -> None:
    """Compare the service's files with their checksums; a folder that is not a bento's has none to compare.

    This tells damage and edits, not a forger, who would write the checksums as well. Raises ChangedFileError.
    """
    record = folder / CHECKSUMS_NAME
    if not record.is_file():
        if (folder.parent / "bento.yaml").is_file():
            raise ChangedFileError(f"{record} is missing from this bento. Pack the service again.")
        return
    expected: dict[str, str] = json.loads(record.read_text(encoding="utf-8"))
    added = {path.relative_to(folder).as_posix() for path in folder.rglob("*.py")} - expected.keys()
    for name, checksum in expected.items():
        if not (folder / name).is_file():
            raise ChangedFileError(f"{folder / name} was packed and is missing. Pack the service again.")
        found = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        if found != checksum:
            raise ChangedFileError(
                f"{folder / name} was changed after packing: its sha256 is {found}, packed was {checksum}. "
                "Pack the service again."
            )
    if added:
        raise ChangedFileError(f"{folder / min(added)} was added after packing. Pack the service again.")
