"""Runs of a pipeline as a table: a row is a run of one step with all the runs that it was made from."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sinara_lib.catalog.find import Target, known_stores
from sinara_lib.comparison.run_diff import shown
from sinara_lib.comparison.run_summary import Metric, RunSummary, read_summary
from sinara_lib.errors import ArtifactError, ArtifactNotFoundError, LayoutError, ParamsError
from sinara_lib.layout import RunAddress, StepAddress, split_entity_url
from sinara_lib.settings import Settings
from sinara_lib.store import ArtifactStore
from sinara_lib.tables import csv_table, text_table

FIXED = ("run", "status", "started")
SHOWN_METRICS = 6


@dataclass(frozen=True)
class Chain:
    """A run and, from the first on, the runs that it was made from; `missing` are those that were removed."""

    runs: tuple[RunSummary, ...]
    missing: tuple[str, ...] = ()
    row: Mapping[str, str] | None = None
    """Values of FIXED, where the row is not named after the last run."""

    @property
    def last(self) -> RunSummary:
        """The run that the row is named after."""
        return self.runs[-1]

    def params(self) -> dict[str, Any]:
        """Return the parameters of all its runs by `<notebook>.<name>`."""
        return {name: value for run in self.runs for name, value in run.params.items()}

    def metrics(self, owners: Mapping[str, str]) -> dict[str, Metric]:
        """Return the metrics by name, each from the step that owns the name."""
        return {n: v for run in self.runs for n, v in run.metrics.items() if owners[n] == run.address.step.step}


@dataclass(frozen=True)
class RunTable:
    """Rows of values by column: FIXED, then parameters, then metrics."""

    params: tuple[str, ...]
    metrics: tuple[str, ...]
    rows: tuple[Mapping[str, Any], ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns in their order."""
        return (*FIXED, *self.params, *self.metrics)

    def lines(self) -> Iterator[str]:
        """Return the table as lines of text."""
        rows = ([shown(row[c]) for c in self.columns] for row in self.rows)
        return text_table([list(_headings(self.columns)), *rows])

    def csv(self) -> str:
        """Return the table as CSV: full values, columns by their full names."""
        rows = (["" if row[c] is None else row[c] for c in self.columns] for row in self.rows)
        return csv_table([self.columns, *rows])


def read_chains(settings: Settings, store: ArtifactStore, step: StepAddress, *, limit: int) -> list[Chain]:
    """Read the newest runs of a step with what they were made from, in whatever environment that is; newest first.

    Raises ArtifactNotFoundError when the step has no runs.
    """
    runs = store.runs(step)[:limit]
    if not runs:
        raise ArtifactNotFoundError(f"Step {step.step} has no runs under {store.url}/{step.path}: run it first.")
    reader = _Chains(settings, store)
    return [chain for run in runs if (chain := reader.read(store, run))]


def read_chain(settings: Settings, store: ArtifactStore, run: RunAddress) -> Chain:
    """Read a run with what it was made from. Raises ArtifactNotFoundError when it is not there."""
    chain = _Chains(settings, store).read(store, run)
    if chain is None:
        raise ArtifactNotFoundError(f"{store.url_of(run)} does not exist, or cannot be read.")
    return chain


def tabulate(
    chains: Sequence[Chain],
    *,
    params: Sequence[str] = (),
    metrics: Sequence[str] = (),
    costs: bool = False,
    sort: str | None = None,
    ascending: bool = False,
) -> RunTable:
    """Put chains into a table.

    Without names: the parameters that are not the same in all rows, and the first metrics of the last step. A name of
    a parameter may leave the notebook out where that is clear. `costs` adds what the row's run itself took. `sort`
    names a column; rows without a value are last.
    Raises ParamsError for a name that no row has.
    """
    owners = _owners(chains)
    rows = [(chain, chain.params(), {**chain.metrics(owners), **chain.last.cost_numbers}) for chain in chains]
    all_params = list(dict.fromkeys(name for _, found, _ in rows for name in found))
    all_costs = list(dict.fromkeys(name for chain in chains for name in chain.last.cost_numbers))
    all_metrics = [*owners, *all_costs]
    last_metrics = list(dict.fromkeys(name for chain in chains for name in chain.last.metrics))
    chosen_params = [_find(name, all_params, "parameter") for name in params] if params else _varying(rows, all_params)
    chosen_metrics = [_find(n, all_metrics, "metric") for n in metrics] if metrics else last_metrics[:SHOWN_METRICS]
    chosen_metrics += [name for name in all_costs if costs and name not in chosen_metrics]
    columns = (*chosen_params, *(name for name in chosen_metrics if name not in chosen_params))
    table = [
        {**_fixed(chain), **{n: found[n] if n in found else measured.get(n) for n in columns}}
        for chain, found, measured in rows
    ]
    if sort:
        key = sort if sort in FIXED else _find(sort, columns, "column")
        table = _sorted(table, key, ascending=ascending)
    return RunTable(tuple(chosen_params), tuple(n for n in chosen_metrics if n not in chosen_params), tuple(table))


