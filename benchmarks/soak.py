"""Bad days for the service: mutated requests, twice as much as it can answer, and SIGTERM in the middle of it.

    python benchmarks/soak.py [--url BENTO_URL] [--requests 10000] [--minutes 10] [--attack] [--check]

No answer may be a fault of the service, its memory may not grow after the first minute (or quarter, of a short soak),
and every request that it accepted is answered once, also those that SIGTERM finds. Without --url a YOLOX-Nano with the
weights of nobody is packed first. --attack measures instead what others notice of images and forms made to take long:
their p99 may be three times what it is otherwise, and a probe takes less than a second.
"""

import argparse
import asyncio
import re
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[1] / "model_pack"))

from benchmarks.attacks import measure_attacks
from benchmarks.http_load import NO_ANSWER, Load, post_request, read_answer, run_load
from benchmarks.mutated_requests import mutated_requests
from benchmarks.serve import memory_of, photograph, prepare, publish
from benchmarks.table import Target, conclude, render, say
from sinara_lib.bento.service import DevService, start_dev_bentoservice, stop_dev_bentoservice
from sinara_lib.loopback import open_directly

GROWTH = 1.05
"""What the memory at the end may be of what it was after the first minute."""
_OPEN = 300


@dataclass
class Soak:
    """What the clients saw, and how much memory the service took meanwhile."""

    statuses: Counter[int] = field(default_factory=Counter)
    memory: list[tuple[float, float]] = field(default_factory=list)
    """Seconds since the start, and MiB of all processes."""
    slowest: float = 0.0


