"""Removes old runs and the remains of dead ones, so that a removal that is cut short harms nobody.

A run is marked first: its record says REMOVING, and no reader takes it any more. Then the runs at work are read once
more: a notebook records what it reads and looks afterwards whether that still stands, so one of both sees the other.
Then every `_SUCCESS` goes, then the data, then the record. Whatever is left by a kill is finished by the next time.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sinara_lib.catalog.catalog import Catalog, CatalogRun, read_run, read_runs
from sinara_lib.catalog.find import find_kept
from sinara_lib.catalog.pipeline_retention import choose_pipeline_runs, places_in_use, read_pipeline_runs
from sinara_lib.catalog.places import RunPlaces
from sinara_lib.catalog.remains import Listing, Remains, drafts_of_runs, list_step, remains_of_runs
from sinara_lib.catalog.removal_marks import alone, mark_run, unmark_run
from sinara_lib.catalog.retention import Choice, Inputs, Liveness, Rules, choose_runs, read_inputs
from sinara_lib.layout import RunAddress, StepAddress, run_sort_key
from sinara_lib.parallel import MOST_THREADS, in_threads
from sinara_lib.progress import progress
from sinara_lib.store import ArtifactStore
from sinara_lib.store.files import StoreFiles
from sinara_lib.store.identity_index import IdentityIndex
from sinara_lib.store.liveness import is_alive
from sinara_lib.store.manifest import MARK_FILE, RUN_FILE, SUCCESS_FILE, RunStatus

NOTHING = Catalog({}, (), {})
_DRAFT_AGE = timedelta(days=1)


@dataclass(frozen=True)
class Removal:
    """A run or remains that go: URL, size in bytes, and why."""

    url: str
    bytes: int
    why: str


@dataclass(frozen=True)
class Garbage:
    """What was removed, or with `dry_run` would be; URLs of runs that the rules select and that stay, being in use."""

    removed: tuple[Removal, ...]
    kept: tuple[str, ...]
    unknown: tuple[tuple[str, str], ...]
    """What cannot be read, and why. Nobody knows what was read there, so with any of it no finished run goes."""
    dry_run: bool

    @property
    def bytes(self) -> int:
        """Size of all that goes."""
        return sum(one.bytes for one in self.removed)

    def lines(self) -> list[str]:
        """Return what a person wants to read."""
        word = "would remove" if self.dry_run else "removed"
        lines = [f"{word}  {one.url}  {one.bytes / 1e6:.1f} MB  {one.why}" for one in self.removed]
        why = "what others read is not known" if self.unknown else "a run that is kept was made from it"
        lines += [f"unknown  {place}  what was read there: {reason}" for place, reason in self.unknown]
        lines += [f"kept  {url}  {why}" for url in self.kept]
        return [*lines, f"{word} {len(self.removed)} runs and remains, {self.bytes / 1e6:.1f} MB"]


def collect_garbage(
    store: ArtifactStore,
    *,
    keep_last: int | None,
    older_than: timedelta | None,
    now: datetime,
    dry_run: bool,
    others: Catalog = NOTHING,
    keep: Iterable[str] = (),
    alive: Liveness = is_alive,
) -> Garbage:
    """Remove from `store` what is dead, and finished runs that every given rule selects.

    `others` are the other environments: what their runs read stays; with one that cannot be reached no finished run
    goes. `keep` names runs that stay, by id, URL or the URL of an entity; raises ArtifactNotFoundError or LayoutError
    for what names none. With `dry_run` the plan is the same and nothing is touched.
    """
    kept = frozenset(url for text in keep for url in _urls_of_kept(store, text, others))
    rules = Rules(now=now, alive=alive, keep_last=keep_last, older_than=older_than, keep=kept)
    with nullcontext() if dry_run else alone(store):
        return _collect(store, rules, others, dry_run=dry_run)


def _collect(store: ArtifactStore, rules: Rules, others: Catalog, *, dry_run: bool) -> Garbage:
    # Records come before listings: what a run that is over by its record left without `_SUCCESS` then stays without.
    known = read_runs("this environment", store)
    listings = {step: list_step(store, step) for step in progress(store.steps(), label="look", unit="step")}
    linked = frozenset(run.url for run in known if store.is_link(run.address))  # what lies elsewhere is not ours
    rules = replace(rules, keep=rules.keep | linked)
    stores = [store, *(each for each in others.stores.values() if not _is_same(each, store))]
    elsewhere = [run for run in others.runs if not _is_same(run.store, store)]
    theirs = {run.store.identity(run.address) for run in elsewhere}
    runs = [run for run in known if _is_there(run, listings) and store.identity(run.address) not in theirs]
    places = RunPlaces([*runs, *elsewhere], stores)
    inputs = read_inputs([*runs, *elsewhere], places)
    pipelines = read_pipeline_runs(store)
    over = choose_pipeline_runs(pipelines, rules)
    inputs.read.update(places_in_use([run for run in pipelines if run not in over], places))
    damaged = [run for run in pipelines if run.damage]
    choice = choose_runs(runs, inputs, rules, blind=bool(others.unreachable or damaged))
    over = [] if others.unreachable or damaged else over
    remains = _remains(listings.values(), [run for run in known if run.url not in linked], choice, rules)
    if not dry_run:
        _restore_used(store, choice)
        # Remains go first: they need no mark, and their space may be the only one for marks.
        _remove_remains(store, remains)
        marked = in_threads(lambda run, _: mark_run(store, run), choice.remove, threads=MOST_THREADS)
        choice = replace(choice, remove=tuple(run for run, done in zip(choice.remove, marked, strict=True) if done))
        late = _used_meanwhile(stores, [*runs, *elsewhere], inputs, rules, places)
        fresh = [run for run in read_pipeline_runs(store) if run.url not in {each.url for each in over}]
        late |= frozenset().union(*places_in_use(fresh, places).values())
        choice = _without(store, choice, late)
        for run in over:
            run.runs.remove(run.run_id)
        _remove(store, choice)
        _forget(store, choice)
    sizes = {run.url: listings[run.address.step].size(run.address.run_id) for run in choice.remove}
    removed = [Removal(run.url, sizes[run.url], _why(run, rules)) for run in choice.remove]
    removed += [Removal(f"{store.url}/{one.path}", one.bytes, one.why) for one in remains]
    removed += [Removal(run.url, 0, _words(rules)) for run in over]
    unknown = [(run.url, str(run.damage)) for run in choice.unreadable]
    unknown += [(run.url, str(run.damage)) for run in damaged]
    unknown += [(f"environment {env}", reason) for env, reason in others.unreachable.items()]
    return Garbage(tuple(removed), tuple(run.url for run in choice.used), tuple(unknown), dry_run)


def _is_there(run: CatalogRun, listings: Mapping[StepAddress, Listing]) -> bool:
    """Tell a run from the empty folder of one, which some object stores keep for good and list."""
    there = listings.get(run.address.step)
    return run.record is not None or bool(run.damage) or bool(there and there.folders.get(run.address.run_id))


def _remains(
    listings: Iterable[Listing], known: Sequence[CatalogRun], choice: Choice, rules: Rules
) -> tuple[Remains, ...]:
    """Return what dead writers left; a run that came after the records were read may be at work and is let be."""
    removed = {run.address for run in choice.remove}
    over = {r.address for r in known if not (r.damage or rules.is_at_work(r))} - removed
    found = [one for each in listings for one in remains_of_runs(each, {r.run_id for r in over if r.step == each.step})]
    drafts = [one for each in listings for one in drafts_of_runs(each)]
    return (*found, *(one for one in drafts if _is_old_draft(one, rules)))


def _is_old_draft(draft: Remains, rules: Rules) -> bool:
    """Tell whether a draft of a run is old; however short the rule, one of today may be somebody's at this moment."""
    started = run_sort_key(draft.run_id)[0]
    return rules.older_than is not None and rules.now - started > max(rules.older_than, _DRAFT_AGE)


