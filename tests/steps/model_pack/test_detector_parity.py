"""Parity lets the same model through and stops any other."""

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from detector_export import ModelCard
from detector_parity import Detections, check_parity, match_detections, noise_image, parity_table
from small_network import NMS
from torch import nn

from sinara_lib.errors import DataError


@pytest.fixture
def images(card: ModelCard) -> dict[str, np.ndarray]:
    return {f"noise {seed}": noise_image(card.input_size, seed=seed) for seed in (1, 2)}


def test_the_same_model_passes_with_detections_on_every_image(
    detector: nn.Module, onnx_file: Path, images: dict[str, np.ndarray]
) -> None:
    rows = check_parity(detector, onnx_file, nms=NMS, images=images)
    assert [row.image for row in rows] == list(images)
    assert all(row.passed and row.torch_detections > 10 for row in rows)
    assert "noise 2" in parity_table(rows).data


def test_slightly_other_weights_are_stopped_and_named(
    detector: nn.Module, onnx_file: Path, images: dict[str, np.ndarray]
) -> None:
    other = copy.deepcopy(detector)
    with torch.no_grad():
        other.bbox_head.multi_level_conv_obj[0].bias += 0.05
    with pytest.raises(DataError, match=r"nothing is published.*Image noise 1: .*raw scores by"):
        check_parity(other, onnx_file, nms=NMS, images=images)


def test_other_suppression_is_stopped(detector: nn.Module, onnx_file: Path, images: dict[str, np.ndarray]) -> None:
    with pytest.raises(DataError, match="detections differ"):
        check_parity(detector, onnx_file, nms=NMS.model_copy(update={"iou_threshold": 0.2}), images=images)


BOX = [10.0, 10.0, 50.0, 50.0]


def one(box: list[float], score: float, label: int) -> Detections:
    return Detections(np.array([box]), np.array([score]), np.array([label]))


NONE = Detections(np.zeros((0, 4)), np.zeros(0), np.zeros(0, dtype=int))


@pytest.mark.parametrize(
    ("found", "unmatched"),
    [
        (one(BOX, 0.8, 1), 0),
        (one(BOX, 0.8005, 1), 0),
        (one(BOX, 0.8, 2), 2),
        (one(BOX, 0.79, 1), 2),
        (one([12.0, 10.0, 50.0, 50.0], 0.8, 1), 2),
        (NONE, 1),
    ],
    ids=["same", "score within tolerance", "other class", "other score", "other box", "none"],
)
def test_a_detection_matches_by_class_box_and_score(found: Detections, unmatched: int) -> None:
    assert match_detections(one(BOX, 0.8, 1), found, bar=0.1)[0] == unmatched


def test_a_detection_at_the_bar_may_be_missing() -> None:
    assert match_detections(one(BOX, 0.1004, 1), NONE, bar=0.1)[0] == 0
    assert match_detections(NONE, one(BOX, 0.1004, 1), bar=0.1)[0] == 0
