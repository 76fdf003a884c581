"""Which step reads which: from the interface cells, as far as they are literal, and from what was read last."""

import ast
import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from sinara_lib.errors import ArtifactCorruptError, ParamsError
from sinara_lib.keeping.contents import split_inputs
from sinara_lib.layout import StepAddress
from sinara_lib.pipeline_runs.ready_steps import ReadyStep
from sinara_lib.runs.interface import ENV_NAME, PIPELINE_NAME, STEP_NAME, ZONE_NAME
from sinara_lib.step import Step

_ELSEWHERE = {ENV_NAME, PIPELINE_NAME, ZONE_NAME}
_CONSTANTS = {name.upper(): name for name in (STEP_NAME, ENV_NAME, PIPELINE_NAME, ZONE_NAME)}
"""Keys of an input by the names of the constants that stand for them."""


@dataclass(frozen=True)
class Graph:
    """The steps that each step reads, by name, in the pipeline's order; its own earlier runs are none of them."""

    reads: Mapping[str, tuple[str, ...]]

    def check(self) -> None:
        """Raise ParamsError for steps that read one another in a circle."""
        done: set[str] = set()
        for name in self.reads:
            self._follow(name, (), done)

    def _follow(self, name: str, path: tuple[str, ...], done: set[str]) -> None:
        if name in path:
            circle = " -> ".join((*path[path.index(name) :], name))
            raise ParamsError(
                f"The steps read one another in a circle: {circle}. Nothing was started; cut it somewhere."
            )
        if name not in done:
            for other in self.reads.get(name, ()):
                self._follow(other, (*path, name), done)
            done.add(name)

    def lines(self) -> Iterator[str]:
        """Yield a line for each step: its name, and what it reads."""
        width = max(map(len, self.reads))
        for name, reads in self.reads.items():
            yield f"{name:{width}}  <- {', '.join(reads)}" if reads else name

    def mermaid(self) -> Iterator[str]:
        """Yield the lines of a Mermaid flowchart."""
        numbers = {name: f"s{number}" for number, name in enumerate(self.reads)}
        yield "flowchart TD"
        yield from (f'    {number}["{name}"]' for name, number in numbers.items())
        for name, reads in self.reads.items():
            yield from (f"    {numbers[other]} --> {numbers[name]}" for other in reads if other in numbers)

    def svg(self) -> str:
        """Return a picture: a row for each step below those it reads."""
        rank: dict[str, int] = {}
        for name in self.reads:
            rank[name] = self._rank(name, rank)
        rows = [[name for name in self.reads if rank[name] == level] for level in range(max(rank.values()) + 1)]
        wide = max(map(len, rows)) * 200
        place = {
            name: (wide * (at + 0.5) / len(row), 40 + 90 * level)
            for level, row in enumerate(rows)
            for at, name in enumerate(row)
        }
        lines = [
            f'<line x1="{place[other][0]:.0f}" y1="{place[other][1] + 20:.0f}" x2="{x:.0f}" y2="{y - 20:.0f}"/>'
            for name, (x, y) in place.items()
            for other in self.reads[name]
            if other in place
        ]
        boxes = [
            f'<rect x="{x - 85:.0f}" y="{y - 20:.0f}" width="170" height="40" rx="6"/>'
            f'<text x="{x:.0f}" y="{y + 5:.0f}">{name}</text>'
            for name, (x, y) in place.items()
        ]
        style = "rect{fill:#fff;stroke:#555}line{stroke:#888}text{font:14px sans-serif;text-anchor:middle}"
        size = f'width="{wide}" height="{len(rows) * 90}"'
        return "\n".join(
            [f'<svg xmlns="http://www.w3.org/2000/svg" {size}><style>{style}</style>', *lines, *boxes, "</svg>", ""]
        )

    def _rank(self, name: str, known: dict[str, int]) -> int:
        others = [other for other in self.reads[name] if other in self.reads]
        return max((known.get(other, self._rank(other, known)) + 1 for other in others), default=0)


