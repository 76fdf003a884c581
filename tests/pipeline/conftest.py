"""Whole steps as a user runs them: processes, own stores, small jobs."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from sinara_lib.layout import StepAddress
from sinara_lib.params import load_params, override
from sinara_lib.store import ArtifactStore, store_at

REPOSITORY = Path(__file__).parents[2]
STEPS = ("data_load", "data_prep", "model_train", "model_pack", "model_eval")
TINY = {
    "data_load": ["images_url=sample://scenes?images=60&size=128&seed=3"],
    "data_prep": [],
    "model_train": ["model_name=yolox_nano", "input_size=[128, 128]", "epochs=1"],
    "model_pack": [],
    "model_eval": ["threshold_map05=0.0"],
}
"""A job of a minute: too small to learn anything, large enough to go through every part."""


@dataclass(frozen=True)
class Workspace:
    """A store of its own and the environment variables that lead there."""

    root: Path

    @property
    def environ(self) -> dict[str, str]:
        """Variables for a step's process."""
        roots = {f"SINARA_{env.upper()}_ROOT": str(self.root / env) for env in ("user", "test", "prod")}
        return {**os.environ, **roots}

    def store(self, env: str) -> ArtifactStore:
        """The store of an environment."""
        return store_at(str(self.root / env))

    def run(
        self, command: Sequence[str], cwd: Path, environ: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a Python command (`sys.executable` is put before it) to its end."""
        return subprocess.run(
            [sys.executable, *command],
            cwd=cwd,
            env={**self.environ, **(environ or {})},
            capture_output=True,
            text=True,
            check=False,
        )

    def must(self, command: Sequence[str], cwd: Path, environ: Mapping[str, str] | None = None) -> str:
        """Run a Python command that has to succeed, and return what it printed."""
        done = self.run(command, cwd, environ)
        assert done.returncode == 0, f"{command} in {cwd} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def metrics(self, env: str, step: str, notebook: str) -> dict[str, float]:
        """The metrics of the newest finished run of a step."""
        store = self.store(env)
        report = f"reports_{notebook.replace('.', '_')}"
        run = store.resolve(StepAddress("obj_detect_rest", "test", step), [report])
        found: dict[str, float] = json.loads(store.open(run.entity(report)).read("metrics.json"))
        return found


@pytest.fixture(scope="session")
def tiny_params(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Params files of the tiny job, one per step."""
    return write_params(tmp_path_factory.mktemp("params"), TINY)


def write_params(folder: Path, job: Mapping[str, Sequence[str]]) -> dict[str, Path]:
    """Write a params file per step: the sample's, with the assignments of the job."""
    files = {}
    for step, assignments in job.items():
        params = override(load_params(REPOSITORY / step / "params" / "sample.json"), assignments)
        files[step] = folder / f"{step}.json"
        files[step].write_text(params.model_dump_json(), encoding="utf-8")
    return files


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """An empty store for the tests of one module."""
    return Workspace(tmp_path_factory.mktemp("workspace"))


@pytest.fixture(scope="session")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh clone of the repository's HEAD, without anything that is not committed."""
    folder = tmp_path_factory.mktemp("clone") / "pipeline"
    subprocess.run(["git", "clone", "--quiet", str(REPOSITORY), str(folder)], check=True)
    return folder