def _restore_used(store: ArtifactStore, choice: Choice) -> None:
    """Give runs back that an earlier gc had marked before it was killed, and that are in use."""
    for run in choice.used:
        if run.record is not None and run.record.status is RunStatus.REMOVING and run.address.path in choice.in_use:
            unmark_run(store, run)


def _used_meanwhile(
    stores: Iterable[ArtifactStore], known: Sequence[CatalogRun], inputs: Inputs, rules: Rules, places: RunPlaces
) -> set[str]:
    """Return the places that runs at work, and runs that came since, have recorded by now."""
    resting = {run.url for run in known if not rules.is_at_work(run)}
    fresh = []
    for store in stores:
        addresses = [run for step in store.steps() for run in store.runs(step) if store.url_of(run) not in resting]
        fresh += [read_run("", store, address) for address in addresses]
    now = read_inputs(fresh, places)
    direct = {place for read in now.read.values() for place in read}
    return direct | inputs.behind(url for place in direct for url in inputs.urls.get(place, []))


def _without(store: ArtifactStore, choice: Choice, late: set[str]) -> Choice:
    """Take runs that came into use out of the choice, and their marks back."""
    used = [run for run in choice.remove if run.address.path in late]
    for run in used:
        unmark_run(store, run)
    stay = {run.url for run in used}
    leave = tuple(run for run in choice.remove if run.url not in stay)
    return replace(choice, remove=leave, used=(*choice.used, *used))


