"""Say why a training stopped: where, and which parameter to change.

PyTorch tells its errors apart by words alone. `KNOWN` lists them, as they stand in PyTorch 2.13, with what to say.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import torch
from mmengine.runner import Runner

from detector_training.hooks import TrainingWatch
from sinara_lib.errors import SinaraError
from train_params import TrainParams

Advice = Callable[[Runner, TrainingWatch, TrainParams], str]


@dataclass(frozen=True)
class KnownError:
    """An error of another project: a pattern in its text, or its types; where it is written; what to say of it."""

    pattern: str
    written_in: str
    advice: Advice
    types: tuple[type[Exception], ...] = ()

    def fits(self, error: Exception, reason: str) -> bool:
        """Tell whether this is the error."""
        return isinstance(error, self.types) or re.search(self.pattern, reason) is not None


def explain(error: Exception, runner: Runner, watch: TrainingWatch, params: TrainParams) -> str | None:
    """Return the message for an error that the user can do something about; None for any other."""
    reason = str(error)
    if from_worker := "DataLoader worker" in reason and "Caught " in reason:
        reason = _worker_reason(reason)
    if isinstance(error, SinaraError):
        return reason if from_worker else None
    return next((one.advice(runner, watch, params) for one in KNOWN if one.fits(error, reason)), None)


def _more_shared_memory(_runner: Runner, _watch: TrainingWatch, params: TrainParams) -> str:
    return (
        "The processes that load images ran out of shared memory (/dev/shm). Give the container more "
        f"(docker run --shm-size=2g), or lower workers, which is {params.workers}."
    )


def _killed(_runner: Runner, _watch: TrainingWatch, params: TrainParams) -> str:
    return f"A process that loads images was killed, most often for want of memory. {_lower(params)}"


def _out_of_memory(runner: Runner, _watch: TrainingWatch, params: TrainParams) -> str:
    return f"Out of memory at iteration {runner.iter + 1} (epoch {runner.epoch + 1}). {_lower(params)}"


def _not_finite(runner: Runner, watch: TrainingWatch, _params: TrainParams) -> str:
    return watch.non_finite_message(runner, float("nan"))


def _one_value(_runner: Runner, _watch: TrainingWatch, params: TrainParams) -> str:
    return (
        f"A batch held one value per channel, which the network's normalisation cannot learn from: batch_size is "
        f"{params.batch_size}, input_size {params.input_size}. Raise input_size, or set batch_size to 2 or more."
    )


KNOWN = (
    KnownError("shared memory|Bus error", "libtorch_cpu; the system's name of SIGBUS", _more_shared_memory),
    KnownError("(?s)DataLoader worker.*killed", "libtorch_python", _killed),
    KnownError("allocate memory", "libc10", _out_of_memory, types=(MemoryError, torch.OutOfMemoryError)),
    # The label assignment refuses a score of NaN before a loss can be computed from it.
    KnownError("input should be between 0 and 1", "libtorch_cpu: binary_cross_entropy", _not_finite),
    KnownError("Expected more than 1 value per channel", "torch/nn/functional.py: batch_norm", _one_value),
)
"""The first that fits counts: an allocation of shared memory is one of memory, too."""


def _lower(params: TrainParams) -> str:
    """Say which parameters take memory, the first to lower first."""
    more = [f"workers is {params.workers}"] if params.workers else []
    more += ["cache is ram: use disk or none"] if params.cache == "ram" else []
    also = f"; {', '.join(more)}" if more else ""
    return (
        f"batch_size is {params.batch_size}, input_size {params.input_size}, model_name {params.model_name}{also}. "
        "Lower batch_size first, then input_size."
    )


def _worker_reason(text: str) -> str:
    """Return what was wrong in a worker process, which PyTorch hands on with the whole traceback before it."""
    last = text.strip().rpartition("\n")[2]
    return last.partition(": ")[2] or last
