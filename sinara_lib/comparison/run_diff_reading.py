"""Two runs read for a diff, and the diff kept: nothing is checked out, everything comes from the runs' own records."""

import json
import logging
import re
from collections.abc import Mapping
from typing import Any

from sinara_lib.catalog.catalog import read_entity_manifest
from sinara_lib.catalog.find import Target, known_stores
from sinara_lib.comparison.run_diff import SECTIONS, DiffRow, RunDiff, RunSide, diff_runs, shown, shown_change
from sinara_lib.comparison.run_summary import NotebookReport, RunSummary, read_summary
from sinara_lib.errors import ArtifactError, ArtifactNotFoundError, LayoutError, SinaraError
from sinara_lib.layout import RunAddress, split_entity_url
from sinara_lib.reports.pages import page_of
from sinara_lib.settings import Settings
from sinara_lib.store import ArtifactStore, store_at
from sinara_lib.store.files import StoreFiles

EXECUTED = "report.ipynb"
_NOT_WRITTEN = {"injected-parameters", "papermill-error-cell-tag"}

log = logging.getLogger(__name__)


def read_diff(a: Target, b: Target, settings: Settings) -> RunDiff:
    """Compare two runs. Raises ArtifactNotFoundError when one is not there, or was removed."""
    stores = {store.url: store for store in (*known_stores(settings).values(), a.store, b.store)}
    return diff_runs(_side(read_summary(a), stores), _side(read_summary(b), stores))


def save_diff(diff: RunDiff) -> str:
    """Keep a diff beside the runs of its second step, in the folder `diff.<run>.<run>`, and return that folder's URL.

    The name is SinaraML's; it is that of no run, and the two pages in it, diff.html and diff.json, are no entity.
    """
    store, step = diff.b.store, diff.b.address.step
    folder = f"{step.path}/diff.{diff.a.run_id}.{diff.b.run_id}"
    files = StoreFiles(store.fs)
    page = json.dumps(diff.page(), indent=1).encode()
    if not files.claim_folder(f"{store.root}/{folder}", "diff.json", page):
        files.write(f"{store.root}/{folder}/diff.json", page)
    files.write(f"{store.root}/{folder}/diff.html", diff_html(diff).encode())
    return f"{store.url}/{folder}"


def notebook_text(data: bytes) -> str:
    """Return the cells of a notebook as text, `# %%` above each; what papermill put in is left out.

    Raises LayoutError when it is not a notebook.
    """
    try:
        cells = json.loads(data)["cells"]
        kept = [cell for cell in cells if not _NOT_WRITTEN & {*cell.get("metadata", {}).get("tags", [])}]
        return "\n\n".join(_cell_text(cell) for cell in kept)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise LayoutError(f"not a notebook ({error!r})") from error


def _cell_text(cell: Mapping[str, Any]) -> str:
    source = cell["source"]
    text = source if isinstance(source, str) else "".join(source)
    mark = "# %%" if cell["cell_type"] == "code" else f"# %% [{cell['cell_type']}]"
    return f"{mark}\n{text}"


def _side(summary: RunSummary, stores: Mapping[str, ArtifactStore]) -> RunSide:
    inputs = dict(_input(summary, url, stores) for url in summary.inputs)
    notebooks = {report.notebook: text for report in summary.reports if (text := _notebook(summary, report))}
    return RunSide(summary, inputs, notebooks)


def _input(summary: RunSummary, url: str, stores: Mapping[str, ArtifactStore]) -> tuple[str, str]:
    """Return what an input is (step and entity, or the URL of raw data), and its content hash, or else its URL."""
    if known := next((source for source in summary.sources if source.url == url), None):
        return url, known.sha256
    try:
        root, address = split_entity_url(url)
    except LayoutError:
        return url, "content not known"
    name = f"{address.run.step.path}/{address.name}"
    if address.run == summary.address:
        return f"{name} (of this very run)", "made by this run"
    try:
        manifest = read_entity_manifest(stores.get(root) or store_at(root), address)
    except ArtifactNotFoundError:
        return name, f"{address.run.run_id}, which is not there any more"
    except SinaraError:
        return name, f"{address.run.run_id}, which cannot be read from here"
    return name, manifest.content if manifest else address.run.run_id


def _notebook(summary: RunSummary, report: NotebookReport) -> str | None:
    if EXECUTED not in report.files:
        return None
    address = RunAddress(summary.address.step, summary.run_id).entity(re.split("/", report.url)[-1])
    try:
        return notebook_text(summary.store.open(address).read(EXECUTED))
    except (ArtifactError, LayoutError) as error:
        log.warning("%s of %s is not compared: %s", report.notebook, summary.run_id, error)
        return None


TITLES = {
    "facts": "Run and code",
    "params": "Parameters",
    "inputs": "Inputs",
    "outputs": "Outputs",
    "metrics": "Metrics",
    "packages": "Packages",
}


def diff_html(diff: RunDiff) -> str:
    """Return the page: what differs in each section, the notebooks' changes line by line."""
    return page_of(
        "diff.html.j2",
        title=f"{diff.a.run_id} and {diff.b.run_id}",
        diff=diff,
        sections=[(TITLES[n], [_cells(row) for row in diff.sections[n]], diff.nothing(n)) for n in SECTIONS],
        notebooks=[(name, [(_kind(line), line) for line in lines]) for name, lines in diff.notebooks.items()],
    )


def _cells(row: DiffRow) -> dict[str, str]:
    return {
        "name": row.name,
        "a": shown(row.a),
        "b": shown(row.b),
        "change": shown_change(row),
        "mark": "" if row.differs else "same",
    }


def _kind(line: str) -> str:
    return {"+": "added", "-": "removed", "@": "place"}.get(line[:1], "")
