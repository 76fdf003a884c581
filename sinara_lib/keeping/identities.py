"""The identity of a step as it stands now: parameters, code, library, packages, and what else it depends on."""

import os
import platform
import subprocess
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from sinara_lib.keeping.packages import declared_packages
from sinara_lib.params import ParamsFile, parse_params
from sinara_lib.runs.code_identity import code_files
from sinara_lib.step_models import Models
from sinara_lib.store.step_identity import Identity
from sinara_lib.urls import params_without_credentials

_SHOWN = 16
"""Hexadecimal digits of a file's sha256 that are kept."""


def identity_of(
    folder: Path, params: ParamsFile, models: Models, *, library: str, params_file: Path | None = None
) -> Identity:
    """Return the identity of the step in `folder`, but for its inputs.

    `params_file`, below the folder, is where `params` come from: it counts by what it says, not by its bytes.
    `library` is the name, version and code of the library that the step's kernel imports.
    """
    return Identity(
        params=_params(params, models),
        code=_code(folder, params_file),
        library=library,
        packages=declared_packages(folder),
        surroundings=_surroundings(params, now=utc_now()),
    )


def _params(params: ParamsFile, models: Models) -> dict[str, dict[str, Any]]:
    """Return the parameters by notebook, in the order in which notebooks run, as the notebooks will see them."""
    step = params.step_params.model_dump(exclude={"step_name", "depends_on"})
    found = {"": {name: value for name, value in step.items() if value is not None}}
    for substep in params.substeps_params:
        name, given = substep.substep_name, substep.substep_params
        whole = parse_params(models[name], given, where=name).model_dump(mode="json") if name in models else given
        found[name] = params_without_credentials(whole)
    return found


def _code(folder: Path, params_file: Path | None) -> dict[str, str]:
    left_out = os.fsencode(params_file.as_posix()) if params_file and not params_file.is_absolute() else None
    files = {name: content for name, content in code_files(folder) if name != left_out}
    return {os.fsdecode(name).encode("utf-8", "replace").decode(): content[:_SHOWN] for name, content in files.items()}


def _surroundings(params: ParamsFile, *, now: datetime) -> dict[str, str]:
    known = {"day": lambda: f"{now:%Y-%m-%d}", "device": lambda: device_name(os.environ)}
    return {name: known[name]() for name in sorted(set(params.step_params.depends_on))}


def utc_now() -> datetime:
    """Return the time, UTC."""
    return datetime.now(timezone.utc)


def device_name(environ: Mapping[str, str]) -> str:
    """Return the names of the GPUs that this process may use, or of the processor where there are none."""
    try:
        asked = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
        listed = subprocess.run(asked, capture_output=True, text=True, check=True, timeout=30).stdout
    except (OSError, subprocess.SubprocessError):
        listed = ""
    names = [line.strip() for line in listed.splitlines() if line.strip()]
    visible = environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        names = [names[int(one)] for one in visible.split(",") if one.strip().isdigit() and int(one) < len(names)]
    return ", ".join(names) or f"{platform.machine()} {_processor()}".strip()


def _processor() -> str:
    cpus = Path("/proc/cpuinfo")
    lines = cpus.read_text(encoding="utf-8", errors="replace").splitlines() if cpus.is_file() else []
    named = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    return named or platform.processor()
