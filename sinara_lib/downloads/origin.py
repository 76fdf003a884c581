"""What a download was: where from, its size and sha256, when, and what its server promised of it."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Origin:
    """One source: size in bytes and sha256 of its file (of a folder: of all files), and when its bytes came, UTC."""

    url: str
    size: int
    sha256: str
    retrieved: datetime
    etag: str | None = None
    last_modified: str | None = None
    checked: str | None = None
    """What the server promised of the bytes that they agree with; None: it promised nothing."""
    note: str | None = None
    """How it was had, where it was not downloaded in this run."""
    licences: tuple[str, ...] = ()


def other_checksum(origin: Origin, promised: str) -> str:
    """Return what to say of a file whose sha256 does not start with the promised one."""
    return (
        f"{origin.url}: the checksum differs: "
        f"sha256 should {'be' if len(promised) == 64 else 'start with'} {promised}, found {origin.sha256} "
        f"({origin.size:,} bytes). The file was changed or damaged on its way; "
        f"run again, or correct the checksum if the new file is the one you want."
    )
