"""megvii_names: the layers of Megvii's network are those of MMDetection's, proven by what both compute."""

import json
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from mmdet.registry import MODELS
from mmdet.utils import register_all_modules
from torch import nn

from detector_training.config import TrainingPlace, build_config
from pretrained_weights.fitting import Weights, fit_weights, load_checkpoint
from pretrained_weights.megvii_names import are_megvii_names, mmdet_name
from train_params import FINE_TUNE, ModelName, TrainParams

GOLDEN = json.loads((Path(__file__).parents[3] / "golden" / "megvii_yolox.json").read_text())
"""Names and shapes of the layers of Megvii's own network, and what it computes; `made_with` says by which code."""
CLASSES = ("person", "car", "bus")
OUTPUTS = ("cls_preds", "reg_preds", "obj_preds")


def _network(model_name: ModelName, classes: int) -> nn.Module:
    register_all_modules(init_default_scope=True)
    params, place = TrainParams(model_name=model_name, input_size=[64, 64]), TrainingPlace("t", "e", "w")
    names = tuple(map(str, range(classes)))
    network: nn.Module = MODELS.build(build_config(params, FINE_TUNE, classes=names, train_images=8, place=place).model)
    return network.eval()


def _filled(layers: dict[str, list[int]]) -> Weights:
    """Numbers that follow from the layer's name, of a size that neither fades nor grows from layer to layer."""
    weights = {}
    for name, shape in layers.items():
        values = np.random.default_rng(zlib.crc32(name.encode())).random(shape, dtype=np.float64)
        if name.endswith(("running_var", "bn.weight")):
            values = values + 0.5
        elif not name.endswith("num_batches_tracked"):
            values = (values - 0.5) * (12 / max(1, int(np.prod(shape[1:])))) ** 0.5
        weights[name] = torch.from_numpy(np.asarray(values, dtype=np.float32))
    return weights


def test_a_file_of_megvii_computes_what_megviis_own_network_computes(tmp_path: Path) -> None:
    megvii, named = _filled(GOLDEN["yolox_nano"]), {"dataset_meta": {"classes": CLASSES}}
    document = {
        "start_epoch": 3,
        "model": megvii,
        "optimizer": {"state": {}},
        "best_ap": np.float64(0.3),
        "meta": named,
    }
    torch.save(document, tmp_path / "best_ckpt.pth")
    network = _network("yolox_nano", len(CLASSES))

    checkpoint = load_checkpoint(tmp_path / "best_ckpt.pth")
    report = fit_weights(network.state_dict(), checkpoint, CLASSES, model_name="yolox_nano")

    assert (report.origin, report.kept_classes, report.unused_layers) == ("Megvii's YOLOX", CLASSES, ())
    pixels = torch.from_numpy(np.random.default_rng(0).random((1, 3, 64, 64)).astype(np.float32) * 255)
    with torch.no_grad():
        found = network.bbox_head(network.extract_feat(pixels))
    for name, levels in zip(OUTPUTS, found, strict=True):
        for level, expected in zip(levels, GOLDEN["outputs_of_yolox_nano"][name], strict=True):
            np.testing.assert_allclose(level.flatten().numpy(), expected, atol=1e-4)


@pytest.mark.parametrize("model_name", ["yolox_nano", "yolox_s"])
def test_every_layer_finds_one_of_its_own_shape(model_name: ModelName) -> None:
    with torch.device("meta"):
        ours = {key: list(value.shape) for key, value in _network(model_name, 3).state_dict().items()}
    theirs = {mmdet_name(name): shape for name, shape in GOLDEN[model_name].items()}

    assert len(theirs) == len(GOLDEN[model_name])
    assert {key: ours.get(key) for key in theirs} == theirs
    assert {key for key in ours if key.endswith("conv.weight")} <= theirs.keys()


def test_names_of_mmdetection_and_of_other_networks_stay_as_they_are() -> None:
    names = ["backbone.stem.conv.conv.weight", "bbox_head.multi_level_conv_cls.0.bias", "roi_head.fc.weight"]

    assert [mmdet_name(name) for name in names] == names
    assert not are_megvii_names(names)
