"""What a run of the pipeline costs when nothing has changed, beside `dvc repro` of the same five stages.

    python benchmarks/rerun.py [--dvc PATH] [--rounds 5] [--no-s3] [--check]

The five steps have all their code and parameters, and notebooks of a few lines: what is measured is finding out that
nothing has to run. Each measurement is a command of its own, as a person gives it, from a warm page cache; contenders
take turns, times are medians. "Imports" is a Python that imports what our command has imported and does nothing. On S3
(a server on loopback) requests are counted by step.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.rerun_stages import ROOT, STEPS, lay_dvc_stages, lay_pipeline
from benchmarks.table import Target, conclude, ratio, render, say, take_turns

OURS, IMPORTS, DVC = "sinara run", "imports", "dvc repro"
SECONDS, LISTINGS, READS, SHARE = 1.0, 2, 6, 0.5
RUN = "import sys; from sinara_lib.cli import main; code = main(['run', '--params', 'sample']); "
KINDS = {"list_objects_v2": "listings", "get_object": "reads", "head_object": "looks", "put_object": "writes"}


def main() -> int:
    """Run the benchmark and return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--dvc", metavar="PATH", help="the command `dvc` of an environment that has it")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--no-s3", action="store_true", help="leave S3 out")
    parser.add_argument("--check", action="store_true", help="exit 1 when a target is missed")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="rerun-") as folder:
        seconds = measure(Path(folder) / "project", args.dvc, rounds=args.rounds)
    counts = {} if args.no_s3 else count_on_s3()
    own = statistics.median(seconds[OURS]) - statistics.median(seconds[IMPORTS])
    rows = [[name, f"{statistics.median(each):.2f}", f"{min(each):.2f}"] for name, each in seconds.items()]
    say(render(["nothing changed", "seconds, median", "least"], rows))
    targets = [Target("ours beyond the imports, seconds", own, at_most=SECONDS)]
    if args.dvc or args.check:
        times = ratio(seconds, OURS, DVC)
        targets.append(Target("share of dvc repro", times and 1 / times, at_most=SHARE))
    if counts:
        say(render(["on S3", *KINDS.values()], [[n, *(c[k] for k in KINDS.values())] for n, c in counts.items()]))
    if counts or args.check:
        most = {kind: max((c[kind] for n, c in counts.items() if n in STEPS), default=None) for kind in KINDS.values()}
        looked = None if most["reads"] is None else most["reads"] + (most["looks"] or 0)
        targets += [Target("listings a step", most["listings"], at_most=LISTINGS)]
        targets += [Target("small objects read a step", looked, at_most=READS)]
    return conclude(targets, check=args.check)


def measure(project: Path, dvc: str | None, *, rounds: int) -> dict[str, list[float]]:
    """Return the seconds of each contender in each round."""
    project.mkdir()
    lay_pipeline(project)
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "SINARA_USER_ROOT": str(project / "store")}
    environ |= {"SINARA_CACHE": str(project.with_name("cache"))}
    say("  first run")
    _timed([sys.executable, "-c", RUN + "sys.exit(code)"], project, environ)
    modules = _modules(project, environ)
    imports = "import atexit, gc, importlib, sys\natexit.register(gc.freeze)\n"  # our command ends like that as well
    imports += "for name in sys.argv[1:]:\n    importlib.import_module(name)"
    contenders = {
        OURS: lambda: _timed([sys.executable, "-c", RUN + "sys.exit(code)"], project, environ),
        IMPORTS: lambda: _timed([sys.executable, "-c", imports, *modules], project, environ),
    }
    if dvc:
        lay_dvc_stages(project)
        quiet = environ | {"DVC_NO_ANALYTICS": "1", "PYTHONPATH": ""}
        for command in (["init", "-q"], ["repro", "-q"]):
            _timed([dvc, *command], project, quiet)
        contenders[DVC] = lambda: _timed([dvc, "repro"], project, quiet)
    return take_turns(contenders, rounds=rounds)


def count_on_s3() -> dict[str, Counter[str]]:
    """Return what a run without changes asks of S3, by step; `the run` is what belongs to none."""
    from benchmarks.s3_environment import s3_root
    from tests.s3_server import start_s3_server

    with tempfile.TemporaryDirectory(prefix="rerun-") as folder, start_s3_server() as server:
        root = s3_root(server)
        project = Path(folder) / "project"
        project.mkdir()
        lay_pipeline(project)
        environ = {**os.environ, "PYTHONPATH": str(ROOT), "SINARA_CACHE": str(Path(folder) / "cache")}
        environ |= {"SINARA_USER_ROOT": root, "SINARA_USER_STORAGE": os.environ["SINARA_BENCHMARK_STORAGE"]}
        say("  first run, on S3")
        _timed([sys.executable, "-c", RUN + "sys.exit(code)"], project, environ)
        page = Path(folder) / "asked.json"
        _timed([sys.executable, "-c", COUNTING + RUN + f"open({str(page)!r}, 'w').write(told())"], project, environ)
        asked: list[list[Any]] = json.loads(page.read_text())
    counts: dict[str, Counter[str]] = {name: Counter() for name in (*STEPS, "the run")}
    for method, key in asked:
        step = next((name for name in STEPS if f"/{name}/" in f"{key}/"), "the run")
        counts[step][KINDS.get(method, method)] += 1
    return counts


COUNTING = """
import json, s3fs
asked = []
real = s3fs.S3FileSystem._call_s3
async def counted(self, method, *args, **kwargs):
    asked.append((method, kwargs.get("Key") or kwargs.get("Prefix") or ""))
    return await real(self, method, *args, **kwargs)
s3fs.S3FileSystem._call_s3 = counted
import s3fs.core
def told():
    return json.dumps(asked)
"""


def _modules(project: Path, environ: dict[str, str]) -> list[str]:
    """Return the modules that our command has imported, but for those of the steps and of Python itself."""
    code = RUN + "print('MODULES', *sys.modules)"
    shown = subprocess.run(
        [sys.executable, "-c", code], cwd=project, env=environ, check=True, capture_output=True, text=True
    ).stdout
    names = shown.rpartition("MODULES ")[2].split()
    own = {path.stem for path in project.glob("*/*.py")} | {path.parent.name for path in project.glob("*/*/*.py")}
    kept = [name for name in names if name.split(".")[0] not in own and not name.startswith(("_", "encodings"))]
    probe = "import importlib, sys\nfor n in sys.argv[1:]:\n    try:\n        importlib.import_module(n); print(n)\n"
    probe += "    except Exception:\n        pass"
    found = subprocess.run(
        [sys.executable, "-c", probe, *kept], cwd=project, env=environ, check=True, capture_output=True, text=True
    )
    return [name for name in found.stdout.split("\n") if name in kept]


def _timed(command: list[str], folder: Path, environ: dict[str, str]) -> float:
    start = time.perf_counter()
    done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{command[:3]} failed:\n{done.stdout}\n{done.stderr}")
    return time.perf_counter() - start


if __name__ == "__main__":
    sys.exit(main())
