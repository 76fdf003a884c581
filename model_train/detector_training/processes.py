"""A training in processes of its own, started by torchrun: the notebook waits, the first process tells how it goes.

Run as `python -m detector_training.processes JOB` it is one of these processes.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, NoReturn

import psutil
import torch
from pydantic import TypeAdapter

from detector_training.job import TrainingJob, TrainingOutcome, run_job
from sinara_lib.errors import DataError, SinaraError
from sinara_lib.parallel import core_count
from sinara_lib.progress import PROGRESS_VARIABLE, show_log

JOB, OUTCOME = TypeAdapter(TrainingJob), TypeAdapter(TrainingOutcome)
JOB_FILE, OUTCOME_FILE, LOG_FILE = "job.json", "outcome.json", "processes.log"
NOTEBOOK_PROCESS = "SINARA_TRAINING_PARENT"
SAID = "\x1e"
"""Stands before each line of the log that is for people; what frameworks print is left out."""
SECONDS_TO_END = 10

logger = logging.getLogger(__name__)


def run_in_processes(job: TrainingJob, devices: Devices) -> TrainingOutcome:
    """Train in `devices.processes` processes and return what the first of them reports.

    They end with this process, and with the first of them that fails. Raises DataError for what the user can mend.
    """
    work = Path(job.place.work)
    work.mkdir(parents=True, exist_ok=True)
    (work / JOB_FILE).write_bytes(JOB.dump_json(job))
    with _started(work, devices) as group:
        for line in group.stdout or ():
            if line.startswith(SAID):
                logger.info(line[len(SAID) :].rstrip())
        failed = group.wait()
    if failed:
        _raise_failure(work)
    return OUTCOME.validate_json((work / OUTCOME_FILE).read_bytes())


@contextmanager
def _started(work: Path, devices: Devices) -> Iterator[subprocess.Popen[str]]:
    count = devices.processes
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={count}"]
    threads = str(max(1, core_count() // count))
    environ = {"OMP_NUM_THREADS": threads, **os.environ, PROGRESS_VARIABLE: "0", NOTEBOOK_PROCESS: str(os.getpid())}
    if devices.kind == "cpu":
        environ["CUDA_VISIBLE_DEVICES"] = ""
    with (work / LOG_FILE).open("w", encoding="utf-8") as log:
        # By its name from the step's folder: as a script its own folder would stand first on sys.path.
        group = subprocess.Popen(
            [*command, "-m", "detector_training.processes", str((work / JOB_FILE).resolve())],
            cwd=Path(__file__).parents[1],
            env=environ,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    try:
        yield group
    finally:
        if group.poll() is None:
            group.terminate()  # torchrun hands it on
            try:
                group.wait(SECONDS_TO_END)
            except subprocess.TimeoutExpired:
                group.kill()


def _raise_failure(work: Path) -> NoReturn:
    """Raise what the processes left; one that fails tears the others down, so ours come first, then the oldest."""
    notes = [json.loads(path.read_text(encoding="utf-8")) for path in work.glob("error-*.json")]
    if not notes:
        tail = "\n".join((work / LOG_FILE).read_text(encoding="utf-8").splitlines()[-20:])
        raise DataError(
            "A training process was killed, most often for want of memory: lower batch_size, input_size or devices. "
            f"Its last words:\n{tail}"
        )
    first = min(notes, key=lambda note: (not note["ours"], note["time"]))
    if first["ours"]:
        raise DataError(first["message"])
    raise RuntimeError(first["message"])


def main(job_file: str) -> int:
    """Be one process of the group; return its exit code."""
    rank = int(os.environ["RANK"])
    job = JOB.validate_json(Path(job_file).read_bytes())
    work = Path(job.place.work)
    threading.Thread(target=_end_with, args=(int(os.environ[NOTEBOOK_PROCESS]),), daemon=True).start()
    if rank == 0:
        show_log()
        logging.getLogger().handlers[0].setFormatter(logging.Formatter(f"{SAID}%(message)s"))
    else:
        job = replace(job, place=replace(job.place, work=str(work / f"process_{rank}")), run_url=None)
    try:
        _join_group()
        outcome = run_job(job)
    except Exception as error:
        ours = isinstance(error, SinaraError)
        note = {
            "ours": ours,
            "time": time.time(),
            "message": str(error) if ours else f"{type(error).__name__}: {error}",
        }
        (work / f"error-{rank}.json").write_text(json.dumps(note), encoding="utf-8")
        traceback.print_exc()
        return 1
    if rank == 0:
        (work / OUTCOME_FILE).write_bytes(OUTCOME.dump_json(outcome))
    torch.distributed.destroy_process_group()
    return 0


def _join_group() -> None:
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
        torch.distributed.init_process_group("nccl")
    else:
        torch.distributed.init_process_group("gloo")


def _end_with(process: int) -> None:
    """End this process when the notebook's is gone, however that ended."""
    try:
        psutil.Process(process).wait()
    except psutil.NoSuchProcess:
        pass
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))


DeviceKind = Literal["cpu", "cuda"]


@dataclass(frozen=True)
class Devices:
    """The kind of device, and how many processes use one each; `apart`: they are not the process that asks."""

    kind: DeviceKind
    processes: int
    apart: bool


def choose_devices(wanted: str | int, *, gpus: int) -> Devices:
    """Return what `devices` asks for on a machine with this many GPUs. Raises DataError where that cannot be had.

    A number is a number of processes: on as many GPUs where there are any, else on the CPU. `auto` and `cuda` take
    one GPU; `auto` takes the CPU where there is none.
    """
    if wanted == "cuda" and not gpus:
        raise DataError(
            f"devices: cuda, but PyTorch {torch.__version__} sees no CUDA device here. Use auto or cpu, or look at "
            "the driver (nvidia-smi), CUDA_VISIBLE_DEVICES, and whether this PyTorch was built with CUDA."
        )
    if isinstance(wanted, int) and 0 < gpus < wanted:
        raise DataError(f"devices: {wanted}, but PyTorch sees {gpus} CUDA device(s) here. Lower devices, or use cpu.")
    kind: DeviceKind = "cuda" if gpus and wanted != "cpu" else "cpu"
    processes = wanted if isinstance(wanted, int) else 1
    # What this process would use by itself needs no other process; the GPU is hidden from one that must not use it.
    return Devices(kind, processes, apart=processes > 1 or (kind == "cpu" and gpus > 0))
