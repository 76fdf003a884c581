"""pretrained_weights: class channels are matched by name, and a wrong file is refused with a reason."""

from pathlib import Path
from typing import Any

import pytest
import torch
from mmdet.registry import MODELS
from mmdet.utils import register_all_modules
from torch import nn

from detector_training.config import TrainingPlace, build_config
from pretrained_weights.fitting import CLASS_LAYERS, fit_weights, load_checkpoint
from sinara_lib.errors import DataError
from train_params import FINE_TUNE, TrainParams

THEIRS = ("cat", "car", "dog", "person")


def _network(classes: tuple[str, ...], seed: int, model_name: str = "yolox_nano") -> nn.Module:
    register_all_modules(init_default_scope=True)
    torch.manual_seed(seed)
    params = TrainParams(model_name=model_name, input_size=[64, 64])
    config = build_config(params, FINE_TUNE, classes=classes, train_images=8, place=TrainingPlace("t", "e", "w"))
    network = MODELS.build(config.model)
    network.init_weights()
    return network.eval()


@pytest.fixture(scope="module")
def saved_network() -> nn.Module:
    """A network with three classes."""
    return _network(THEIRS, seed=1)


def _saved(network: nn.Module, path: Path, meta: dict[str, Any]) -> Path:
    torch.save({"state_dict": network.state_dict(), "meta": meta}, path)
    return path


def _class_scores(network: nn.Module, pixels: torch.Tensor) -> list[torch.Tensor]:
    with torch.no_grad():
        return list(network.bbox_head(network.extract_feat(pixels))[0])


@pytest.mark.parametrize(
    "meta",
    [{"dataset_meta": {"classes": list(THEIRS)}}, {"dataset_meta": {"CLASSES": THEIRS}}, {"CLASSES": THEIRS}],
    ids=["mmdet_3", "mmengine_upper_case", "mmdet_2"],
)
def test_each_kept_class_scores_as_it_did_in_the_pretrained_network(tmp_path: Path, meta: dict[str, Any]) -> None:
    pretrained, ours = _network(THEIRS, seed=1), ("person", "bus", "car")
    checkpoint = load_checkpoint(_saved(pretrained, tmp_path / "weights.pth", meta))
    network = _network(ours, seed=2)
    untouched = network.state_dict()[f"{CLASS_LAYERS}0.weight"][1].clone()

    report = fit_weights(network.state_dict(), checkpoint, ours, model_name="yolox_nano")

    assert (report.kept_classes, report.new_classes) == (("person", "car"), ("bus",))
    assert report.dropped_classes == ("cat", "dog")
    pixels = torch.rand(1, 3, 64, 64) * 255
    for found, expected in zip(_class_scores(network, pixels), _class_scores(pretrained, pixels), strict=True):
        torch.testing.assert_close(found[:, [0, 2]], expected[:, [3, 1]])
    assert torch.equal(network.state_dict()[f"{CLASS_LAYERS}0.weight"][1], untouched)
    assert network.state_dict()[f"{CLASS_LAYERS}0.bias"][1].item() == pytest.approx(-4.595, abs=1e-3)


def test_a_checkpoint_as_mmengine_writes_it_in_training_is_read_without_its_log(tmp_path: Path) -> None:
    from mmengine.logging import HistoryBuffer

    network = _network(THEIRS, seed=1)
    path, log = tmp_path / "epoch_1.pth", {"log_scalars": {"train/loss": HistoryBuffer([5.0, 4.0], [1, 1])}}
    meta = {"dataset_meta": {"classes": THEIRS}, "epoch": 1}
    torch.save({"state_dict": network.state_dict(), "meta": meta, "message_hub": log, "optimizer": {}}, path)

    checkpoint = load_checkpoint(path)

    assert (checkpoint.classes, checkpoint.origin) == (THEIRS, "MMDetection")
    assert all(torch.equal(checkpoint.weights[key], value) for key, value in network.state_dict().items())


