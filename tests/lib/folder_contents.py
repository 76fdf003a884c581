"""A folder as its names, bytes and times, to compare it with another."""

from pathlib import Path


def contents(folder: Path) -> dict[str, tuple[bytes, int] | None]:
    """Name -> bytes and time in microseconds of each file; None for an empty folder."""
    found: dict[str, tuple[bytes, int] | None] = {}
    for path in folder.rglob("*"):
        name = str(path.relative_to(folder))
        if path.is_file():
            found[name] = (path.read_bytes(), path.stat().st_mtime_ns // 1000)
        elif not any(path.iterdir()):
            found[name] = None
    return found
