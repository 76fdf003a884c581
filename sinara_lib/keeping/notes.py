"""What this machine has found out about files, for the state they were in: small notes in the user's cache."""

import hashlib
import logging
import os
from pathlib import Path

log = logging.getLogger(__name__)


def note_path(kind: str, subject: str) -> Path:
    """Return where a note about a subject lies."""
    from sinara_lib.downloads.cache import download_cache  # where nothing has changed, nothing is noted

    return download_cache().folder.parent / "notes" / kind / hashlib.sha256(subject.encode()).hexdigest()[:32]


def read_note(path: Path) -> str:
    """Return a note; empty when there is none, or it cannot be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def write_note(path: Path, text: str) -> None:
    """Write a note, all of it at once; where nothing can be written it is done without."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft.write_text(text, encoding="utf-8")
        os.replace(draft, path)
    except OSError as error:
        log.debug("not noted: %s", error)
