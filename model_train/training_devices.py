"""On what a training runs: one process here, or several that each have a GPU or a share of the CPU."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch

from sinara_lib.errors import DataError

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
