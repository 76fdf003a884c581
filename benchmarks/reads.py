"""Images per second into decoded arrays: straight from archives on disk and on S3, beside plain files.

    python benchmarks/reads.py [--images 2000] [--rounds 5] [--check]

All contenders read the same JPEG files, from a warm page cache, and decode each with OpenCV in one thread; what comes
from an archive is checked by its sha256 on the way. S3 is SeaweedFS on loopback, on the same cores.
"""

import argparse
import functools
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import cv2
import numpy as np
from mmengine import fileio

from benchmarks.jpegs import write_jpegs
from benchmarks.s3_environment import s3_root
from benchmarks.table import Target, conclude, ratio, render, say, take_turns
from sinara_lib.archive import open_archive, pack
from sinara_lib.layout import StepAddress
from sinara_lib.store import store_at
from sinara_lib.store.manifest import Producer, RunRecord, RunStatus
from sinara_lib.vision.store_backend import store_path
from tests.s3_server import S3Server, start_s3_server

WINDOW = 32 << 20
MEMORY_MB = 192
"""What a stream may add to a process: a window of 32 MiB that is consumed, the next one, and both while they arrive."""

PLAIN, PLAIN_LOADER = "plain files, read_bytes", "plain files, DataLoader with 2 workers"
DISK, DISK_SHUFFLED = "archive on disk, iterate", "archive on disk, iterate, shuffled"
DISK_READ, DISK_LOADER = "archive on disk, read in random order", "archive on disk, DataLoader with 2 workers"
S3, S3_WINDOWS = "archive on S3, iterate", "archive on S3, iterate, shuffled in windows of 32 MiB"
S3_SHUFFLED, S3_LOADER = "archive on S3, iterate, shuffled", "archive on S3, DataLoader with 2 workers"


def main() -> int:
    """Run the benchmark; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--check", action="store_true", help="exit 1 when a target is missed")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as work, start_s3_server(Path(work, "weed")) as server:
        folder = Path(work, "images")
        source = write_jpegs(folder, arguments.images)
        disk, remote = pack_both(folder, Path(work, "store"), server)
        size = sum(path.stat().st_size for path in folder.iterdir())
        say(f"{arguments.images} JPEG files, {size / arguments.images / 1000:.0f} kB each, from {source}")
        seconds = take_turns(contenders(folder, disk=disk, remote=remote), rounds=arguments.rounds)
        memory = {name: added_memory(url) for name, url in (("disk", disk), ("S3", remote))}
    say(report(seconds, images=arguments.images))
    say("A stream, shuffled in windows, added " + ", ".join(f"{mb:.0f} MB from {name}" for name, mb in memory.items()))
    return conclude(targets(seconds, memory), check=arguments.check)


def pack_both(folder: Path, store: Path, server: S3Server) -> tuple[str, str]:
    """Pack the files on disk and on S3; return both URLs."""
    urls = []
    for each in (f"file://{store}", s3_root(server)):
        now = datetime.now(timezone.utc)
        record = RunRecord(run_id="", status=RunStatus.RUNNING, started=now, producer=Producer(library="benchmark"))
        run = store_at(each).start_run(StepAddress("benchmark", "reads", "pack"), record, now=now)
        urls.append(store_at(each).url_of(run.entity("images")))
        pack(folder, urls[-1])
    return urls[0], urls[1]


def contenders(folder: Path, *, disk: str, remote: str) -> dict[str, Callable[[], float]]:
    """Return each contender: a call that decodes every image once and returns the seconds that took."""
    names = sorted(path.name for path in folder.iterdir())
    mixed = random.Random(1).sample(names, len(names))  # noqa: S311 - an order, not a secret
    local, s3 = open_archive(disk), open_archive(remote)
    windows = {"shuffle_seed": 1, "shuffle_window": WINDOW}

    def stream(reader: Any, **order: int) -> Callable[[], float]:
        return lambda: timed(data for _, data in reader.iterate(**order))

    def loader(place: str) -> Callable[[], float]:
        return functools.partial(timed_loader, [f"{place}/{name}" for name in mixed])

    return {
        PLAIN: lambda: timed((folder / name).read_bytes() for name in names),
        DISK: stream(local),
        DISK_SHUFFLED: stream(local, shuffle_seed=1),
        DISK_READ: lambda: timed(local.read(name) for name in mixed),
        S3: stream(s3),
        S3_WINDOWS: stream(s3, **windows),
        S3_SHUFFLED: stream(s3, shuffle_seed=1),
        PLAIN_LOADER: loader(str(folder)),
        DISK_LOADER: loader(store_path(disk)),
        S3_LOADER: loader(store_path(remote)),
    }


def timed(files: Iterable[bytes]) -> float:
    """Decode all files and return the seconds that took, reading included."""
    began = time.perf_counter()
    for data in files:
        decode(data)
    return time.perf_counter() - began


def decode(data: bytes) -> int:
    """Decode one image, uint8 BGR; return its number of pixels."""
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    return int(image.shape[0] * image.shape[1])


class Images:
    """What a DataLoader draws from: images read as mmdet reads them, through mmengine's file backends."""

    def __init__(self, paths: Sequence[str]) -> None:
        self.paths = paths

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> int:
        return decode(fileio.get(self.paths[index]))


def timed_loader(paths: Sequence[str]) -> float:
    """Decode all files in two worker processes and return the seconds that took, their start included."""
    from torch.utils.data import DataLoader

    began = time.perf_counter()
    for _ in DataLoader(Images(paths), batch_size=16, num_workers=2):
        pass
    return time.perf_counter() - began


def added_memory(url: str) -> float:
    """Return the MB by which a new process grows while it streams the whole archive, shuffled in windows."""
    code = f"from benchmarks.reads import stream_and_weigh; print(stream_and_weigh({url!r}))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=Path(__file__).parents[1], check=True, capture_output=True, text=True
    )
    return float(done.stdout)


def stream_and_weigh(url: str) -> float:
    """Stream an archive and return the MB by which the peak of this process' memory rose."""
    reader = open_archive(url)
    reader.read(reader.names()[0])
    before = most_memory()
    for _ in reader.iterate(shuffle_seed=1, shuffle_window=WINDOW):
        pass
    return most_memory() - before


def most_memory() -> float:
    """Return the most memory that this process has held, MB."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) / 1000 for line in lines if line.startswith("VmHWM:"))


def report(seconds: dict[str, list[float]], *, images: int) -> str:
    """Return the table: images per second, and how that compares with plain files read the same way."""
    rows = []
    for name, each in seconds.items():
        reference = PLAIN_LOADER if "DataLoader" in name else PLAIN
        spread = f"{images / max(each):.0f} to {images / min(each):.0f}"
        rows.append([name, f"{images / statistics.median(each):.0f}", spread, f"{ratio(seconds, name, reference):.2f}"])
    return render(["read from", "images/s", "in all rounds", "beside plain files"], rows)


def targets(seconds: dict[str, list[float]], memory: dict[str, float]) -> list[Target]:
    """Return what was promised, as measured."""
    speeds = [(DISK, 0.95), (DISK_SHUFFLED, 0.95), (S3, 0.8), (S3_WINDOWS, 0.8)]
    return [
        *(Target(name, ratio(seconds, name, PLAIN), at_least=least) for name, least in speeds),
        *(Target(f"MB added by a stream from {name}", added, at_most=MEMORY_MB) for name, added in memory.items()),
    ]


if __name__ == "__main__":
    sys.exit(main())
