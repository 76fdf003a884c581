"""The pages of one run: where they are, opening them, and the short text that a pull request's comment needs."""

import re
import webbrowser
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from sinara_lib.catalog.find import Target
from sinara_lib.comparison.run_diff import shown
from sinara_lib.comparison.run_summary import Metric, RunSummary, open_quality_report, read_summary
from sinara_lib.errors import ArtifactCorruptError, ArtifactError, ArtifactNotFoundError, StoreUnavailableError
from sinara_lib.gate import METRICS_PAGE, QUALITY_REPORT, Gate, read_page
from sinara_lib.layout import split_entity_url
from sinara_lib.store import fetch_folder
from sinara_lib.store.entity import EntityReader
from sinara_lib.store.manifest import RunStatus
from sinara_lib.tables import Markup, markdown_table, plain

PAGE, BUSINESS_PAGE = "report.html", "business_report.html"
PICTURES = 3
FIRST = ("curves.png", "bars.png", "confusion.png")
_LOCAL = "file://"
_CALLS = re.compile(r"@(?=[\w-])|#(?=\d)|\bGH-(?=\d)", re.IGNORECASE)


@dataclass(frozen=True)
class ReportPage:
    """A page of a run: what it is, its entity's URL and its name there."""

    what: str
    entity: str
    name: str

    @property
    def url(self) -> str:
        """The page's URL."""
        return f"{self.entity}/{self.name}"


def report_pages(run: RunSummary) -> list[ReportPage]:
    """Return the pages of a run, the one to read first on top: of a failed run, that of the notebook that failed.

    Raises ArtifactNotFoundError when it has none, ArtifactCorruptError when its reports cannot be read.
    """
    quality = [ReportPage("quality of the model", run.store.url_of(run.address.entity(QUALITY_REPORT)), PAGE)]
    pages = quality if QUALITY_REPORT in run.outputs else []
    for report in run.reports:
        for name, what in ((PAGE, report.notebook), (BUSINESS_PAGE, f"{report.notebook}, without code")):
            pages += [ReportPage(what, report.url, name)] if name in report.files else []
    failed = [r.url for r in run.reports if r.info.result == "FAIL"]
    pages.sort(key=lambda page: page.entity not in failed)
    if not pages:
        if run.damage:
            raise ArtifactCorruptError(f"The reports of {run.url} cannot be read: {' '.join(run.damage)}")
        raise ArtifactNotFoundError(f"{run.url} ({run.status}) has no report: {_why_none(run)}.")
    return pages


def _why_none(run: RunSummary) -> str:
    if run.status == RunStatus.INTERACTIVE.value:
        return "it was run by hand, and the notebook itself is its page; `sinara diff` and `compare` tell its numbers"
    return "none was published by its notebooks"


def show_place(url: str) -> str:
    """Return a URL as a person opens it: on this machine's disk, the path."""
    return url.removeprefix(_LOCAL)


def open_page(page: ReportPage) -> str:
    """Open a page in the browser and return where it lies; from an object store it is fetched first, and checked.

    Raises StoreUnavailableError when there is no browser.
    """
    url = page.url
    if not url.startswith(_LOCAL):
        run = split_entity_url(page.entity)[1].run
        folder = Path(platformdirs.user_cache_dir("sinara", appauthor=False)) / "reports" / run.path
        target = folder / page.entity.rsplit("/", 1)[-1]
        if not (target / page.name).is_file():
            fetch_folder(page.entity, target)
        url = (target / page.name).as_uri()
    if not webbrowser.open(url):
        raise StoreUnavailableError(f"No browser could be started; open {show_place(url)} yourself.")
    return show_place(url)


def previous_run(run: RunSummary) -> Target | None:
    """Return the newest successful run of the same step before `run`."""
    runs = run.store.runs(run.address.step)
    for other in runs[runs.index(run.address) + 1 :]:
        try:
            record = run.store.run_record(other)
        except ArtifactCorruptError:
            continue
        if record is not None and record.status is RunStatus.SUCCESS:
            return Target(run.store, other)
    return None