def _remove_remains(store: ArtifactStore, remains: Sequence[Remains]) -> None:
    for one in remains:
        StoreFiles(store.fs).remove_folder(f"{store.root}/{one.path}")


def _remove(store: ArtifactStore, choice: Choice) -> None:
    files = StoreFiles(store.fs)
    for run in progress(choice.remove, label="remove", unit="run"):
        _remove_run(store, files, f"{store.root}/{run.address.path}")


def _forget(store: ArtifactStore, choice: Choice) -> None:
    """Take removed runs out of the index of what they were made by."""
    for step in {run.address.step for run in choice.remove}:
        IdentityIndex(store, step).forget(run.address.run_id for run in choice.remove if run.address.step == step)


def _urls_of_kept(store: ArtifactStore, text: str, others: Catalog) -> set[str]:
    """Return the URLs of the runs that `text` names, as this store lists them."""
    found = find_kept(store, text, stores=others.stores)
    named = {target.store.identity(target.address) for target in found if isinstance(target.address, RunAddress)}
    runs = [run for step in store.steps() for run in store.runs(step)]
    return {store.url_of(run) for run in runs if store.identity(run) in named}


def _is_same(a: ArtifactStore, b: ArtifactStore) -> bool:
    """Tell whether two roots are one place; a link can lead to a root as well."""
    return a.url == b.url or (type(a.fs) is type(b.fs) and a.place == b.place)


def _remove_run(store: ArtifactStore, files: StoreFiles, path: str) -> None:
    """Remove a marked run: what makes its entities visible first, the mark last."""
    sizes = files.sizes(path)
    for name in (name for name in sizes if name.count("/") == 1 and name.endswith(f"/{SUCCESS_FILE}")):
        files.remove_file(f"{path}/{name}")
    for folder in files.folders(path):
        files.remove_folder(f"{path}/{folder}")
    for name in (name for name in sizes if "/" not in name and name not in {RUN_FILE, MARK_FILE}):
        files.remove_file(f"{path}/{name}")
    for name in (RUN_FILE, MARK_FILE):
        files.remove_file(f"{path}/{name}")
    files.remove_folder(path)


def _why(run: CatalogRun, rules: Rules) -> str:
    status = run.record and run.record.status
    if status is RunStatus.RUNNING:
        return "its process is gone"
    if status is RunStatus.REMOVING:
        return "half removed by a gc that was stopped"
    return _words(rules)


def _words(rules: Rules) -> str:
    reasons = [f"not among the last {rules.keep_last}"] if rules.keep_last is not None else []
    reasons += [f"older than {rules.older_than}"] if rules.older_than is not None else []
    return ", ".join(reasons)
