"""Many runs of one pipeline at once, each from a clone of its own and with a value of its own; some are killed.

    python pipeline_crowd.py CLONES SEED

Runs in every folder below CLONES, or goes on with what did not end well there. Kills some of them, at random by SEED;
with SEED 0 none. Prints a line for each clone: its name, and `done`, `killed` or `failed`.
"""

import os
import random
import signal
import sys
import time
from pathlib import Path

import sinara_lib.reports.reported_notebook
from quick_steps import run_here
from sinara_lib.pipeline import pipeline_steps, resume_pipeline, run_pipeline
from sinara_lib.settings import load_settings

NOTE = "run.txt"
SHARE = 0.4
"""Of the runs that are killed."""


def work(clone: Path) -> None:
    """Run the pipeline in a clone; the URL of its run is noted there, and gone on with where it is noted."""
    steps, note = pipeline_steps(load_settings(clone)), clone / NOTE
    if note.is_file():
        resume_pipeline(steps, env="user", run=note.read_text(), done=[], begun=[])
    else:
        run_pipeline(steps, env="user", params=None, done=[], begun=[], on_start=note.write_text)


def start(clone: Path) -> int:
    """Start a process for a clone and return its number."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        with (clone / "log.txt").open("a") as log:
            os.dup2(log.fileno(), 1)
            os.dup2(log.fileno(), 2)
            work(clone)
            code = 0
    finally:
        os._exit(code)


def main(clones: Path, seed: int) -> None:
    """Run all clones at once."""
    sinara_lib.reports.reported_notebook.run_reported = run_here
    children = {start(clone): clone for clone in sorted(clones.iterdir())}
    chance = random.Random(seed)
    doomed = chance.sample(list(children), int(len(children) * SHARE)) if seed else []
    ends = {}
    for child in doomed:
        time.sleep(chance.random() * 1.5)
        os.kill(child, signal.SIGKILL)
    for child, clone in children.items():
        ends[clone.name] = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    words = {0: "done", -signal.SIGKILL: "killed"}
    for name, code in ends.items():
        sys.stdout.write(f"{name} {words.get(code, 'failed')}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
