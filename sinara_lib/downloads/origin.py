"""What a download was: where from, its size and sha256, when, and what its server promised of it.

One record from the wire to the manifest: the cache keeps it beside the bytes, the step publishes it.
"""

from dataclasses import dataclass
from datetime import datetime

from sinara_lib.errors import DownloadError


@dataclass(frozen=True)
class Origin:
    """One source: size in bytes and sha256 of its file (of a folder: of all files), and when its bytes came, UTC."""

    url: str
    size: int
    sha256: str
    fetched: datetime
    etag: str | None = None
    last_modified: str | None = None
    checked: str | None = None
    """What the server promised of the bytes that they agree with; None: it promised nothing."""
    note: str | None = None
    """How it was had, where it was not downloaded in this run."""
    licences: tuple[str, ...] = ()


def ensure_promised(origin: Origin, promised: str) -> None:
    """Raise DownloadError for a file whose sha256 does not start with the promised one."""
    if origin.sha256.startswith(promised):
        return
    raise DownloadError(
        f"{origin.url}: the checksum differs: "
        f"sha256 should {'be' if len(promised) == 64 else 'start with'} {promised}, found {origin.sha256} "
        f"({origin.size:,} bytes). The file was changed or damaged on its way; "
        f"run again, or correct the checksum if the new file is the one you want."
    )
