"""A table of runs as one HTML page: sortable, above it a plot with one axis per column and one line per run."""

import json
import math
from dataclasses import dataclass
from typing import Any

from sinara_lib.comparison.run_diff import shown
from sinara_lib.comparison.run_table import FIXED, RunTable
from sinara_lib.reports.pages import page_of

WIDTH, HEIGHT, MARGIN_X, TOP, BOTTOM = 1120, 380, 70, 52, 28
MOST_AXES = 10


@dataclass(frozen=True)
class Axis:
    """One axis of the plot: its column, where it stands, and its marks (height, text)."""

    name: str
    x: float
    marks: tuple[tuple[float, str], ...]


@dataclass(frozen=True)
class Line:
    """One run of the plot: its points (None where it has no value) as an SVG path, and its colour from 0 to 1."""

    row: int
    run: str
    path: str
    colour: float


def table_html(table: RunTable, *, title: str) -> str:
    """Return the page. Lines are coloured by the last axis, which is the last metric."""
    axes, lines = parallel_plot(table)
    return page_of(
        "compare.html.j2",
        title=title,
        columns=[(name, name.rsplit(".", 1)[-1], name.rpartition(".")[0]) for name in table.columns],
        rows=[[(shown(row[c]), _sort_text(row[c])) for c in table.columns] for row in table.rows],
        axes=axes,
        lines=lines,
        left_out=max(0, len(_plotted(table)) - MOST_AXES),
        size=(WIDTH, HEIGHT),
        box=(TOP, HEIGHT - BOTTOM),
    )


def parallel_plot(table: RunTable) -> tuple[list[Axis], list[Line]]:
    """Return axes and lines; columns without two different values to show are left out."""
    columns = _plotted(table)[-MOST_AXES:]
    if len(columns) < 2:
        return [], []
    step = (WIDTH - 2 * MARGIN_X) / (len(columns) - 1)
    scales = [_Scale([row[c] for row in table.rows]) for c in columns]
    places = [MARGIN_X + step * number for number in range(len(columns))]
    axes = [
        Axis(name.rsplit(".", 1)[-1], x, tuple((_height(at), text) for at, text in scale.marks()))
        for name, x, scale in zip(columns, places, scales, strict=True)
    ]
    lines = []
    for number, row in enumerate(table.rows):
        points = [(x, s.place(row[c])) for x, s, c in zip(places, scales, columns, strict=True)]
        last = points[-1][1]
        lines.append(Line(number, str(row["run"]), _path(points), last if last is not None else 0.5))
    return axes, lines


class _Scale:
    """Maps the values of a column to 0 (bottom) to 1 (top): numbers by size, anything else by name."""

    def __init__(self, values: list[Any]) -> None:
        there = [value for value in values if value is not None]
        self._numbers = all(isinstance(v, int | float) and math.isfinite(v) for v in there)
        self._names = [] if self._numbers else sorted({_text(value) for value in there})
        self._low = float(min(there)) if self._numbers else 0.0
        self._high = float(max(there)) if self._numbers else float(max(1, len(self._names) - 1))

    def place(self, value: Any) -> float | None:
        """Return where a value stands; None for no value."""
        if value is None:
            return None
        number = float(value) if self._numbers else float(self._names.index(_text(value)))
        return (number - self._low) / (self._high - self._low) if self._high > self._low else 0.5

    def marks(self) -> list[tuple[float, str]]:
        """Return places and texts of what the axis is labelled with."""
        if self._numbers:
            return [(at, shown(self._low + (self._high - self._low) * at)) for at in (0.0, 0.5, 1.0)]
        chosen = self._names if len(self._names) <= 8 else [self._names[0], self._names[-1]]
        return [(self._names.index(name) / self._high, name[:18]) for name in chosen]


def _plotted(table: RunTable) -> list[str]:
    columns = [c for c in table.columns if c not in FIXED]
    return [c for c in columns if len({_text(row[c]) for row in table.rows if row[c] is not None}) > 1]


def _path(points: list[tuple[float, float | None]]) -> str:
    """Return the SVG path through the points; a run without a value on an axis has a gap there."""
    parts, pen_down = [], False
    for x, place in points:
        if place is not None:
            parts.append(f"{'L' if pen_down else 'M'}{x:.1f} {_height(place):.1f}")
        pen_down = place is not None
    return " ".join(parts)


def _height(place: float) -> float:
    return HEIGHT - BOTTOM - place * (HEIGHT - TOP - BOTTOM)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _sort_text(value: Any) -> str:
    """Return what the page's script sorts a cell by: a number, or text; nothing for no value."""
    return "" if value is None else _text(value)
