"""How much memory packing and unpacking take, each in a process of its own, with the store on disk or on S3.

    python benchmarks/archive_memory.py [--size 10GB] [--s3] [--check]

Half of the bytes are one file, the rest many of up to 64 MB. Needs three times the size on the disk of TMPDIR.
S3 is SeaweedFS on loopback.
"""

import argparse
import hashlib
import random
import re
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from datetime import datetime, timezone
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.s3_environment import s3_root
from benchmarks.table import Target, conclude, render, say
from sinara_lib.layout import StepAddress
from sinara_lib.store import store_at
from sinara_lib.store.manifest import Producer, RunRecord, RunStatus
from tests.s3_server import start_s3_server

ROOT = Path(__file__).parents[1]
MOST_MB = 500
UNITS = {"MB": 10**6, "GB": 10**9}
CODE = """
import sys
from pathlib import Path
from sinara_lib.archive import pack, unpack
{"pack": pack, "unpack": unpack}[sys.argv[1]](sys.argv[2], sys.argv[3])
# Linux counts the parent's memory into a child's ru_maxrss; VmHWM starts anew.
print(int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) * 1024)
"""


def main() -> int:
    """Run the benchmark; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=parse_size, default=parse_size("10GB"), help="such as 600MB or 10GB")
    parser.add_argument("--s3", action="store_true", help="the store is on S3")
    parser.add_argument("--check", action="store_true", help=f"exit 1 when either takes more than {MOST_MB} MB")
    arguments = parser.parse_args()
    with ExitStack() as stack:
        work = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        digests = write_files(work / "in", arguments.size)
        root = s3_root(stack.enter_context(start_s3_server(work / "weed"))) if arguments.s3 else str(work / "store")
        url = new_url(root)
        rows = []
        for way, source, target in (("pack", work / "in", url), ("unpack", url, work / "out")):
            seconds, peak = run_and_weigh(way, str(source), str(target))
            rows.append((way, f"{seconds:.1f}", f"{peak / 1e6:.0f}"))
        for name, digest in digests.items():
            if sha256(work / "out" / name) != digest:
                raise RuntimeError(f"{name} came back changed")
    where = "S3" if arguments.s3 else "disk"
    say(render([f"{arguments.size / 1e9:g} GB in {len(digests)} files, {where}", "s", "peak memory, MB"], rows))
    found = {way: float(peak) for way, _, peak in rows}
    targets = [Target(f"MB to {way}", peak, at_most=MOST_MB) for way, peak in found.items()]
    return conclude(targets, check=arguments.check)


def parse_size(text: str) -> int:
    """Return bytes for a text such as 10GB."""
    match = re.fullmatch(r"(\d+)(MB|GB)", text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text} is no size such as 600MB or 10GB")
    return int(match[1]) * UNITS[match[2]]


def write_files(folder: Path, size: int) -> dict[str, str]:
    """Write files of `size` bytes together, none of them all zeros; return name -> sha256."""
    folder.mkdir()
    rng = random.Random(1)  # noqa: S311 - the same bytes each time, no secret
    sizes, left = [size // 2], size - size // 2
    while left:
        sizes.append(min(left, rng.randrange(64 * 10**6)))
        left -= sizes[-1]
    block = rng.randbytes(1 << 20)
    return {
        f"{number:04d}.bin": _write(folder / f"{number:04d}.bin", length, block) for number, length in enumerate(sizes)
    }


def _write(path: Path, length: int, block: bytes) -> str:
    """Write blocks that differ by their number."""
    digest = hashlib.sha256()
    with path.open("wb") as file:
        for number in range(0, length, len(block)):
            data = (number.to_bytes(8, "big") + block[8:])[: length - number]
            digest.update(data)
            file.write(data)
    return digest.hexdigest()


def new_url(root: str) -> str:
    """Start a run in a new store and return the URL of an entity of it."""
    store, now = store_at(root), datetime.now(timezone.utc)
    record = RunRecord(run_id="", status=RunStatus.RUNNING, started=now, producer=Producer(library="benchmark"))
    return store.url_of(store.start_run(StepAddress("benchmark", "archive", "pack"), record, now=now).entity("files"))


def run_and_weigh(way: str, source: str, target: str) -> tuple[float, float]:
    """Pack or unpack in a new process; return its seconds and its peak memory in bytes."""
    began = time.perf_counter()
    command = [sys.executable, "-c", CODE, way, source, target]
    done = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    return time.perf_counter() - began, float(done.stdout)


def sha256(path: Path) -> str:
    """Return the sha256 of a file of any size."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


if __name__ == "__main__":
    sys.exit(main())
