"""detector_training on real COCO images with real YOLOX-Nano weights."""

import json
import zipfile
from pathlib import Path, PurePosixPath

import pytest
import torch

from dataset_checks.classes import map_classes
from detector_training.training import train_detector
from pretrained_weights.fitting import load_checkpoint
from pretrained_weights.megvii_names import mmdet_name
from sinara_lib.vision.coco import CocoDataset, parse_coco, save_coco, select_images
from sinara_lib.vision.coco_archive import Split, open_split
from train_params import TrainParams

ROAD_CLASSES = ["person", "bicycle", "car", "motorcycle", "bus", "truck"]
WEIGHTS = "yolox_nano_416_coco-bdeee7ae.pth"
NANO = TrainParams(model_name="yolox_nano", input_size=[416, 416], epochs=1, batch_size=4)


def _road_scenes(real_data: Path) -> CocoDataset:
    with zipfile.ZipFile(real_data / "coco-mini" / "annotations_trainval2017.zip") as archive:
        document = json.loads(archive.read("annotations/instances_val2017.json"))
    chosen = map_classes(parse_coco(document, where="coco-mini"), ROAD_CLASSES)
    kinds = {image.id: {one.category_id for one in chosen.annotations_of(image.id)} for image in chosen.images}
    return select_images(chosen, {image_id for image_id, kind in kinds.items() if len(kind) >= 2})


def _unpacked(dataset: CocoDataset, real_data: Path, folder: Path) -> Split:
    (folder / "images").mkdir(parents=True)
    with zipfile.ZipFile(real_data / "coco-mini" / "val2017.zip") as archive:
        members = {PurePosixPath(name).name: name for name in archive.namelist()}
        for image in dataset.images:
            (folder / "images" / image.file_name).write_bytes(archive.read(members[image.file_name]))
    save_coco(dataset, folder / "annotations.json")
    return open_split(folder, folder.name)


@pytest.fixture(scope="module")
def splits(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Split, Split]:
    folder, scenes = tmp_path_factory.mktemp("real"), _road_scenes(real_data)
    ids = [image.id for image in scenes.images]
    train, evaluate = select_images(scenes, set(ids[:20])), select_images(scenes, set(ids[20:36]))
    return _unpacked(train, real_data, folder / "train"), _unpacked(evaluate, real_data, folder / "eval")


def test_pretrained_classes_detect_before_any_training_and_a_gentle_epoch_keeps_that(
    splits: tuple[Split, Split], real_data: Path, tmp_path: Path
) -> None:
    result = train_detector(NANO, train=splits[0], evaluate=splits[1], weights=real_data / WEIGHTS, work=tmp_path)

    assert result.fit is not None
    assert result.fit.kept_classes == tuple(ROAD_CLASSES)
    assert (result.fit.new_classes, len(result.fit.dropped_classes), result.fit.unused_layers) == ((), 74, ())
    assert result.start["AP50"] > 0.3
    assert result.last["AP50"] > result.start["AP50"] - 0.05
    assert result.best["AP"] >= result.start["AP"]


def test_a_careless_fine_tune_is_not_published(splits: tuple[Split, Split], real_data: Path, tmp_path: Path) -> None:
    careless = NANO.model_copy(update={"recipe": "from_scratch", "learning_rate": 0.05, "epochs": 2})

    result = train_detector(careless, train=splits[0], evaluate=splits[1], weights=real_data / WEIGHTS, work=tmp_path)

    published, start = (torch.load(path, weights_only=True) for path in (result.best_path, tmp_path / "start.pth"))
    assert result.last["AP"] < result.start["AP"] - 0.1
    assert (result.best_is, result.best) == ("start", result.start)
    assert all(torch.equal(published["state_dict"][key], start["state_dict"][key]) for key in start["state_dict"])


def test_the_same_weights_under_megviis_names_are_the_same_start(real_data: Path, tmp_path: Path) -> None:
    golden = Path(__file__).parents[3] / "golden" / "megvii_yolox.json"
    original = load_checkpoint(real_data / WEIGHTS)
    renamed = {name: original.weights[mmdet_name(name)] for name in json.loads(golden.read_text())["yolox_nano"]}
    torch.save({"start_epoch": 300, "model": renamed, "optimizer": {}}, tmp_path / "yolox_nano.pth")

    loaded = load_checkpoint(tmp_path / "yolox_nano.pth")

    assert (loaded.origin, loaded.classes, loaded.classes_assumed) == ("Megvii's YOLOX", original.classes, True)
    assert loaded.weights.keys() == original.weights.keys()
    assert all(torch.equal(loaded.weights[key], value) for key, value in original.weights.items())
