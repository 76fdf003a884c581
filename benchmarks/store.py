"""What the store costs as runs pile up, on local disk; and what checking costs a reader.

    python benchmarks/store.py [--runs 10 100 1000 10000] [--images 1000] [--rounds 5] [--check]

Runs are laid down as files, each with its record and a committed entity of one small file. Looks are what the store
asks of the disk: listings of a folder, small reads, and questions whether a file is there. Times are medians. Readers
take turns on the same JPEG files in one archive, from a warm page cache, in one thread.
"""

import argparse
import hashlib
import os
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import cv2
import numpy as np

from benchmarks.jpegs import write_jpegs
from benchmarks.table import Target, conclude, ratio, render, say, take_turns
from sinara_lib.archive import open_archive, pack
from sinara_lib.archive.reader import ArchiveReader
from sinara_lib.catalog.catalog import read_runs
from sinara_lib.catalog.find import Target as StoreTarget
from sinara_lib.catalog.show import run_rows
from sinara_lib.catalog.verify import all_runs, verify_targets
from sinara_lib.layout import RunAddress, StepAddress, new_run_id
from sinara_lib.store import ArtifactStore, store_at
from sinara_lib.store.files import StoreFiles
from sinara_lib.store.manifest import (
    MANIFEST_FILE,
    RUN_FILE,
    SUCCESS_FILE,
    FileEntry,
    Manifest,
    Producer,
    RunRecord,
    RunStatus,
    content_hash,
)

STEP = StepAddress("bench", "test", "data_load")
START = datetime(2026, 1, 1, tzinfo=timezone.utc)
PRODUCER = Producer(library="benchmark")
DATA = b"0" * 1000
LOOKS = {"folders": "listings", "read": "reads", "exists": "questions"}
FAILED_IN_FRONT = 20
RESOLVE_MS = 50
"""The promise, at 10,000 runs: a person who starts a step does not notice."""

CHECKED, UNCHECKED = "archive, each file checked", "archive, unchecked"
CHECKED_PIXELS, UNCHECKED_PIXELS = "archive, checked, decoded", "archive, unchecked, decoded"


