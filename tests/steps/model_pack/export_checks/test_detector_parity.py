"""Parity lets the same model through, stops any other, and names the layer where they part."""

import copy
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from detector_export.images import NetworkImage, noise_image
from export_checks.layers import first_difference
from export_checks.outputs import Detections
from export_checks.parity import compare_models, match_detections
from sinara_lib.errors import DataError
from sinara_lib.vision.model_pages import ModelCard
from small_network import NMS


@pytest.fixture
def images(card: ModelCard) -> list[NetworkImage]:
    return [noise_image(card.input_size, seed=seed) for seed in range(6)]


def damaged(path: Path, name: str) -> onnx.ModelProto:
    """The graph with another first number in one of its initializers."""
    model = onnx.load(path)
    one = next(each for each in model.graph.initializer if each.name == name)
    values = onnx.numpy_helper.to_array(one).copy()
    values.flat[0] += 0.5
    one.CopyFrom(onnx.numpy_helper.from_array(values, name))
    return model


def test_the_same_model_passes_with_detections_on_every_image(
    detector: nn.Module, onnx_file: Path, images: list[NetworkImage]
) -> None:
    done = compare_models(detector, onnx_file, nms=NMS, name="noise", images=images, most=5)
    assert len(done.rows) == 5
    assert all(row.passed and row.torch_detections > 10 for row in done.rows)
    assert [len(found) for found in (done.by_torch, done.by_onnx)] == [6, 6]


def test_slightly_other_weights_are_stopped(detector: nn.Module, onnx_file: Path, images: list[NetworkImage]) -> None:
    other = copy.deepcopy(detector)
    with torch.no_grad():
        other.bbox_head.multi_level_conv_obj[0].bias += 0.05
    with pytest.raises(
        DataError,
        match=r"nothing is published. Image noise: .*raw scores by .*"
        r"The first layer that differs is detector\.bbox_head\.multi_level_conv_obj\.0 ",
    ):
        compare_models(other, onnx_file, nms=NMS, name="noise", images=images)


def test_other_suppression_is_stopped(detector: nn.Module, onnx_file: Path, images: list[NetworkImage]) -> None:
    other = NMS.model_copy(update={"iou_threshold": 0.2})
    with pytest.raises(DataError, match=r"detections differ .*both raw outputs agree: suppression differs"):
        compare_models(detector, onnx_file, nms=other, name="noise", images=images)


@pytest.mark.parametrize(
    ("initializer", "layer"),
    [
        ("detector.backbone.stem.conv.conv.weight", "detector.backbone.stem.conv.bn"),
        ("detector.backbone.stage3.1.blocks.1.conv1.conv.weight", "detector.backbone.stage3.1.blocks.1.conv1.bn"),
        ("detector.neck.bottom_up_blocks.1.main_conv.conv.weight", "detector.neck.bottom_up_blocks.1.main_conv.bn"),
        ("detector.bbox_head.multi_level_conv_reg.2.bias", "detector.bbox_head.multi_level_conv_reg.2"),
    ],
)
def test_a_damaged_number_of_the_graph_is_traced_to_its_layer(
    detector: nn.Module, onnx_file: Path, images: list[NetworkImage], initializer: str, layer: str
) -> None:
    told = first_difference(detector, damaged(onnx_file, initializer), images[0].pixels)
    assert told.startswith(f"The first layer that differs is {layer} (off by ")


def test_a_damaged_decoding_is_told_from_a_damaged_layer(
    detector: nn.Module, onnx_file: Path, images: list[NetworkImage]
) -> None:
    stride = next(
        one.name
        for one in onnx.load(onnx_file).graph.initializer
        if one.data_type == onnx.TensorProto.FLOAT and not one.dims and onnx.numpy_helper.to_array(one) == 32.0
    )
    told = first_difference(detector, damaged(onnx_file, stride), images[0].pixels)
    assert "the decoding of boxes differs" in told


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
    assert match_detections(one(BOX, 0.8, 1), found, threshold=0.1)[0] == unmatched


def test_a_detection_at_the_bar_may_be_missing() -> None:
    assert match_detections(one(BOX, 0.1004, 1), NONE, threshold=0.1)[0] == 0
    assert match_detections(NONE, one(BOX, 0.1004, 1), threshold=0.1)[0] == 0
