"""The stem as one convolution: the same features as mmdet's Focus, and no slice left in the exported graph."""

from pathlib import Path

import onnx
import pytest
import torch
from torch import nn

from detector_export.export import RawDetector, StridedStem, with_strided_stem
from sinara_lib.vision.mmcv_ops import ensure_mmcv_ops


@pytest.mark.parametrize("size", [(64, 96), (32, 32), (160, 64)])
@pytest.mark.parametrize("bias", [True, False])
def test_one_convolution_gives_the_features_of_four_slices(size: tuple[int, int], bias: bool) -> None:
    ensure_mmcv_ops()
    from mmdet.models.backbones.csp_darknet import Focus

    torch.manual_seed(3)
    focus = Focus(3, 16, kernel_size=3, norm_cfg={"type": "BN"} if not bias else None).eval()
    nn.init.normal_(focus.conv.conv.weight)
    images = torch.rand(2, 3, *size) * 255

    with torch.no_grad():
        expected, found = focus(images), StridedStem(focus)(images)

    assert (focus.conv.conv.bias is not None) == bias
    assert found.shape == expected.shape == (2, 16, size[0] // 2, size[1] // 2)
    assert float((found - expected).abs().max()) < 1e-5 * float(expected.abs().max())


def test_the_detector_stays_as_it_was_and_its_copy_answers_the_same(detector: nn.Module) -> None:
    before = [type(module) for module in detector.modules()]
    images = torch.rand(1, 3, 64, 64) * 255
    changed = with_strided_stem(detector)

    with torch.no_grad():
        for expected, found in zip(RawDetector(detector)(images), RawDetector(changed)(images), strict=True):
            assert float((found - expected).abs().max()) < 1e-4 * float(expected.abs().max())
    assert [type(module) for module in detector.modules()] == before
    assert [name for name, _ in changed.named_parameters()] == [name for name, _ in detector.named_parameters()]


def test_the_exported_graph_takes_no_image_apart(onnx_file: Path) -> None:
    graph = onnx.load(onnx_file).graph
    assert {node.op_type for node in graph.node if "images" in node.input} == {"Conv", "Shape"}
