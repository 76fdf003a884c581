"""Which runs may go: rules and protection, on records alone. What is chosen here is removed by `garbage`."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sinara_lib.catalog.catalog import CatalogRun
from sinara_lib.catalog.places import url_places
from sinara_lib.errors import ArtifactCorruptError
from sinara_lib.layout import run_sort_key
from sinara_lib.store.manifest import RunRecord, RunStatus

Liveness = Callable[[RunRecord], bool | None]
"""Tells whether a run's process is alive; None when that cannot be known."""


@dataclass(frozen=True)
class Rules:
    """What a person asks for, seen from `now`: both rules must select a run; without any, only what is dead goes.

    `keep_last` counts per step, good and failed runs apart. `keep`: ids or URLs of runs that stay in any case.
    """

    now: datetime
    alive: Liveness
    keep_last: int | None = None
    older_than: timedelta | None = None
    keep: frozenset[str] = frozenset()

    @property
    def given(self) -> bool:
        """Whether finished runs are asked for at all."""
        return self.keep_last is not None or self.older_than is not None

    def is_old(self, run: CatalogRun) -> bool:
        """Tell whether `older_than` is past since the run started; without the rule nothing is old."""
        started = run.record.started if run.record else run_sort_key(run.address.run_id)[0]
        return self.older_than is not None and self.now - started > self.older_than

    def is_at_work(self, run: CatalogRun) -> bool:
        """Tell whether a run may still write.

        Where nobody can ask its process (another machine, an older record), it is taken for alive until it is old.
        """
        if run.record is None or run.record.status not in {RunStatus.RUNNING, RunStatus.INTERACTIVE}:
            return False
        lives = self.alive(run.record)
        return not self.is_old(run) if lives is None else lives


@dataclass(frozen=True)
class Choice:
    """What may go of one store: each run comes before those it was made from."""

    remove: tuple[CatalogRun, ...]
    used: tuple[CatalogRun, ...]
    """Runs that stay, although they were selected: a kept run was made from them, or nobody can tell."""
    in_use: frozenset[str]
    """Places of everything that kept runs were made from."""
    unreadable: tuple[CatalogRun, ...]
    """Kept runs of which nobody can tell what they read; with one of them nothing finished goes."""


@dataclass(frozen=True)
class Inputs:
    """Which places (paths of runs below a root) each run read; a place is the same whatever root it was reached by."""

    read: dict[str, frozenset[str]] = field(default_factory=dict)
    """By the URL of the run that read."""
    urls: dict[str, list[str]] = field(default_factory=dict)
    """The URLs of the runs at a place, in any environment."""
    unreadable: tuple[CatalogRun, ...] = ()

    def behind(self, start: Iterable[str]) -> set[str]:
        """Return the places that the runs at the URLs `start` were made from, over any number of steps."""
        found: set[str] = set()
        todo = list(start)
        while todo:
            new = self.read.get(todo.pop(), frozenset()) - found
            found |= new
            todo += [url for place in new for url in self.urls.get(place, [])]
        return found


def read_inputs(runs: Iterable[CatalogRun], places: Callable[[str], frozenset[str]] = url_places) -> Inputs:
    """Gather what runs read; `places` tells which runs a URL means."""
    read: dict[str, frozenset[str]] = {}
    urls: dict[str, list[str]] = {}
    unreadable = []
    for run in runs:
        urls.setdefault(run.address.path, []).append(run.url)
        try:
            named = [places(url) for url in run.inputs()]
            read[run.url] = frozenset().union(*named) - {run.address.path}
        except ArtifactCorruptError:
            unreadable.append(run)
    return Inputs(read, urls, tuple(unreadable))


def choose_runs(runs: Sequence[CatalogRun], inputs: Inputs, rules: Rules, *, blind: bool = False) -> Choice:
    """Choose among `runs`, all of one store; `inputs` are those of all environments, whose runs may use them.

    `blind`: there is an environment of which nothing is known; then only runs go that nobody can have read.
    """
    selected = _selected(runs, rules)
    chosen = {run.url for run in selected}
    used = inputs.behind(inputs.read.keys() - chosen)
    unreadable = tuple(run for run in inputs.unreadable if run.url not in chosen)
    blind = blind or bool(unreadable)
    stay = {run.url: run for run in selected if run.address.path in used or (blind and not _never_read(run))}
    remove = [run for run in selected if run.url not in stay]
    return Choice(tuple(_made_first(remove, inputs)), tuple(stay.values()), frozenset(used), unreadable)


def _selected(runs: Sequence[CatalogRun], rules: Rules) -> list[CatalogRun]:
    """Return the runs that are dead, half removed, or selected by the rules, newest first."""
    ranks: dict[tuple[object, bool], int] = {}
    succeeded = set()
    selected = []
    for run in sorted(runs, key=lambda r: run_sort_key(r.address.run_id), reverse=True):
        if run.damage or {run.address.run_id, run.url} & rules.keep or rules.is_at_work(run):
            continue
        status, step = run.record and run.record.status, run.address.step
        group = (step, status is RunStatus.FAILED)
        newest = status is RunStatus.SUCCESS and step not in succeeded
        if _is_dead(run):
            selected.append(run)
            continue
        succeeded |= {step} if newest else set()
        ranks[group] = ranks.get(group, 0) + 1
        if not newest and _selects(rules, run, ranks[group]):
            selected.append(run)
    return selected


def _selects(rules: Rules, run: CatalogRun, rank: int) -> bool:
    """Tell whether the rules select the `rank`-th newest run (from 1) of its step and kind.

    The newest that can be read stays. SinaraML's runs do not tell what they read: both rules must be given.
    """
    failed = run.record is not None and run.record.status is RunStatus.FAILED
    if not rules.given or (rank == 1 and not failed):
        return False
    if run.record is None and (rules.keep_last is None or rules.older_than is None):
        return False
    few = rules.keep_last is not None and rank <= rules.keep_last
    young = rules.older_than is not None and not rules.is_old(run)
    return not few and not young


def _is_dead(run: CatalogRun) -> bool:
    """Tell whether a run that is not at work was left by a process that died, or by a killed gc."""
    return run.record is not None and run.record.status in {RunStatus.RUNNING, RunStatus.REMOVING}


def _never_read(run: CatalogRun) -> bool:
    """Tell whether a run never was one that others read."""
    return run.record is not None and run.record.status is RunStatus.RUNNING


def _made_first(runs: Sequence[CatalogRun], inputs: Inputs) -> list[CatalogRun]:
    """Order runs so that each comes before what it was made from: a half-done removal leaves no run without origin."""
    by_place = {run.address.path: run for run in runs}
    origins = {place: inputs.read.get(run.url, frozenset()) & by_place.keys() for place, run in by_place.items()}
    users = dict.fromkeys(by_place, 0)
    for place in (origin for each in origins.values() for origin in each):
        users[place] += 1
    ready = [place for place, count in users.items() if not count]
    for place in ready:
        for origin in sorted(origins[place]):
            users[origin] -= 1
            if not users[origin]:
                ready.append(origin)
    return [by_place[place] for place in ready]
