"""One page in front of a pipeline's run: every step with its numbers, and links to all its reports.

It is `<env root>/<pipeline>/<zone>/index.html`, written anew by every run of the pipeline, failed ones too. Steps are
folders there, so a file is no step, run or entity, and nothing that lists a store sees it. Links are relative: the page
moves with the store.
"""

import base64
import posixpath
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sinara_lib.catalog.find import Target, known_stores
from sinara_lib.comparison.run_diff import shown
from sinara_lib.comparison.run_report import gate_words, picture_names, report_pages
from sinara_lib.comparison.run_summary import RunSummary, open_quality_report, read_summary
from sinara_lib.comparison.run_table import read_chain
from sinara_lib.errors import ArtifactCorruptError, ArtifactError, ArtifactNotFoundError
from sinara_lib.gate import QUALITY_REPORT
from sinara_lib.layout import split_run_url
from sinara_lib.reports.pages import page_of
from sinara_lib.settings import Settings
from sinara_lib.store import ArtifactStore
from sinara_lib.store.files import StoreFiles
from sinara_lib.store.manifest import RunStatus

INDEX_FILE = "index.html"
KEY_NUMBERS = 6
_LARGEST_PICTURE = 1_500_000


@dataclass(frozen=True)
class Card:
    """A step on the page: its run, its first metrics, its pages as (what, link), and what it published."""

    run: RunSummary
    link: str
    numbers: tuple[tuple[str, str], ...]
    pages: tuple[tuple[str, str], ...]
    seconds: float | None


def write_index(urls: Sequence[str], settings: Settings) -> str:
    """Write the page for the runs at `urls`, in their order, and all that the last was made from; return its URL.

    A run that failed comes first. Where a run was made from an earlier one of its own step, as data_prep is that keeps
    to a split, the newest run of the step is shown.
    """
    root, address = split_run_url(urls[-1])
    stores = {store.url: store for store in known_stores(settings).values()}
    store = stores[root]
    runs = {(run.store.url, run.address.step): run for run in read_chain(settings, store, address).runs}.values()
    own = [_read(stores, url) for url in urls if url not in {run.url for run in runs}]
    place = f"{address.step.pipeline}/{address.step.zone}"
    html = index_html(sorted((*runs, *own), key=_place_on_page), store=store, place=place)
    StoreFiles(store.fs).write(f"{store.root}/{place}/{INDEX_FILE}", html.encode())
    return f"{store.url}/{place}/{INDEX_FILE}"


def index_html(runs: list[RunSummary], *, store: ArtifactStore, place: str) -> str:
    """Return the page that lies at `place` in `store`."""
    scored = next((run for run in reversed(runs) if QUALITY_REPORT in run.outputs), None)
    return page_of(
        "index.html.j2",
        title=place.replace("/", " · "),
        cards=[_card(run, store, place) for run in runs],
        failed=sum(run.status == RunStatus.FAILED.value for run in runs),
        gate=gate_words(scored) if scored else None,
        quality=_link(scored, f"{QUALITY_REPORT}/report.html", store, place) if scored else None,
        pictures=list(_pictures(scored)) if scored else [],
    )


def _place_on_page(run: RunSummary) -> tuple[bool, datetime]:
    return run.status != RunStatus.FAILED.value, run.started


def _read(stores: dict[str, ArtifactStore], url: str) -> RunSummary:
    root, address = split_run_url(url)
    return read_summary(Target(stores[root], address))


def _card(run: RunSummary, store: ArtifactStore, place: str) -> Card:
    try:
        pages = report_pages(run)
    except (ArtifactNotFoundError, ArtifactCorruptError):
        pages = []  # run by hand, or damaged, which the card tells
    return Card(
        run=run,
        link=_link(run, "", store, place),
        numbers=tuple((name, shown(value)) for name, value in list(run.metrics.items())[:KEY_NUMBERS]),
        pages=tuple((p.what, _link(run, p.url.removeprefix(f"{run.url}/"), store, place)) for p in pages),
        seconds=(run.finished - run.started).total_seconds() if run.finished else None,
    )


def _link(run: RunSummary, name: str, store: ArtifactStore, place: str) -> str:
    """Return the link from the page to something in a run; into another store it is the whole URL."""
    if run.store.url != store.url:
        return f"{run.url}/{name}"
    return posixpath.relpath(f"{run.address.path}/{name}", place)


def _pictures(run: RunSummary) -> Iterator[tuple[str, str]]:
    """Yield name and data URL of the first pictures of the quality report."""
    try:
        entity = open_quality_report(run)
        if entity is None:
            return
        sizes = {file.path: file.size for file in entity.manifest.files}
        for name in picture_names(entity):
            if sizes[name] < _LARGEST_PICTURE:
                data = base64.b64encode(entity.read(name)).decode("ascii")
                yield Path(name).stem.replace("_", " "), f"data:image/png;base64,{data}"
    except ArtifactError:
        return  # the line of the gate has told why