def graph_of(steps: Mapping[str, ReadyStep], *, known: Collection[str], records: bool = True) -> Graph:
    """Return the graph of steps; with `records` what their newest good runs have read counts where cells do not tell.

    `known` names all steps of the pipeline. Raises ParamsError for an input of a step that is not among `steps` and has
    no run in the store.
    """
    names = {ready.step.name: name for name, ready in steps.items()}
    found: dict[str, tuple[str, ...]] = {}
    for name, ready in steps.items():
        told, whole = _told(ready)
        if records and not whole:
            told |= _read_before(ready.step)
        told.pop(ready.step.name, None)
        for other in told:
            if other not in names:
                _ensure_made(ready.step, other, known)
        found[name] = tuple(names.get(other, other) for other in told)
    return Graph(found)


def _told(ready: ReadyStep) -> tuple[dict[str, None], bool]:
    """Return the steps that the interface cells of a step name, and whether those tell all."""
    found, whole = dict[str, None](), True
    for substep in ready.step.params.substeps_params:
        path = ready.place / substep.substep_name
        for cell in _cells(path):
            names, literal = literal_inputs(cell)
            found |= dict.fromkeys(names)
            whole = whole and literal
    return found, whole


def literal_inputs(cell: str) -> tuple[list[str], bool]:
    """Return the steps that the inputs in a cell of code name, and whether nothing but literals stands there."""
    try:
        tree = ast.parse(cell)
    except SyntaxError:
        return [], False
    calls = [one for one in ast.walk(tree) if isinstance(one, ast.Call)]
    asked = [call for call in calls if isinstance(call.func, ast.Attribute) and call.func.attr == "interface"]
    inputs = [word.value for call in asked for word in call.keywords if word.arg == "inputs"]
    names = [
        name for value in inputs for one in ast.walk(value) if isinstance(one, ast.Dict) for name in _steps_in(one)
    ]
    literal = all(isinstance(v, ast.List) and all(isinstance(e, ast.Dict) for e in v.elts) for v in inputs)
    return names, literal


def _steps_in(entry: ast.Dict) -> Iterator[str]:
    keys = {_key(key): value for key, value in zip(entry.keys, entry.values, strict=True)}
    step = keys.get(STEP_NAME)
    if isinstance(step, ast.Constant) and isinstance(step.value, str) and not _ELSEWHERE & keys.keys():
        yield step.value


def _key(key: ast.expr | None) -> str:
    if isinstance(key, ast.Constant):
        return str(key.value)
    name = key.attr if isinstance(key, ast.Attribute) else key.id if isinstance(key, ast.Name) else ""
    return _CONSTANTS.get(name, name)


def _cells(path: Path) -> Iterator[str]:
    """Yield the code that may declare an interface; what cannot be read is told when the step runs."""
    try:
        text = path.read_text(encoding="utf-8")
        page = json.loads(text) if path.suffix == ".ipynb" else None
        cells = page["cells"] if page else [{"cell_type": "code", "source": text}]
        sources = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    except (OSError, ValueError, KeyError, TypeError):
        return
    yield from (source for source in sources if ".interface(" in source)


def _read_before(step: Step) -> dict[str, None]:
    """Return the steps of the same pipeline that the newest good run of a step has read."""
    for run in step.store.runs(step.address)[:5]:
        try:
            record = step.store.run_record(run)
        except ArtifactCorruptError:
            continue
        if record is not None and record.status.resolvable:
            read = split_inputs(record.inputs, store=step.store, own=step.address).entities
            place = (step.address.pipeline, step.address.zone)
            return {k.step.step: None for k in read if not k.root and (k.step.pipeline, k.step.zone) == place}
    return {}


def _ensure_made(step: Step, other: str, known: Collection[str]) -> None:
    if step.store.runs(StepAddress(step.address.pipeline, step.address.zone, other)):
        return
    if other in known:
        raise ParamsError(f"{step.name} reads {other}, which has no run yet: run {other} too. Nothing was started.")
    raise ParamsError(
        f"{step.name} reads {other}, which is no step of this pipeline and has no run in {step.store.url}. Nothing was "
        "started; add the step to sinara.toml, or correct the interface cell."
    )
