"""The private names of other projects that we stand on: each has a test here that says who needs it when it goes.

Without a promise of theirs such a name may go or change in any release; it is used where nothing public does the same.
"""

import io
from collections.abc import Callable
from types import SimpleNamespace

import pytest


def strip_protocol() -> bool:
    """fsspec: AbstractFileSystem._strip_protocol. The store lists files by it: store/files.py, catalog/."""
    from fsspec.implementations.memory import MemoryFileSystem

    return bool(MemoryFileSystem()._strip_protocol("memory://folder/file") == "/folder/file")


def label_names() -> bool:
    """prometheus_client: a metric's _labelnames. The service says by them what it serves: rest_service/metrics.py."""
    from prometheus_client import CollectorRegistry, Gauge

    return tuple(Gauge("about", "About.", ["version"], registry=CollectorRegistry())._labelnames) == ("version",)


def numpy_pickles() -> bool:
    """numpy: _core.multiarray.scalar, _reconstruct. Checkpoints with numpy's numbers need them: checkpoint_file.py."""
    import numpy as np

    return callable(np._core.multiarray.scalar) and callable(np._core.multiarray._reconstruct)


def file_writer() -> bool:
    """torch: SummaryWriter._get_file_writer. The table of runs is written through it: training_report/events.py."""
    from torch.utils.tensorboard import SummaryWriter

    return callable(SummaryWriter._get_file_writer)


def batch_norm() -> bool:
    """torch: nn.modules.batchnorm._BatchNorm. Frozen layers are found by it: detector_training/job.py."""
    from torch import nn
    from torch.nn.modules.batchnorm import _BatchNorm

    return issubclass(nn.BatchNorm2d, _BatchNorm)


def swapped_average() -> bool:
    """mmengine: EMAHook._swap_ema_parameters. The weights beside their average are scored by it: hooks.py."""
    from mmengine.hooks import EMAHook

    return callable(EMAHook._swap_ema_parameters)


def place_in_loop() -> bool:
    """mmengine: a loop's _epoch and _iter. A training goes on where it stopped by them: state.py."""
    from mmengine.runner import EpochBasedTrainLoop
    from torch.utils.data import DataLoader

    loop = EpochBasedTrainLoop(SimpleNamespace(), DataLoader([0, 1]), max_epochs=3)
    loop._epoch, loop._iter = 2, 4
    return (loop.epoch, loop.iter) == (2, 4)


def normalising() -> bool:
    """mmengine: ImgDataPreprocessor._enable_normalize. A model that normalises is refused by it: model_card.py."""
    from mmengine.model import ImgDataPreprocessor

    return bool(ImgDataPreprocessor(mean=[1.0], std=[2.0])._enable_normalize)


def start_of_bar() -> bool:
    """tqdm: a bar's start_t and last_print_t. A training that goes on tells its time left by them: progress.py."""
    from tqdm import tqdm

    with tqdm(total=1, file=io.StringIO()) as bar:
        return bar.start_t <= bar.last_print_t


@pytest.mark.parametrize(
    "holds",
    [
        strip_protocol,
        label_names,
        numpy_pickles,
        file_writer,
        batch_norm,
        swapped_average,
        place_in_loop,
        normalising,
        start_of_bar,
    ],
)
def test_a_private_name_of_another_project_is_there_and_means_what_we_take_it_for(holds: Callable[[], bool]) -> None:
    try:
        held, error = holds(), ""
    except (AttributeError, ImportError, TypeError) as missing:
        held, error = False, str(missing)
    assert held, f"Gone, or no longer what it was: {holds.__doc__} Find what does the same now. {error}"