def test_prefixes_of_parallel_training_and_copies_of_an_average_are_taken_off(tmp_path: Path) -> None:
    network = _network(THEIRS, seed=1)
    prefixed = {f"module.{key}": value for key, value in network.state_dict().items()}
    averaged = {f"ema_{key.replace('.', '_')}": value + 1 for key, value in network.state_dict().items()}
    torch.save({"state_dict": {**prefixed, **averaged}, "meta": {"CLASSES": THEIRS}}, tmp_path / "weights.pth")

    weights = load_checkpoint(tmp_path / "weights.pth").weights

    assert weights.keys() == network.state_dict().keys()
    assert all(torch.equal(weights[key], value) for key, value in network.state_dict().items())


def test_eighty_channels_without_names_are_taken_for_coco(tmp_path: Path) -> None:
    network = _network(tuple(map(str, range(80))), seed=1)

    checkpoint = load_checkpoint(_saved(network, tmp_path / "weights.pth", {}))

    assert checkpoint.classes_assumed
    assert (len(checkpoint.classes), checkpoint.classes[0], checkpoint.classes[79]) == (80, "person", "toothbrush")


def test_any_other_head_without_names_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not name its 4 classes"):
        load_checkpoint(_saved(_network(THEIRS, seed=1), tmp_path / "weights.pth", {}))


@pytest.mark.parametrize(
    ("meta", "says"),
    [
        ([1], "its `meta` is list, no mapping"),
        ({"dataset_meta": "x"}, "its `dataset_meta` is str, no mapping"),
        ({1: 2, "classes": 3}, "names its classes by no list of texts"),
        ({"CLASSES": [1, 2, 3]}, "names its classes by no list of texts"),
    ],
)
def test_facts_of_another_kind_in_a_checkpoint_are_refused(
    saved_network: nn.Module, tmp_path: Path, meta: Any, says: str
) -> None:
    with pytest.raises(DataError, match=rf"weights\.pth.*{says}"):
        load_checkpoint(_saved(saved_network, tmp_path / "weights.pth", meta))


def test_a_checkpoint_of_another_network_is_refused_with_its_layers_and_its_name(tmp_path: Path) -> None:
    meta = {"dataset_meta": {"classes": THEIRS}}
    checkpoint = load_checkpoint(_saved(_network(THEIRS, 1, "yolox_tiny"), tmp_path / "weights.pth", meta))

    with pytest.raises(DataError, match=r"backbone\.stem\.conv\.conv\.weight \[24, 12, 3, 3\].*looks like yolox_tiny"):
        fit_weights(_network(THEIRS, seed=2).state_dict(), checkpoint, THEIRS, model_name="yolox_nano")


class _Bomb:
    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return open, ("executed.txt", "w")  # type: ignore[return-value]


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "before_torch_1_6"])
def test_code_in_a_checkpoint_is_not_executed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, zipped: bool) -> None:
    monkeypatch.chdir(tmp_path)
    document = {"state_dict": {}, "meta": _Bomb()}
    torch.save(document, tmp_path / "bomb.pth", _use_new_zipfile_serialization=zipped)

    with pytest.raises(DataError, match=r"plain weights: it asks for (io|_io)\.open, and nothing"):
        load_checkpoint(tmp_path / "bomb.pth")
    assert not (tmp_path / "executed.txt").exists()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"<html>not found</html>", "cannot be read as a checkpoint"),
        ({"state_dict": {"conv.weight": torch.zeros(1)}}, "is not a checkpoint of YOLOX.*begin with conv.weight"),
        ({"state_dict": {}}, "holds no `state_dict`"),
        ({"state_dict": {"epoch": 3}}, "of tensors"),
        ([1, 2], "holds a list, no `state_dict`"),
    ],
)
def test_a_file_that_is_no_yolox_checkpoint_is_refused(tmp_path: Path, content: Any, says: str) -> None:
    path = tmp_path / "weights.pth"
    path.write_bytes(content) if isinstance(content, bytes) else torch.save(content, path)

    with pytest.raises(DataError, match=says):
        load_checkpoint(path)