def markdown(run: RunSummary, base: RunSummary | None) -> Iterator[str]:
    """Yield lines of markdown: the verdict, scores with their change against `base`, three pictures, links."""
    yield f"### {quiet(run.address.step.step)}: {run.status} ({run.run_id})"
    yield from ("", f"> {quiet(run.reason)}") if run.reason else ()
    yield from ("", *(f"> cannot be read: {quiet(words)}" for words in run.damage)) if run.damage else ()
    yield from ("", quiet(gate_words(run)))
    yield from ("", *_scores(run, base))
    if pictures := list(_pictures(run)):
        yield from ("", *pictures)
    yield from (
        "",
        "Reports: " + " · ".join(f"[{quiet(page.what)}]({show_place(page.url)})" for page in report_pages(run)),
    )
    code = run.producer
    commit = f"commit `{code.commit[:12]}`" if code.commit else "no commit"
    dirty = " with uncommitted changes" if code.uncommitted else ""
    yield from ("", f"From {commit}{dirty}, {quiet(code.library)}, {run.started:%Y-%m-%d %H:%M} UTC.")


def read_gate(run: RunSummary) -> Gate | None:
    """Return the gate that the model was held against; None when the run has no quality report.

    Raises ArtifactCorruptError when the report is damaged, or has no list of thresholds.
    """
    entity = open_quality_report(run)
    if entity is None:
        return None
    try:
        return read_page(entity.read(METRICS_PAGE), Gate)
    except ValueError as error:
        raise ArtifactCorruptError(f"{entity.path} has no readable gate: {error}") from error


def gate_words(run: RunSummary) -> str:
    """Return in one line whether the run's model passed its gate, threshold by threshold."""
    try:
        gate = read_gate(run)
    except ArtifactError as error:
        return f"Gate: not known: {error}"
    if gate is None or not gate.gate:
        return "Gate: none in this run."
    return f"Gate: {'passed' if gate.passed else 'NOT PASSED'} ({'; '.join(one.words for one in gate.gate)})."


def picture_names(entity: EntityReader) -> list[str]:
    """Return the names of the three pictures of a quality report to show first."""
    names = [entry.path for entry in entity.manifest.files if entry.path.endswith(".png")]
    return sorted(names, key=lambda name: (FIRST.index(name) if name in FIRST else len(FIRST), name))[:PICTURES]


def read_base(run: RunSummary, given: Target | None) -> RunSummary | None:
    """Return the run to compare with: the given one, else the step's last success before `run`, else None."""
    target = given or previous_run(run)
    return read_summary(target) if target else None


def _scores(run: RunSummary, base: RunSummary | None) -> Iterator[str]:
    if not run.metrics:
        yield "No metrics."
        return
    rows = [
        [quiet(name), quiet(shown(value)), *_change(value, base.metrics.get(name) if base else None)]
        for name, value in run.metrics.items()
    ]
    headers = ["metric", run.run_id, base.run_id if base else "no earlier run", "change"]
    yield from markdown_table(headers, rows).splitlines()


def quiet(text: object) -> Markup:
    """Write text of strangers for a comment, in which it names nobody and refers to no issue."""
    # A word joiner, which nobody sees, parts the sign from the name or number behind it.
    return Markup(_CALLS.sub("\\g<0>\u2060", plain(text)))


def _change(value: Metric, before: Metric | None) -> tuple[str, str]:
    """Show the value before, and how far it changed where both are numbers."""
    both = isinstance(value, int | float) and isinstance(before, int | float)
    return quiet(shown(before)), f"{value - before:+.4g}" if both else ""  # type: ignore[operator]  # both are numbers


def _pictures(run: RunSummary) -> Iterator[str]:
    try:
        entity = open_quality_report(run)
    except ArtifactError:
        return  # the line of the gate has told why
    names = picture_names(entity) if entity else []
    place = show_place(run.store.url_of(run.address.entity(QUALITY_REPORT)))
    yield from (f"![{plain(Path(name).stem.replace('_', ' '))}]({place}/{name})" for name in names)
