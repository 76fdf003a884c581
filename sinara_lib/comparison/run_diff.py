"""What differs between two runs: facts, parameters, inputs, outputs, metrics, notebooks, packages. Pure.

The JSON page (`RunDiff.page`), format 1:

    {"format": 1, "a": URL, "b": URL, "same": true | false,
     "sections": {NAME: [{"name": text, "a": value or null, "b": value or null, "change": number or null}, ...]},
     "notebooks": {NAME: [line of a unified diff, ...]},
     "notes": [text, ...]}

The sections are facts, params, inputs, outputs, metrics and packages; each lists what differs, and metrics lists all.
Inputs and outputs are told by content hash where it is known, else by URL. `notes` say what could not be compared.
"""

import difflib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sinara_lib.comparison.run_summary import RunSummary
from sinara_lib.tables import text_table

FORMAT = 1
SECTIONS = ("facts", "params", "inputs", "outputs", "metrics", "packages")


@dataclass(frozen=True)
class DiffRow:
    """One thing and its value in either run (None: not there); `change` is b - a of two numbers."""

    name: str
    a: Any
    b: Any
    change: float | None = None

    @property
    def differs(self) -> bool:
        """Whether the values are not the same."""
        return bool(self.a != self.b)


@dataclass(frozen=True)
class RunSide:
    """A run, the content hashes of its inputs by what they are, and its executed notebooks as text by name."""

    summary: RunSummary
    inputs: Mapping[str, str]
    notebooks: Mapping[str, str]


@dataclass(frozen=True)
class RunDiff:
    """Two runs side by side; see the module for the parts."""

    a: RunSummary
    b: RunSummary
    sections: Mapping[str, tuple[DiffRow, ...]]
    notebooks: Mapping[str, tuple[str, ...]]
    notes: tuple[str, ...]

    @property
    def same(self) -> bool:
        """Whether nothing that was compared differs, but for the facts of running, such as times."""
        rows = [row for name in SECTIONS if name != "facts" for row in self.sections[name]]
        return not any(row.differs for row in rows) and not any(self.notebooks.values())

    def nothing(self, section: str) -> str:
        """Return why a section has no rows."""
        if section == "packages" and not all(run.environment for run in (self.a, self.b)):
            return "not compared"
        return "none" if section == "metrics" else "the same"

    def page(self) -> dict[str, Any]:
        """Return the JSON page that the module describes."""
        return {
            "format": FORMAT,
            "a": self.a.url,
            "b": self.b.url,
            "same": self.same,
            "sections": {name: [asdict(row) for row in rows] for name, rows in self.sections.items()},
            "notebooks": {name: list(lines) for name, lines in self.notebooks.items()},
            "notes": list(self.notes),
        }

    def lines(self) -> Iterator[str]:
        """Yield the diff as text for a terminal."""
        yield f"a  {self.a.url}"
        yield f"b  {self.b.url}"
        for name in SECTIONS:
            rows = self.sections[name]
            yield from ("", name, *shown_rows(rows)) if rows else ("", f"{name}: {self.nothing(name)}")
        for name, changes in self.notebooks.items():
            yield from ("", name, *(f"  {line}" for line in changes)) if changes else ("", f"{name}: the same")
        yield from (f"note: {note}" for note in self.notes)


def diff_runs(a: RunSide, b: RunSide) -> RunDiff:
    """Compare two runs of any steps and environments."""
    metrics = _rows(a.summary.metrics, b.summary.metrics)
    return RunDiff(
        a=a.summary,
        b=b.summary,
        sections={
            "facts": _changed(_facts(a.summary), _facts(b.summary)),
            "params": _changed(a.summary.params, b.summary.params),
            "inputs": _changed(a.inputs, b.inputs),
            "outputs": _changed(_outputs(a.summary), _outputs(b.summary)),
            "metrics": tuple(metrics),
            "packages": _changed(*_packages(a.summary, b.summary)),
        },
        notebooks={
            name: tuple(_text_diff(a.notebooks.get(name, ""), b.notebooks.get(name, "")))
            for name in dict.fromkeys((*a.notebooks, *b.notebooks))
        },
        notes=tuple(_notes(a.summary, b.summary)),
    )


def shown(value: Any) -> str:
    """Return a value as a table shows it: numbers to four digits, hashes shortened, nothing as a dash."""
    if value is None:
        return "-"
    if isinstance(value, bool) or not isinstance(value, float):
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        return text[:12] if len(text) == 64 and set(text) <= set("0123456789abcdef") else text
    return f"{value:.4g}"


def shown_change(row: DiffRow) -> str:
    """Return the change of a number with its sign, or a word where there is none."""
    if row.change is not None:
        return f"{row.change:+.4g}" if row.change else "0"
    if not row.differs:
        return "same"
    return "only in b" if row.a is None else "only in a" if row.b is None else "changed"


def shown_rows(rows: Sequence[DiffRow]) -> Iterator[str]:
    """Yield rows as lines of text: name, both values, change."""
    return text_table([(row.name, shown(row.a), shown(row.b), shown_change(row)) for row in rows], indent="  ")


def _facts(run: RunSummary) -> dict[str, Any]:
    code, environment = run.producer, run.environment
    seconds = (run.finished - run.started).total_seconds() if run.finished else None
    return {
        "step": run.address.step.path,
        "status": run.status,
        "reason": run.reason,
        "started (UTC)": f"{run.started:%Y-%m-%d %H:%M:%S}",
        "seconds": seconds,
        "who": run.user,
        "origin": code.origin,
        "commit": code.commit,
        "uncommitted changes": code.uncommitted,
        "library": code.library,
        "Python": environment.python if environment else None,
        "platform": environment.platform if environment else None,
    }


def _outputs(run: RunSummary) -> dict[str, str]:
    return {name: content or "content not known" for name, content in run.outputs.items()}


def _packages(a: RunSummary, b: RunSummary) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """Return the packages of both; of neither where one did not record its own."""
    if a.environment is None or b.environment is None:
        return {}, {}
    return a.environment.packages, b.environment.packages


def _notes(a: RunSummary, b: RunSummary) -> Iterator[str]:
    for name, run in (("a", a), ("b", b)):
        if run.foreign:
            yield f"{name} was made by SinaraML, which records no packages and no checksums"
        elif run.environment is None:
            yield f"{name} has recorded no packages: they are not compared"
        if not run.reports:
            yield f"{name} has no report: its metrics and notebooks are not known"
        if run.producer.uncommitted:
            yield f"{name} was made with uncommitted changes: its commit does not tell all of its code"
        yield from (f"{name}: {words}" for words in run.damage)


def _changed(a: Mapping[str, Any], b: Mapping[str, Any]) -> tuple[DiffRow, ...]:
    return tuple(row for row in _rows(a, b) if row.differs)


def _rows(a: Mapping[str, Any], b: Mapping[str, Any]) -> Iterator[DiffRow]:
    for name in dict.fromkeys((*a, *b)):
        left, right = a.get(name), b.get(name)
        yield DiffRow(name, left, right, _change(left, right))


def _change(a: Any, b: Any) -> float | None:
    numbers = [value for value in (a, b) if isinstance(value, int | float) and not isinstance(value, bool)]
    return numbers[1] - numbers[0] if len(numbers) == 2 else None


def _text_diff(a: str, b: str) -> Iterator[str]:
    lines = difflib.unified_diff(a.splitlines(), b.splitlines(), "a", "b", lineterm="", n=2)
    yield from (line for number, line in enumerate(lines) if number > 1)
