"""The same work on many things at once, in threads: results in order, and the first failure stops the rest."""

import os
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import TypeVar

MOST_THREADS = 8
"""More threads would only wait for the disk, and hold memory."""

T = TypeVar("T")
R = TypeVar("R")
Check = Callable[[], None]


class Stopped(Exception):
    """Another thread has failed, or the caller has gone; no caller sees it."""


def thread_count() -> int:
    """Return how many threads to use: one per core that this process may use, at most MOST_THREADS."""
    return min(MOST_THREADS, core_count())


def core_count(cgroup: Path = Path("/sys/fs/cgroup")) -> int:
    """Return how many cores this process may use: by its affinity and, in a container, by its quota; at least 1.

    The packed service, which must stand alone, has the same rule in `rest_service/settings.py`.
    """
    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity is not None else os.cpu_count() or 1
    quota = _quota(cgroup)
    return cores if quota is None else max(1, min(cores, int(quota)))


def _quota(cgroup: Path) -> float | None:
    # Version 2 keeps quota and period in one file, version 1 in two.
    try:
        if (cgroup / "cpu.max").is_file():
            quota, period = (cgroup / "cpu.max").read_text(encoding="ascii").split()
        else:
            quota = (cgroup / "cpu/cpu.cfs_quota_us").read_text(encoding="ascii")
            period = (cgroup / "cpu/cpu.cfs_period_us").read_text(encoding="ascii")
        return None if quota.strip() in ("max", "-1") else float(quota) / float(period)
    except (OSError, ValueError):
        return None


def in_threads(work: Callable[[T, Check], R], items: Iterable[T], *, threads: int) -> Generator[R, None, None]:
    """Yield `work(item, check)` of each item, in the order of the items.

    Long work calls `check()` now and then: it raises when another thread has failed or the caller stopped.
    Raises what the first failing call raised, after all others have ended.
    """
    stop, failures = Event(), list[BaseException]()

    def check() -> None:
        if stop.is_set():
            raise Stopped

    def guarded(item: T) -> R:
        check()
        try:
            return work(item, check)
        except Stopped:
            raise
        except BaseException as error:
            failures.append(error)
            stop.set()
            raise

    with ThreadPoolExecutor(threads, thread_name_prefix="sinara") as pool:
        futures = [pool.submit(guarded, item) for item in items]
        try:
            for future in futures:
                yield future.result()
        except Stopped:
            raise failures[0] from None
        finally:
            stop.set()
            for future in futures:
                future.cancel()