class _Chains:
    """Follows inputs back from run to run, reading each run once."""

    def __init__(self, settings: Settings, store: ArtifactStore) -> None:
        self._stores = {one.url: one for one in (*known_stores(settings).values(), store)}
        self._known: dict[str, RunSummary | None] = {}

    def read(self, store: ArtifactStore, run: RunAddress) -> Chain | None:
        """Return the chain that ends in a run; None when it is gone or cannot be read."""
        last = self._summary(store, run)
        if last is None:
            return None
        found, missing, todo = {last.url: last}, list[str](), [*last.inputs]
        while todo:
            try:
                root, address = split_entity_url(todo.pop())
            except LayoutError:
                continue  # raw data
            if root not in self._stores or (url := f"{root}/{address.run.path}") in (*found, *missing):
                continue
            origin = self._summary(self._stores[root], address.run)
            if origin is None:
                missing.append(url)
            else:
                found[url] = origin
                todo += origin.inputs
        origins = sorted((r for r in found.values() if r is not last), key=lambda r: r.started)
        return Chain((*origins, last), tuple(missing))

    def _summary(self, store: ArtifactStore, run: RunAddress) -> RunSummary | None:
        url = store.url_of(run)
        if url not in self._known:
            try:
                self._known[url] = read_summary(Target(store, run))
            except ArtifactError:
                self._known[url] = None
        return self._known[url]


def _fixed(chain: Chain) -> dict[str, str]:
    if chain.row is not None:
        return dict(chain.row)
    return {
        "run": chain.last.run_id,
        "status": chain.last.status,
        "started": f"{chain.last.started:%Y-%m-%d %H:%M}",
    }


def _owners(chains: Sequence[Chain]) -> dict[str, str]:
    """Return for each metric the step whose number it is: of several that use the name, the last along the chain.

    So a run that measured nothing never shows what an earlier step measured under the same name.
    """
    ranked = [(len(c.runs) - at, run) for c in chains for at, run in enumerate(c.runs)]
    owners: dict[str, tuple[int, str]] = {}
    for rank, run in ranked:
        for name in run.metrics:
            owners[name] = min(owners.get(name, (rank, run.address.step.step)), (rank, run.address.step.step))
    return {name: step for name, (_, step) in owners.items()}


def _varying(rows: Sequence[tuple[Chain, dict[str, Any], dict[str, Metric]]], names: Iterable[str]) -> list[str]:
    """Return the parameters that have more than one value."""
    return [n for n in names if len({repr(found.get(n)) for _, found, _ in rows}) > 1]


def _find(name: str, names: Sequence[str], what: str) -> str:
    """Return the full name that `name` means. Raises ParamsError when none or several do."""
    if name in names:
        return name
    found = [each for each in names if each.rsplit(".", 1)[-1] == name]
    if len(found) == 1:
        return found[0]
    if found:
        raise ParamsError(f"{what} {name!r} is not clear: {', '.join(found)}.")
    raise ParamsError(f"No {what} {name!r} in these runs; there are: {', '.join(names) or 'none'}.")


def _sorted(rows: list[dict[str, Any]], key: str, *, ascending: bool) -> list[dict[str, Any]]:
    """Return rows by a column, the largest first unless `ascending`; numbers before texts, no value last."""

    def order(row: dict[str, Any]) -> tuple[bool, float, str]:
        value = row[key]
        number = isinstance(value, int | float)
        return number, float(value) if number else 0.0, "" if number else str(value)

    there = [row for row in rows if row[key] is not None]
    return sorted(there, key=order, reverse=not ascending) + [row for row in rows if row[key] is None]


def _headings(columns: Sequence[str]) -> Iterator[str]:
    """Yield columns' names, parameters without their notebook where that is clear."""
    short = [column.rsplit(".", 1)[-1] for column in columns]
    yield from (s if short.count(s) == 1 else column for s, column in zip(short, columns, strict=True))
