"""A real step, killed with its kernel at random times: the last good run is still the one that resolves."""

import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil

from sinara_lib.layout import RunAddress
from sinara_lib.store import ArtifactStore
from sinara_lib.store.manifest import RunRecord, RunStatus
from step_cases import INTERFACE, STEP, MakeStep
from store_cases import differences

KILLS, AT_ONCE = 50, 5
PUBLISH = """for number in range(200):
    (work / f"{number}.txt").write_text(str(number) * 1000)
publish_folder(work, substep.outputs().numbers)"""


def test_a_step_killed_fifty_times_never_shows_half_a_run(
    make_step: MakeStep, stores: Callable[[str], ArtifactStore]
) -> None:
    folder, store, dice = make_step({"count.ipynb": [INTERFACE, PUBLISH]}), stores("user"), random.Random(50)
    assert _start(folder).wait(120) == 0
    good = store.resolve(STEP, ["numbers"])
    record = _record(store, good)
    assert record.finished is not None
    pauses = [dice.uniform(0, 1.2) * (record.finished - record.started).total_seconds() for _ in range(KILLS)]
    runs = [RunAddress(STEP, f"run-60-01-01-000000-{number:03d}") for number in range(KILLS)]

    with ThreadPoolExecutor(AT_ONCE) as threads:
        kills = threads.map(lambda run, pause: _kill(folder, store, run, pause), runs, pauses)
        for number, _ in enumerate(kills):
            if number % AT_ONCE == AT_ONCE - 1:
                good = _check_store(store, good)

    good = _check_store(store, good)
    assert sum(_record(store, run).status is RunStatus.RUNNING for run in runs) >= KILLS // 2
    assert _start(folder).wait(120) == 0
    assert store.resolve(STEP, ["numbers"]).run_id > runs[-1].run_id


def _start(folder: Path, run_id: str = "") -> "subprocess.Popen[bytes]":
    quiet = subprocess.DEVNULL
    environ = {**os.environ, "SINARA_RUN_ID": run_id}
    return subprocess.Popen([sys.executable, "step.dev.py"], cwd=folder, env=environ, stdout=quiet, stderr=quiet)


def _kill(folder: Path, store: ArtifactStore, run: RunAddress, pause: float) -> None:
    """Start a step and kill it some seconds after its run has begun."""
    step = _start(folder, run.run_id)
    while store.run_record(run) is None:
        assert step.poll() is None
        time.sleep(0.02)
    time.sleep(pause)
    _kill_family(step)


def _kill_family(step: "subprocess.Popen[bytes]") -> None:
    """Kill a step and all that it has started; a kernel leads a session of its own, so no group holds them all."""
    try:
        family = [psutil.Process(step.pid), *psutil.Process(step.pid).children(recursive=True)]
    except psutil.NoSuchProcess:
        family = []
    for process in family:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    step.wait(20)


def _record(store: ArtifactStore, run: RunAddress) -> RunRecord:
    record = store.run_record(run)
    assert record is not None
    return record


def _check_store(store: ArtifactStore, good: RunAddress) -> RunAddress:
    """Return the run that resolves: `good` or one that ended well since; all that can be seen is whole."""
    resolved = store.resolve(STEP, ["numbers"])
    assert resolved.run_id >= good.run_id
    assert _record(store, resolved).status is RunStatus.SUCCESS
    for run in store.runs(STEP):
        for entity in store.entities(run):
            assert differences(store, entity) == []
    assert store.open(resolved.entity("numbers")).read("199.txt") == b"199" * 1000
    return resolved
