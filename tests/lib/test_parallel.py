"""Work in threads: results in order, the first failure is the one that is told, and nothing goes on unseen."""

import threading
import time
from pathlib import Path

import pytest

from sinara_lib.parallel import MOST_THREADS, Check, core_count, in_threads, thread_count


def test_results_come_in_the_order_of_the_items_whatever_ends_first() -> None:
    def work(number: int, check: Check) -> int:
        time.sleep(0.01 if number % 3 == 0 else 0)
        return number * number

    assert list(in_threads(work, range(30), threads=4)) == [number * number for number in range(30)]


def test_several_items_are_worked_on_at_once() -> None:
    barrier = threading.Barrier(3, timeout=10)
    assert len(list(in_threads(lambda item, check: barrier.wait(), range(3), threads=3))) == 3


def test_the_first_failure_is_raised_and_stops_work_under_way() -> None:
    stopped, started = [], threading.Event()

    def work(number: int, check: Check) -> None:
        if number == 0:
            started.set()
            try:
                while True:
                    check()
                    time.sleep(0.001)
            except Exception:
                stopped.append(number)
                raise
        started.wait(10)
        raise ValueError(f"item {number}")

    with pytest.raises(ValueError, match="item 1"):
        list(in_threads(work, range(20), threads=2))
    assert stopped == [0]
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("sinara_")]


def test_a_caller_who_leaves_stops_the_rest() -> None:
    begun = []

    def work(number: int, check: Check) -> int:
        begun.append(number)
        time.sleep(0.01)
        check()
        return number

    results = in_threads(work, range(1000), threads=2)
    assert next(results) == 0
    results.close()
    assert len(begun) < 20


def test_there_are_no_more_threads_than_cores_nor_than_the_limit() -> None:
    assert 1 <= thread_count() <= MOST_THREADS


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({"cpu.max": "200000 100000\n"}, 2),
        ({"cpu.max": "50000 100000\n"}, 1),
        ({"cpu.max": "max 100000\n"}, 64),
        ({"cpu/cpu.cfs_quota_us": "300000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 3),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, 64),
        ({"cpu.max": "what"}, 64),
        ({}, 64),
    ],
)
def test_cores_are_those_that_the_containers_quota_leaves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str], cores: int
) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(64)), raising=False)
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert core_count(tmp_path) == cores
