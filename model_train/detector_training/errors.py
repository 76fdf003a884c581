"""What stops a training, in words that say where it happened and which parameter to change."""

from __future__ import annotations

import torch
from mmengine.runner import Runner

from detector_training.hooks import TrainingWatch
from sinara_lib.errors import SinaraError
from train_params import TrainParams


def explain(error: Exception, runner: Runner, watch: TrainingWatch, params: TrainParams) -> str | None:
    """Return the message for an error that the user can do something about; None for any other."""
    reason = str(error)
    if "DataLoader worker" in reason and "Caught " in reason:
        reason = _worker_reason(reason)
        if issubclass(type(error), SinaraError):
            return reason
    if isinstance(error, SinaraError):
        return None
    if "shared memory" in reason or "Bus error" in reason:
        return (
            "The processes that load images ran out of shared memory (/dev/shm). Give the container more "
            f"(docker run --shm-size=2g), or lower workers, which is {params.workers}."
        )
    if "DataLoader worker" in reason and "killed" in reason:
        return f"A process that loads images was killed, most often for want of memory. {_lower(params)}"
    if isinstance(error, MemoryError | torch.OutOfMemoryError) or "allocate memory" in reason:
        return f"Out of memory at iteration {runner.iter + 1} (epoch {runner.epoch + 1}). {_lower(params)}"
    # The label assignment refuses a score of NaN before a loss can be computed from it.
    if "input should be between 0 and 1" in reason:
        return watch.non_finite_message(runner, float("nan"))
    if "Expected more than 1 value per channel" in reason:
        return (
            f"A batch held one value per channel, which the network's normalisation cannot learn from: batch_size is "
            f"{params.batch_size}, input_size {params.input_size}. Raise input_size, or set batch_size to 2 or more."
        )
    return None


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
