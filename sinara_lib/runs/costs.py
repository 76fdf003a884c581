"""What the work of a step costs: time, processors, memory and bytes of the kernel and all that it starts.

Memory and bytes are looked at twice a second: what starts and ends in between is not seen. Processor time is the
system's own count of ended children where there is one (POSIX), and by looks elsewhere.
"""

import threading
import time
from types import TracebackType

import psutil

from sinara_lib.store.manifest import Costs

SECONDS = 0.5

try:
    import resource
except ImportError:  # Windows has none
    resource = None  # type: ignore[assignment]


class CostMeter:
    """Looks at the processes below this one while the block runs; `costs` is what was seen until now."""

    def __init__(self) -> None:
        self._own = psutil.Process()
        self._start, self._cpu, self._before = time.monotonic(), _children_seconds(), set[int]()
        self._known: dict[tuple[int, float], tuple[float, int, int]] = {}
        self._peak = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="sinara-costs", daemon=True)

    def __enter__(self) -> "CostMeter":
        self._start, self._cpu = time.monotonic(), _children_seconds()
        self._before = {process.pid for process in self._own.children(recursive=True)}
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stop.set()
        self._thread.join()

    def costs(self) -> Costs:
        """Return what was seen since the block began."""
        ended = _children_seconds()
        seen = sum(cpu for cpu, _, _ in self._known.values())
        return Costs(
            seconds=time.monotonic() - self._start,
            cpu_seconds=seen if ended is None or self._cpu is None else ended - self._cpu,
            peak_memory=self._peak,
            bytes_read=sum(read for _, read, _ in self._known.values()),
            bytes_written=sum(written for _, _, written in self._known.values()),
        )

    def _watch(self) -> None:
        while not self._stop.wait(SECONDS):
            self._look()

    def _look(self) -> None:
        memory = 0
        for process in self._own.children(recursive=True):
            if process.pid in self._before:
                continue
            try:
                with process.oneshot():
                    memory += process.memory_info().rss
                    times = process.cpu_times()
                    read, written = _bytes(process)
                    self._known[process.pid, process.create_time()] = (times.user + times.system, read, written)
            except psutil.Error:  # it has ended meanwhile, or belongs to somebody else
                continue
        self._peak = max(self._peak, memory)


def _bytes(process: psutil.Process) -> tuple[int, int]:
    """Return what a process has read and written so far: Linux counts every byte, others what went to disks."""
    if not hasattr(process, "io_counters"):
        return 0, 0
    counters = process.io_counters()
    read = getattr(counters, "read_chars", counters.read_bytes)
    return int(read), int(getattr(counters, "write_chars", counters.write_bytes))


def _children_seconds() -> float | None:
    if resource is None:
        return None
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
