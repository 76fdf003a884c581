"""Which images a training sees in which order, and every random change to them: functions of the seed alone."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from sinara_lib.vision.mmcv_ops import ensure_mmcv_ops

ensure_mmcv_ops()

from mmdet.registry import DATA_SAMPLERS, DATASETS  # noqa: E402  (mmdet can be imported only now)
from mmengine.dataset import DefaultSampler  # noqa: E402
from mmengine.hooks import Hook  # noqa: E402
from mmengine.runner import Runner  # noqa: E402

_SAMPLE, _ITERATION = 0, 1


def seed_all(*key: int) -> int:
    """Set what Python, numpy and PyTorch draw on the CPU to follow from `key`; return the seed."""
    seed = int(np.random.SeedSequence(key).generate_state(1)[0])
    random.seed(seed)
    np.random.seed(seed)
    torch.default_generator.manual_seed(seed)  # a seventieth of the time of torch.manual_seed, which asks every device
    return seed


@DATA_SAMPLERS.register_module()
class EpochSampler(DefaultSampler):
    """mmengine's shuffled order, which also tells the dataset the epoch: it yields epoch * images + index.

    So worker processes that outlive an epoch know it, and resumed training goes on with the samples it would have had.
    """

    def __iter__(self) -> Iterator[int]:
        start = self.epoch * len(self.dataset)
        return (start + index for index in super().__iter__())


@DATASETS.register_module()
class SeededSamples:
    """A dataset whose sample is the same whoever loads it: its randomness follows from seed, epoch and index.

    dataset: configuration of the dataset behind it. Numbers from `len()` on stand for later epochs.
    mixed: that of the same images, several put together in one, which takes its place in the first `mixed_epochs`.
    """

    def __init__(
        self, dataset: dict[str, Any], seed: int, mixed: dict[str, Any] | None = None, mixed_epochs: int = 0
    ) -> None:
        self.dataset = DATASETS.build(dataset)
        self._mixed = DATASETS.build(mixed) if mixed else None
        self._mixed_epochs = mixed_epochs
        self.metainfo = self.dataset.metainfo
        self._seed = seed

    def full_init(self) -> None:
        """Read the annotations."""
        self.dataset.full_init()

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, number: int) -> Any:
        epoch, index = divmod(number, len(self))
        seed_all(self._seed, _SAMPLE, epoch, index)
        source = self._mixed if self._mixed and epoch < self._mixed_epochs else self.dataset
        return source[index]


class SeededIterations(Hook):
    """Makes what the training process itself draws in one iteration follow from seed and iteration."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._on_gpu = torch.cuda.is_available()

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Forget what came before, such as how many samples this process loaded itself."""
        seed = seed_all(self._seed, _ITERATION, runner.iter)
        if self._on_gpu:
            torch.cuda.manual_seed(seed)
