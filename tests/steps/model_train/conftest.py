"""Splits for the tests of model_train."""

from pathlib import Path

import pytest
from drawn_splits import draw_split
from training_data import Split


@pytest.fixture
def train(tmp_path: Path) -> Split:
    return draw_split(tmp_path / "train", "train", images=6, seed=1)


@pytest.fixture
def evaluate(tmp_path: Path) -> Split:
    return draw_split(tmp_path / "eval", "eval", images=3, seed=2)
