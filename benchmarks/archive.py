"""Packing and unpacking 5,000 JPEG files beside SinaraML's archive on Spark, DVC, tar and cp.

    python benchmarks/archive.py [--files 5000] [--rounds 5] [--sinara CHECKOUT] [--dvc COMMAND] [--check]

What was promised is what a step waits for that has started: ours and Spark are calls in its process, DVC's are the
commands that DVC offers it. "DVC, started" are the calls that these make, in a process that has imported it. In the
lower rows ours, Spark and DVC are commands, from start to end; ours are a Python that packs, and `sinara fetch`.
All start from files in the page cache and a quiet disk. Packing ends when `sync` says that everything is on the disk,
which publishing promises. Unpacking ends when the command does: nobody promises that a working copy survives a power
cut. What came out is compared with what went in. Ours hashes every byte twice on the way in (row, shard), once on the
way out.
Nothing is deleted before the end: ext4 looks past each inode freed in the last minutes, one by one, so whoever makes
files after a large deletion would pay for it. What a round leaves is emptied and set aside.
The peers are not part of this project: --sinara names a checkout of SinaraML's library (pyspark must be installed),
--dvc the command of DVC in an environment of its own.
"""

import argparse
import filecmp
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.archive_peers import Dvc, Peer, as_process, our_archive, our_commands, spark_archive, started_dvc
from benchmarks.jpegs import write_jpegs
from benchmarks.table import Seconds, Target, conclude, ratio, render, say, take_turns

OURS, SPARK, DVC, TAR, CP = "sinara_lib", "SinaraArchive on Spark", "DVC, local remote", "tar", "cp -r"
STARTED, SPARK_STARTED, DVC_STARTED = "sinara_lib, started", "SinaraArchive, Spark started", "DVC, started"
BESIDE = {STARTED: [SPARK_STARTED, DVC, DVC_STARTED, TAR, CP], OURS: [SPARK, DVC]}
HOW = {
    SPARK: "--sinara CHECKOUT, and pip install pyspark",
    SPARK_STARTED: "as above",
    DVC: "pip install dvc in its own environment, --dvc",
    DVC_STARTED: "as above",
}
SLOWEST = 1 / 1.5
"""Of cp's speed."""


def main() -> int:
    """Run the benchmark; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--sinara", type=Path, help="checkout of SinaraML's library")
    parser.add_argument("--dvc", default=shutil.which("dvc"), help="DVC's command")
    parser.add_argument("--check", action="store_true", help="exit 1 when a target is missed")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        work = Path(folder)
        source = write_jpegs(work / "in", arguments.files)
        peers = {OURS: our_commands(), STARTED: our_archive(), TAR: tar(), CP: cp()}
        if arguments.sinara:
            peers[SPARK] = as_process("spark", arguments.sinara)
            peers[SPARK_STARTED] = stack.enter_context(spark_archive(arguments.sinara, work / "spark"))
        if arguments.dvc and shutil.which(arguments.dvc):
            peers[DVC] = Dvc(arguments.dvc).peer()
            peers[DVC_STARTED] = stack.enter_context(started_dvc(arguments.dvc))
        size = sum(path.stat().st_size for path in (work / "in").iterdir())
        say(f"{arguments.files} JPEG files, {size / 1e6:.0f} MB, from {source}")
        packing, unpacking = measure(peers, work, rounds=arguments.rounds)
    say(report(packing, unpacking))
    return conclude(targets(packing, unpacking), check=arguments.check)


def measure(peers: dict[str, Peer], work: Path, *, rounds: int) -> tuple[Seconds, Seconds]:
    """Let the peers take turns, packing and then unpacking; return the seconds of both."""
    places = {name: work / f"place{number}" for number, name in enumerate(peers)}
    packing = take_turns({name: packed(peer, work, places[name]) for name, peer in peers.items()}, rounds=rounds)
    unpacking = take_turns({name: unpacked(peer, work, places[name]) for name, peer in peers.items()}, rounds=rounds)
    return packing, unpacking


def packed(peer: Peer, work: Path, place: Path) -> Callable[[], float]:
    """Return a call that packs anew and returns the seconds that took, `sync` included."""

    def once() -> float:
        set_aside(place)
        place.mkdir()
        folder = peer.prepare(work / "in", place / "packed")
        return synced(lambda: peer.pack(folder, place / "packed"))

    return once


def unpacked(peer: Peer, work: Path, place: Path) -> Callable[[], float]:
    """Return a call that unpacks anew, compares, and returns the seconds until unpacking ended."""

    def once() -> float:
        out = work / "out" / "files"
        out.parent.mkdir()
        os.sync()
        began = time.perf_counter()
        peer.unpack(place / "packed", out)
        seconds = time.perf_counter() - began
        names = sorted(path.name for path in (work / "in").iterdir())
        equal, other, failed = filecmp.cmpfiles(work / "in", out, names, shallow=False)
        if len(equal) != len(names) or len(os.listdir(out)) != len(names):
            raise RuntimeError(f"{len(other) + len(failed)} files came back changed or not at all")
        set_aside(out.parent)
        return seconds

    return once


def set_aside(folder: Path) -> None:
    """Empty every file of a folder, if it is there, and move it out of the way."""
    if not folder.is_dir():
        return
    for path in folder.rglob("*"):
        if path.is_file():
            path.chmod(0o600)
            os.truncate(path, 0)
    folder.rename(tempfile.mkdtemp(prefix="aside-", dir=folder.parent))


def synced(run: Callable[[], object]) -> float:
    """Return the seconds from a quiet disk until everything is on it."""
    os.sync()
    began = time.perf_counter()
    run()
    os.sync()
    return time.perf_counter() - began


def tar() -> Peer:
    """Return tar without compression."""

    def unpack(place: Path, folder: Path) -> None:
        folder.mkdir()
        _run("tar", "-xf", str(place), "-C", str(folder))

    return Peer(lambda folder, place: _run("tar", "-cf", str(place), "-C", str(folder), "."), unpack)


def cp() -> Peer:
    """Return cp."""
    return Peer(
        lambda folder, place: _run("cp", "-r", str(folder), str(place)), lambda p, f: _run("cp", "-r", str(p), str(f))
    )


def _run(*command: str) -> None:
    subprocess.run(command, check=True)


def report(packing: Seconds, unpacking: Seconds) -> str:
    """Return the table: median seconds both ways, and how many times as fast ours is."""
    rows = []
    for beside, others in BESIDE.items():
        for name in (beside, *others):
            if name not in packing:
                rows.append([name, "not installed", HOW[name], "", ""])
                continue
            cells = [name]
            for seconds in (packing, unpacking):
                faster = ratio(seconds, beside, name)
                cells += [f"{statistics.median(seconds[name]):.2f}", "" if name == beside else f"{faster:.2f}"]
            rows.append(cells)
    return render(["", "pack, s", "ours is times as fast", "unpack, s", "ours is times as fast"], rows)


def targets(packing: Seconds, unpacking: Seconds) -> list[Target]:
    """Return what was promised, as measured: ours as a multiple of each peer's speed."""
    promised = [(SPARK_STARTED, 5, 5), (DVC, 3, 5), (CP, SLOWEST, SLOWEST)]
    return [
        Target(f"{way} beside {name}", ratio(seconds, STARTED, name), at_least=round(bars[column], 3))
        for name, *bars in promised
        for column, (way, seconds) in enumerate([("pack", packing), ("unpack", unpacking)])
    ]


if __name__ == "__main__":
    sys.exit(main())
