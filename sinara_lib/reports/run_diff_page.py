"""The diff of two runs as one HTML page."""

from sinara_lib.reports.pages import page_of
from sinara_lib.reports.run_diff import SECTIONS, Row, RunDiff, shown, shown_change

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


def _cells(row: Row) -> dict[str, str]:
    return {
        "name": row.name,
        "a": shown(row.a),
        "b": shown(row.b),
        "change": shown_change(row),
        "mark": "" if row.differs else "same",
    }


def _kind(line: str) -> str:
    return {"+": "added", "-": "removed", "@": "place"}.get(line[:1], "")