def main() -> int:
    """Run the benchmark; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, nargs="+", default=[10, 100, 1000, 10_000])
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--check", action="store_true", help="exit 1 when a target is missed")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        targets = _growth(Path(work, "growth"), sorted(arguments.runs), rounds=arguments.rounds)
        targets += _reading(Path(work, "reading"), arguments.images, rounds=arguments.rounds)
    return conclude(targets, check=arguments.check)


def _growth(folder: Path, sizes: Sequence[int], *, rounds: int) -> list[Target]:
    """Measure each operation as the step grows; one row per number of runs."""
    store = store_at(str(folder))
    rows, resolve_ms, looks = [], 0.0, Counter[str]()
    laid = 0
    for size in sizes:
        for number in range(laid, size):
            _lay_run(folder, number)
        laid = size
        resolve_ms, looks = _milliseconds(lambda: store.resolve(STEP, ["images"]), 4 * rounds), _looks(store)
        with _newest_failed(store, FAILED_IN_FRONT if size > FAILED_IN_FRONT else size - 1):
            behind = _milliseconds(lambda: store.resolve(STEP, ["images"]), 4 * rounds)
        commit = statistics.median(_commit(store) for _ in range(2 * rounds))
        newest = store.runs(STEP)[0]
        verify = _milliseconds(partial(_expect_whole, store, newest), 2 * rounds)
        everything = _milliseconds(lambda: verify_targets(all_runs(store)), 1)
        listed = _milliseconds(lambda: run_rows(read_runs("user", store)), 1)
        counted = ", ".join(f"{looks[name]} {name}" for name in LOOKS.values())
        figures = (resolve_ms, behind, commit, verify, everything / size, listed / size)
        rows.append([f"{size:,}", *(f"{figure:.2f}" for figure in figures), counted])
        say(f"  {size:,} runs: done")
    head = ["runs", "resolve ms", f"{FAILED_IN_FRONT} failed in front", "commit ms", "verify a run ms"]
    say(render([*head, "verify --all, ms per run", "ls, ms per run", "looks of one resolve"], rows))
    return [
        Target(f"resolve among {sizes[-1]:,} runs, ms", resolve_ms, at_most=RESOLVE_MS),
        Target("listings of one resolve", looks["listings"], at_most=1),
        Target("reads and questions of one resolve", looks["reads"] + looks["questions"], at_most=2),
    ]


def _lay_run(folder: Path, number: int) -> None:
    """Write the files of a finished run, as the store leaves them."""
    started = START + timedelta(minutes=number)
    run = RunAddress(STEP, new_run_id(started))
    record = RunRecord(
        run_id=run.run_id, status=RunStatus.SUCCESS, started=started, finished=started, producer=PRODUCER
    )
    files = (FileEntry(path="file.bin", size=len(DATA), sha256=hashlib.sha256(DATA).hexdigest()),)
    manifest = Manifest(
        entity="images",
        run_id=run.run_id,
        created=started,
        producer=PRODUCER,
        inputs=(),
        files=files,
        bytes=len(DATA),
        content=content_hash(files),
    )
    entity = folder / run.path / "images"
    entity.mkdir(parents=True)
    data = manifest.model_dump_json(indent=1).encode()
    (entity.parent / RUN_FILE).write_text(record.model_dump_json(indent=1))
    (entity / "file.bin").write_bytes(DATA)
    (entity / MANIFEST_FILE).write_bytes(data)
    (entity / SUCCESS_FILE).write_text(hashlib.sha256(data).hexdigest())


@contextmanager
def _newest_failed(store: ArtifactStore, count: int) -> Iterator[None]:
    """Let the newest runs be failed ones, which a resolve has to pass over."""
    before = {run: store.run_record(run) for run in store.runs(STEP)[:count]}
    try:
        for run, record in before.items():
            assert record is not None  # noqa: S101 - laid down above
            store.replace_record(run, record.model_copy(update={"status": RunStatus.FAILED}))
        yield
    finally:
        for run, record in before.items():
            if record is not None:
                store.replace_record(run, record)


def _commit(store: ArtifactStore) -> float:
    """Start a run, publish a small file, finish the run; return the milliseconds. The run is taken away again."""
    now = datetime.now(timezone.utc)
    record = RunRecord(run_id="", status=RunStatus.RUNNING, started=now, producer=PRODUCER)
    start = time.perf_counter()
    run = store.start_run(STEP, record, now=now)
    with store.begin(run.entity("images")) as writer, writer.open("file.bin") as sink:
        sink.write(DATA)
    store.replace_record(run, record.model_copy(update={"run_id": run.run_id, "status": RunStatus.SUCCESS}))
    milliseconds = (time.perf_counter() - start) * 1000
    store.fs.rm(f"{store.root}/{run.path}", recursive=True)
    return milliseconds


def _expect_whole(store: ArtifactStore, run: RunAddress) -> None:
    if found := verify_targets([StoreTarget(store, run)]).findings:
        raise AssertionError(found)


def _looks(store: ArtifactStore) -> Counter[str]:
    """Return how often one resolve asks the disk for something, by kind."""
    counts: Counter[str] = Counter()
    originals = {name: getattr(StoreFiles, name) for name in LOOKS}

    def counting(name: str) -> Callable[..., Any]:
        def ask(*args: Any, **kwargs: Any) -> Any:
            counts[LOOKS[name]] += 1
            return originals[name](*args, **kwargs)

        return ask

    try:
        for name in LOOKS:
            setattr(StoreFiles, name, counting(name))
        store.resolve(STEP, ["images"])
    finally:
        for name, original in originals.items():
            setattr(StoreFiles, name, original)
    return counts


def _milliseconds(work: Callable[[], object], repeats: int) -> float:
    """Return the median; where there are several repeats, one more goes before them, to load what is loaded once."""
    seconds = []
    if repeats > 1:
        work()
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds) * 1000


def _reading(folder: Path, images: int, *, rounds: int) -> list[Target]:
    """Measure reading with and without checks, in random order, as bytes and decoded."""
    source = write_jpegs(folder / "images", images)
    store = store_at(str(folder / "store"))
    record = RunRecord(run_id="", status=RunStatus.INTERACTIVE, started=START, producer=PRODUCER)
    url = store.url_of(store.start_run(STEP, record, now=START).entity("images"))
    size = pack(folder / "images", url).bytes
    reader = open_archive(url)
    names = reader.names()
    Random(1).shuffle(names)  # noqa: S311 - an order, not a secret
    read = {CHECKED: reader.read, UNCHECKED: _unchecked(reader)}
    contenders: dict[str, Callable[[], float]] = {name: partial(_time, names, one, bytes) for name, one in read.items()}
    contenders[CHECKED_PIXELS] = partial(_time, names, reader.read, _pixels)
    contenders[UNCHECKED_PIXELS] = partial(_time, names, read[UNCHECKED], _pixels)
    say(f"{images:,} JPEG files, {size / 1e6:,.0f} MB, from {source}")
    seconds = take_turns(contenders, rounds=rounds)
    fastest = {name: statistics.median(taken) for name, taken in seconds.items()}
    rows = [[name, f"{taken:.3f}", f"{size / 1e6 / taken:,.0f}"] for name, taken in fastest.items()]
    say(render(["reader", "seconds", "MB/s"], rows))
    say(f"checked beside unchecked: {ratio(seconds, CHECKED, UNCHECKED):.2f} of the speed as bytes")
    return [
        Target("checked beside unchecked, decoded", ratio(seconds, CHECKED_PIXELS, UNCHECKED_PIXELS), at_least=0.7),
    ]


def _unchecked(reader: ArchiveReader) -> Callable[[str], bytes]:
    """Return a reader of the same byte ranges that checks nothing."""
    shards = [os.open(path, os.O_RDONLY) for path in sorted(Path(reader.path).glob("*.parquet"))]

    def read(name: str) -> bytes:
        return b"".join(os.pread(shards[place.shard], place.length, place.offset) for place in reader.places(name))

    return read


def _time(names: Sequence[str], read: Callable[[str], bytes], use: Callable[[bytes], object]) -> float:
    start = time.perf_counter()
    for name in names:
        use(read(name))
    return time.perf_counter() - start


def _pixels(data: bytes) -> object:
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)


if __name__ == "__main__":
    sys.exit(main())