def main() -> int:
    """Run the soak; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--url", help="a bento_service entity")
    parser.add_argument("--requests", type=int, default=10_000, help="mutated ones")
    parser.add_argument("--minutes", type=float, default=10.0, help="of twice its capacity")
    parser.add_argument("--attack", action="store_true", help="instead: what others notice while a stranger attacks")
    parser.add_argument("--check", action="store_true", help="exit 1 when a target is missed")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        url = arguments.url or publish(prepare("yolox_nano", Path(work, "yolox_nano")))
        service = start_dev_bentoservice(url)
        try:
            if arguments.attack:
                return conclude(measure_attacks(service.url), check=arguments.check)
            mutated = send_mutated(service, arguments.requests)
            before = answered_so_far(service)
            rate = capacity(service)
            soak, told = asyncio.run(soak_it(service, rate=2 * rate.rate, seconds=arguments.minutes * 60))
            before += sum(rate.statuses.values())
            service.server.process.wait(30)
            log = service.server.log.read_text() if service.server.log else ""
        finally:
            stop_dev_bentoservice(service)
    report(mutated, soak, rate=rate.rate)
    return conclude(promised(mutated, soak, log=log, before=before, told=told), check=arguments.check)


def send_mutated(service: DevService, count: int) -> Counter[int]:
    """Send mutated requests over eight connections and count the answers by status."""
    requests = list(mutated_requests(count, seed=1))
    statuses: Counter[int] = Counter()

    async def client(share: Sequence[bytes]) -> None:
        line = Line(service.url)
        for request in share:
            statuses[await line.ask(request)] += 1
        line.close()

    async def everybody() -> None:
        await asyncio.gather(*(client(requests[start::8]) for start in range(8)))

    asyncio.run(everybody())
    return statuses


def capacity(service: DevService) -> Load:
    """Measure what the service answers a second when eight clients ask without pause."""
    request = post_request(f"{service.url}/predict", photograph())
    return run_load(service.url, [request], connections=8, seconds=5, pause=0.05)


class Line:
    """One connection that is opened again when it ends."""

    def __init__(self, address: str) -> None:
        parts = urlsplit(address)
        self._where = (parts.hostname, parts.port)
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, request: bytes) -> int:
        """Send a request and return the status of its answer; NO_ANSWER when the connection ended instead."""
        try:
            if self._streams is None or self._streams[0].at_eof():  # the server ends a connection that lies idle
                self.close()
                self._streams = await asyncio.open_connection(*self._where)
            reader, writer = self._streams
            writer.write(request)
            status, kept = await asyncio.wait_for(read_answer(reader), 60)
        except (OSError, asyncio.IncompleteReadError, TimeoutError, asyncio.TimeoutError):
            status, kept = NO_ANSWER, False
        if not kept:
            self.close()
        return status

    def close(self) -> None:
        """End the connection."""
        if self._streams:
            self._streams[1].close()
        self._streams = None


async def soak_it(service: DevService, *, rate: float, seconds: float) -> tuple[Soak, float]:
    """Send `rate` requests a second, whether they are answered or not; then SIGTERM, with requests in flight.

    Returns what came back, and the seconds from SIGTERM to the last answer.
    """
    soak = Soak()
    request = post_request(f"{service.url}/predict", photograph())
    free = [Line(service.url) for _ in range(_OPEN)]
    running: set[asyncio.Task[None]] = set()

    async def one(line: Line) -> None:
        start = time.perf_counter()
        soak.statuses[await line.ask(request)] += 1
        soak.slowest = max(soak.slowest, time.perf_counter() - start)
        free.append(line)

    start = time.perf_counter()
    sent = 0
    while (now := time.perf_counter() - start) < seconds:
        if not soak.memory or now - soak.memory[-1][0] >= 1:
            soak.memory.append((now, sum(memory_of(service).values())))
        while sent < now * rate:
            sent += 1
            if free:
                task = asyncio.create_task(one(free.pop()))
                running.add(task)
                task.add_done_callback(running.discard)
        await asyncio.sleep(0.005)
    service.server.process.terminate()
    told = time.perf_counter()
    await asyncio.gather(*running)
    return soak, time.perf_counter() - told


def answered_so_far(service: DevService) -> int:
    """Count the requests that the service has answered, this one included."""
    with open_directly(f"{service.url}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    counts = re.findall(r"^detector_requests_total\{.*\} (\S+)$", text, re.MULTILINE)
    return 1 + sum(int(float(count)) for count in counts)


def report(mutated: Counter[int], soak: Soak, *, rate: float) -> None:
    """Print what came back, and the memory over time."""
    statuses = sorted({*mutated, *soak.statuses})
    kinds = {"mutated": mutated, "soak": soak.statuses}
    rows = [[name, *(counts[status] for status in statuses)] for name, counts in kinds.items()]
    say(render(["requests", *(str(status) if status else "no answer" for status in statuses)], rows))
    say(f"capacity {rate:.1f}/s, offered {2 * rate:.1f}/s; slowest answer {soak.slowest:.1f} s")
    marks = soak.memory[:: max(1, len(soak.memory) // 10)]
    say("memory of all processes, MiB: " + ", ".join(f"{mib:.0f} at {seconds:.0f} s" for seconds, mib in marks))


def promised(mutated: Counter[int], soak: Soak, *, log: str, before: int, told: float) -> list[Target]:
    """Return the targets."""
    faults = sum(count for statuses in (mutated, soak.statuses) for status, count in statuses.items() if status >= 500)
    length = soak.memory[-1][0]
    settled = min(60.0, length / 4)
    early = statistics.median(mib for seconds, mib in soak.memory if settled <= seconds <= settled + length / 6)
    late = statistics.median(mib for seconds, mib in soak.memory if seconds >= length * 5 / 6)
    ended = re.findall(r"Ended: (\d+) requests accepted, (\d+) answered", log)
    accepted, answered = (sum(int(pair[place]) for pair in ended) if ended else None for place in (0, 1))
    read = sum(count for status, count in soak.statuses.items() if status != NO_ANSWER)
    lost = None if accepted is None or answered is None else accepted - answered
    unread = None if answered is None else answered - before - read
    return [
        Target("answers of 5xx", faults, at_most=0),
        Target("mutated requests without an answer", mutated[NO_ANSWER], at_most=0),
        Target("memory at the end beside that after the first minute", late / early, at_most=GROWTH),
        Target("requests accepted and not answered", lost, at_most=0, at_least=0),
        Target("answers given and not read, or read twice", unread, at_most=0, at_least=0),
        Target("seconds from SIGTERM to the last answer", told, at_most=10),
    ]


if __name__ == "__main__":
    sys.exit(main())
