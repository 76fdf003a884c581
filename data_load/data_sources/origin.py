"""What is known of where a source came from, and the page source.json that keeps it with the data."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

from file_times import FIXED_TIME, stamp
from sinara_lib.downloads.folders import digest_of_files
from sinara_lib.downloads.origin import Origin


def origin_of_files(url: str, folder: Path, paths: Iterable[Path]) -> Origin:
    """Return the origin of several files under one URL: one sha256 over their paths below `folder` and their sha256."""
    sha256, size = digest_of_files(folder, paths)
    return Origin(url, size, sha256, datetime.now(timezone.utc))


def with_licences(origins: Mapping[str, Origin | None], licences: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the origins with the licences that a COCO document names for its images; not of a checkpoint."""
    named = tuple(" ".join(str(one[key]) for key in ("name", "url") if one.get(key)) for one in licences)
    return {
        name: replace(origin, licences=named) if origin and name != "weights" else origin
        for name, origin in origins.items()
    }


def keep_server_time(path: Path, origin: Origin) -> None:
    """Give a downloaded file the server's time, or a fixed one, so that the same download is the same entity."""
    seconds = FIXED_TIME
    if origin.last_modified:
        try:
            seconds = int(parsedate_to_datetime(origin.last_modified).timestamp())
        except ValueError:
            seconds = FIXED_TIME
    stamp(path, seconds)


def write_source_page(path: Path, origins: dict[str, Origin | None]) -> None:
    """Write where each source came from; when is told by the report, so that these bytes do not change."""
    write_json(path, {name: origin and _facts(origin) for name, origin in origins.items()})


def write_json(path: Path, page: dict[str, object]) -> None:
    """Write a JSON file whose bytes and time depend on its content alone."""
    path.write_text(json.dumps(page, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    stamp(path)


def _facts(origin: Origin) -> dict[str, object]:
    return {
        "url": origin.url,
        "bytes": origin.size,
        "sha256": origin.sha256,
        "etag": origin.etag,
        "last_modified": origin.last_modified,
        "licences": list(origin.licences),
    }
