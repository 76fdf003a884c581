"""Whether sources that are `always_changed` hold what they held before; then the run ends and publishes nothing."""

import logging
from collections.abc import Iterator, Mapping
from pathlib import Path

from data_sources.fetch import fetch_source
from data_sources.gathering import DOWNLOADS
from fetch_params import FetchParams
from sinara_lib.downloads.origin import Origin
from sinara_lib.substep import NotebookSubstep
from sinara_lib.unchanged import end_if_unchanged

log = logging.getLogger(__name__)


def ask_sources(params: FetchParams, work: str | Path) -> dict[str, Origin]:
    """Fetch what the parameters name, so that it can be compared before it is unpacked.

    Nothing without a source that is `always_changed`, and nothing where a database is asked or the sample is drawn:
    what those hold is known when they are read. Raises DownloadError.
    """
    sources = params.all_sources
    if not _may_end(params) or any(source.is_query or source.is_sample for source in sources):
        return {}
    folder, asked = Path(work) / DOWNLOADS, {}
    for source in sources:
        urls = [(url, source.images_sha256) for url in source.images_urls]
        urls += [(url, source.annotations_sha256) for url in source.annotations_urls]
        for url, sha256 in urls:
            origin = fetch_source(url, folder, sha256=sha256, options=params.options_for(source)).origin
            asked[f"source {len(asked) + 1}"] = origin
    if params.weights_url:
        fetched = fetch_source(params.weights_url, folder, sha256=params.weights_sha256, options=params)
        asked["weights"] = fetched.origin
    return asked


def end_early(substep: NotebookSubstep, asked: Mapping[str, Origin]) -> None:
    """End the run by raising Unchanged, where what was asked is all that an earlier run has read."""
    if asked:
        end_if_unchanged(substep, _read(asked))


def end_without_changes(substep: NotebookSubstep, params: FetchParams, origins: Mapping[str, Origin | None]) -> None:
    """End the run as `end_early` does, by all that was read, before it is published; what has changed is logged."""
    if _may_end(params):
        log.info("published anew: %s", end_if_unchanged(substep, _read(origins)))


def _may_end(params: FetchParams) -> bool:
    return any(source.always_changed for source in params.all_sources)


def _read(origins: Mapping[str, Origin | None]) -> Iterator[tuple[str, str]]:
    return ((origin.url, origin.sha256) for origin in origins.values() if origin)
