"""Which runs may go: rules by step, and what protects a run from them."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineage_cases import PRODUCER
from sinara_lib.catalog.catalog import CatalogRun
from sinara_lib.catalog.retention import Rules, choose_runs, read_inputs
from sinara_lib.layout import RunAddress, StepAddress, new_run_id
from sinara_lib.store import ArtifactStore, store_at
from sinara_lib.store.manifest import RunRecord, RunStatus

DAY = timedelta(days=1)
Make = Callable[..., CatalogRun]


@pytest.fixture
def make(now: datetime) -> Make:
    """Make runs as a catalog holds them; `days` is their age."""
    stores = {env: store_at(f"memory://retention/{env}") for env in ("user", "prod")}

    def make(
        step: str = "data_load",
        days: float = 0,
        status: RunStatus | None = RunStatus.SUCCESS,
        inputs: tuple[CatalogRun, ...] = (),
        env: str = "user",
        damage: str | None = None,
    ) -> CatalogRun:
        started = now - days * DAY
        address = RunAddress(StepAddress("rest", "test", step), new_run_id(started))
        record = None
        if status is not None and damage is None:
            urls = [f"{run.url}/images" for run in inputs]
            record = RunRecord(run_id=address.run_id, status=status, started=started, producer=PRODUCER)
            record = record.with_inputs([*urls, "https://host/raw.zip"])
        return CatalogRun(env, stores[env], address, record, damage)

    return make


@pytest.fixture
def choose(now: datetime) -> Callable[..., list[CatalogRun]]:
    """Return what may go of the runs of `user`."""

    def choose(runs: list[CatalogRun], *, alive: bool | None = False, **rules: object) -> list[CatalogRun]:
        mine = [run for run in runs if run.env == "user"]
        asked = Rules(now=now, alive=lambda record: alive, **rules)  # type: ignore[arg-type]
        return list(choose_runs(mine, read_inputs(runs), asked).remove)

    return choose


def test_without_rules_finished_runs_stay(make: Make, choose: Callable[..., list[CatalogRun]]) -> None:
    runs = [make(days=n, status=s) for n, s in enumerate([RunStatus.SUCCESS, RunStatus.FAILED, None])]
    assert choose(runs) == []


def test_keep_last_counts_each_step_and_good_and_failed_runs_apart(
    make: Make, choose: Callable[..., list[CatalogRun]]
) -> None:
    good = [make(days=n) for n in range(4)]
    failed = [make(days=n + 0.5, status=RunStatus.FAILED) for n in range(3)]
    other = [make("data_prep", days=n) for n in range(2)]
    assert choose([*good, *failed, *other], keep_last=2) == [good[2], failed[2], good[3]]


def test_older_than_counts_from_the_start(make: Make, choose: Callable[..., list[CatalogRun]]) -> None:
    runs = [make(days=days) for days in (29, 30, 30.001, 31)]
    assert choose(runs, older_than=30 * DAY) == runs[2:]


def test_both_rules_together_select_only_what_both_select(make: Make, choose: Callable[..., list[CatalogRun]]) -> None:
    runs = [make(days=days) for days in (0, 1, 10, 40, 50)]
    assert choose(runs, keep_last=4, older_than=5 * DAY) == runs[4:]
    assert choose(runs, keep_last=1, older_than=20 * DAY) == runs[3:]


@pytest.mark.parametrize("rules", [{"keep_last": 0}, {"older_than": timedelta(0)}])
def test_the_newest_success_of_a_step_always_stays(
    make: Make, choose: Callable[..., list[CatalogRun]], rules: dict[str, object]
) -> None:
    failed = make(days=1, status=RunStatus.FAILED)
    by_hand = make(days=2, status=RunStatus.INTERACTIVE)
    good, old = make(days=3), make(days=4)
    assert choose([failed, by_hand, good, old], **rules) == [failed, old]


def test_a_run_that_is_named_stays(make: Make, choose: Callable[..., list[CatalogRun]]) -> None:
    runs = [make(days=n) for n in range(3)]
    assert choose(runs, keep_last=1, keep=frozenset({runs[2].address.run_id})) == [runs[1]]


def test_what_a_kept_run_was_made_from_stays_over_any_number_of_steps(
    make: Make, choose: Callable[..., list[CatalogRun]]
) -> None:
    images, unused = make(days=9), make(days=9.5)
    newer = make(days=1)
    prepared = make("data_prep", days=8, inputs=(images,))
    later = make("data_prep", days=2)
    model = make("model_train", days=7, inputs=(prepared,))
    assert choose([images, unused, newer, prepared, later, model], keep_last=1) == [unused]


def test_what_a_run_of_another_environment_was_made_from_stays(
    make: Make, choose: Callable[..., list[CatalogRun]]
) -> None:
    old, newer = make(days=9), make(days=1)
    users = make("data_prep", days=8, inputs=(old,), env="prod")
    assert choose([old, newer], keep_last=1) == [old]
    assert choose([old, newer, users], keep_last=1) == []


def test_a_run_with_the_address_of_a_chosen_one_in_another_environment_protects_its_own_inputs(
    make: Make, choose: Callable[..., list[CatalogRun]]
) -> None:
    images, newer = make(days=9), make(days=1)
    mine, mine_newer = make("data_prep", days=8), make("data_prep", days=2)
    theirs = make("data_prep", days=8, inputs=(images,), env="prod")
    assert theirs.address == mine.address
    assert choose([images, newer, mine, mine_newer, theirs], keep_last=1) == [mine]


@pytest.mark.parametrize("status", [RunStatus.RUNNING, RunStatus.INTERACTIVE])
def test_what_a_run_at_work_reads_stays_and_so_does_the_run(
    make: Make, choose: Callable[..., list[CatalogRun]], status: RunStatus
) -> None:
    old, newer = make(days=9), make(days=1)
    work = make("data_prep", days=8, status=status, inputs=(old,))
    assert choose([old, newer, work], keep_last=1, older_than=DAY, alive=True) == []


def test_a_run_whose_process_is_gone_goes_without_any_rule_and_protects_nothing(
    make: Make, choose: Callable[..., list[CatalogRun]]
) -> None:
    old, newer = make(days=9), make(days=1)
    dead = make("data_prep", days=8, status=RunStatus.RUNNING, inputs=(old,))
    assert choose([old, newer, dead]) == [dead]
    assert choose([old, newer, dead], keep_last=1) == [dead, old]


def test_a_run_of_another_machine_is_taken_for_alive_until_it_is_old(
    make: Make, choose: Callable[..., list[CatalogRun]]
) -> None:
    run = make(days=3, status=RunStatus.RUNNING)
    assert choose([run], alive=None) == []
    assert choose([run], alive=None, keep_last=1) == []
    assert choose([run], alive=None, older_than=4 * DAY) == []
    assert choose([run], alive=None, older_than=2 * DAY) == [run]


def test_runs_of_sinaraml_go_only_when_both_rules_select_them(
    make: Make, choose: Callable[..., list[CatalogRun]]
) -> None:
    runs = [make(days=n, status=None) for n in (1, 20, 40)]
    assert choose(runs, keep_last=1) == []
    assert choose(runs, older_than=DAY) == []
    assert choose(runs, keep_last=1, older_than=30 * DAY) == [runs[2]]


def test_a_half_removed_run_is_finished_without_any_rule(make: Make, choose: Callable[..., list[CatalogRun]]) -> None:
    marked = make(days=1, status=RunStatus.REMOVING)
    assert choose([marked]) == [marked]


def test_a_kept_run_of_which_nobody_knows_what_it_read_keeps_all_finished_runs(
    make: Make, now: datetime, store: ArtifactStore
) -> None:
    old, newer = make(days=9), make(days=1)
    dead = make(days=5, status=RunStatus.RUNNING)
    damaged = make("data_prep", days=3, damage="cut short")
    choice = choose_runs(
        [old, newer, dead, damaged],
        read_inputs([old, newer, dead, damaged]),
        Rules(now=now, alive=lambda record: False, keep_last=1),
    )
    assert (choice.remove, choice.used, choice.unreadable) == ((dead,), (old,), (damaged,))


@given(st.data())
def test_no_law_is_broken_whatever_the_history(data: st.DataObject) -> None:
    """Kept runs keep all their origins; the newest success of a step stays; users go before what they used."""
    now = datetime.fromisoformat("2026-11-21T00:00:00+00:00")
    store, runs = store_at("memory://laws"), list[CatalogRun]()
    for number in range(data.draw(st.integers(1, 12))):
        started = now - DAY * (20 - number)
        address = RunAddress(StepAddress("p", "z", data.draw(st.sampled_from("abc"))), new_run_id(started))
        status = data.draw(st.sampled_from([*RunStatus]))
        inputs = data.draw(st.lists(st.sampled_from(runs), max_size=3)) if runs else []
        record = RunRecord(run_id=address.run_id, status=status, started=started, producer=PRODUCER)
        runs.append(CatalogRun("user", store, address, record.with_inputs(f"{run.url}/x" for run in inputs)))
    lives = {run.address.run_id: data.draw(st.sampled_from([True, False, None])) for run in runs}
    rules = Rules(
        now=now,
        alive=lambda record: lives[record.run_id],
        keep_last=data.draw(st.none() | st.integers(0, 3)),
        older_than=data.draw(st.none() | st.integers(0, 25).map(timedelta)),
    )
    order = [run.url for run in choose_runs(runs, read_inputs(runs), rules).remove]
    origins = {run.url: {url.rpartition("/")[0] for url in run.inputs()} for run in runs}
    for run in runs:
        if run.url not in order:
            assert origins[run.url].isdisjoint(order)
        else:
            assert all(order.index(o) > order.index(run.url) for o in origins[run.url] & set(order))
    good = [run for run in runs if run.record and run.record.status is RunStatus.SUCCESS]
    newest = {run.address.step: run.url for run in good}
    assert set(newest.values()).isdisjoint(order)
