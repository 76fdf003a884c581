"""Work in threads: results in order, the first failure is the one that is told, and nothing goes on unseen."""

import threading
import time

import pytest

from sinara_lib.parallel import MOST_THREADS, Check, in_threads, thread_count


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
