"""The published YOLOX-Nano, exported and packed, still scores on real images what it scores as it is."""

import json
import logging
import zipfile
from pathlib import Path

import pytest
import torch

from dataset_checks.classes import map_classes
from detection_scores.scoring import score_detections
from detector_export.export import export_detector
from detector_export.images import noise_image, open_fitting_split, prepare_image
from detector_export.model_card import load_detector
from export_checks.parity import compare_models
from export_checks.proof import prove_equal
from export_checks.variants import check_loss, measure_variants, variants_table, write_variant
from pack_params import NmsSettings, PackParams, PrecisionName
from service_packing import lay_out_service
from sinara_lib.archive import pack
from sinara_lib.isolation import isolated_modules
from sinara_lib.store import store_at
from sinara_lib.vision.coco import CocoDataset, parse_coco, save_coco, select_images
from sinara_lib.vision.coco_archive import Split
from sinara_lib.vision.model_pages import ModelCard
from small_network import started_run

ROAD = ("person", "bicycle", "car", "motorcycle", "bus", "truck")
SIZE = (416, 416)


@pytest.fixture(scope="module")
def road(real_data: Path) -> CocoDataset:
    with zipfile.ZipFile(real_data / "coco-mini" / "annotations_trainval2017.zip") as zipped:
        text = zipped.read("annotations/instances_val2017.json")
    return map_classes(parse_coco(json.loads(text), where="coco-mini"), ROAD)


@pytest.fixture(scope="module")
def images(real_data: Path) -> zipfile.ZipFile:
    return zipfile.ZipFile(real_data / "coco-mini" / "val2017.zip")


@pytest.fixture(scope="module")
def files(real_data: Path, inference_files: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The published weights with their channels of the six road classes, as model_train would publish them."""
    from mmengine.config import Config

    folder = tmp_path_factory.mktemp("published")
    config = Config.fromfile(str(inference_files / "config.py"))
    config.model.bbox_head.num_classes = len(ROAD)
    config.dump(str(folder / "config.py"))
    checkpoint = torch.load(next(real_data.glob("yolox_nano*.pth")), weights_only=True, map_location="cpu")
    names = checkpoint["meta"]["dataset_meta"]["classes"]
    rows = [names.index(name) for name in ROAD]
    state = {k: v[rows] if "multi_level_conv_cls" in k else v for k, v in checkpoint["state_dict"].items()}
    torch.save({"state_dict": state}, folder / "best.pth")
    card = {"model_name": "yolox_nano", "input_size": SIZE, "classes": ROAD, "category_ids": list(range(1, 7))}
    (folder / "model.json").write_text(json.dumps({**card, "run_id": "run-m", "dataset_run": "run-d"}))
    return folder


@pytest.fixture(scope="module")
def exported(files: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("exported") / "model.onnx"
    export_detector(load_detector(files), path, card=ModelCard.load(files), nms=NmsSettings(), metadata={})
    return path


def test_both_models_agree_on_real_images(
    files: Path, exported: Path, road: CocoDataset, images: zipfile.ZipFile
) -> None:
    batch = [noise_image(SIZE, seed=0)]
    for image in road.images[:16]:
        batch.append(prepare_image(images.read(f"val2017/{image.file_name}"), image.file_name, size=SIZE))
    done = compare_models(load_detector(files), exported, nms=NmsSettings(), name="photographs", images=batch)
    assert sum(row.onnx_detections for row in done.rows) > 200


def test_the_packed_detector_scores_what_its_weights_are_known_for(
    files: Path, exported: Path, road: CocoDataset, images: zipfile.ZipFile, tmp_path: Path
) -> None:
    test_image = tmp_path / "eval_image.jpg"
    test_image.write_bytes(images.read(f"val2017/{road.images[0].file_name}"))
    card = ModelCard.load(files)
    folder = lay_out_service(
        tmp_path / "service", model=exported, card=card, test_image=test_image, version="run-x", min_score=0.25
    )
    with isolated_modules(folder):
        from rest_service.detector import Detector

        packed = Detector(folder / "artifacts", threads=2)
    predictions = [
        {"image_id": image.id, **{key: one[key] for key in ("category_id", "bbox", "score")}}
        for image in road.images
        for one in packed.predict(images.read(f"val2017/{image.file_name}"), min_score=0.0)["annotations"]
    ]
    scores = score_detections(road, predictions)
    assert scores.coco["AP50"] == pytest.approx(0.42, abs=0.005)


@pytest.fixture(scope="module")
def splits(
    files: Path, road: CocoDataset, images: zipfile.ZipFile, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Split, Split]:
    """Half of the photographs to calibrate on, half to score on."""
    opened, card = [], ModelCard.load(files)
    for name, chosen in (("train", road.images[::2]), ("eval", road.images[1::2])):
        folder = tmp_path_factory.mktemp(name) / "split"
        (folder / "images").mkdir(parents=True)
        for image in chosen:
            (folder / "images" / image.file_name).write_bytes(images.read(f"val2017/{image.file_name}"))
        save_coco(select_images(road, [image.id for image in chosen]), folder / "annotations.json")
        store = store_at(str(folder.parent / "store"))
        url = store.url_of(started_run(store, "data_prep").entity(f"coco_{name}_dataset"))
        pack(folder, url)
        opened.append(open_fitting_split(url, name, card=card))
    return opened[0], opened[1]


def test_the_proof_holds_on_photographs_and_smaller_variants_keep_the_score(
    files: Path, exported: Path, splits: tuple[Split, Split], images: zipfile.ZipFile
) -> None:
    train, evaluate = splits
    card, test_image = ModelCard.load(files), exported.with_name("eval_image.jpg")
    test_image.write_bytes(images.read(f"val2017/{evaluate.dataset.images[0].file_name}"))
    detector = load_detector(files)
    proof = prove_equal(
        detector, exported, card=card, nms=NmsSettings(), test_image=test_image, evaluate=evaluate, noise_seed=0
    )
    assert [len(one.rows) for one in proof.comparisons] == [1, 64, 1]
    assert proof.onnx_ap.ap > 0.25
    names: tuple[PrecisionName, ...] = ("fp32", "fp16", "int8")
    paths = {name: write_variant(exported, name, train=train, size=SIZE) for name in names}
    variants = measure_variants(paths, fp32_scores=proof.onnx_ap, evaluate=evaluate, size=SIZE)
    logging.getLogger(__name__).info("%s", variants_table(variants).data)
    check_loss(variants[:2], max_ap_loss=0.002)
    check_loss(variants, max_ap_loss=PackParams().max_ap_loss)
    megabytes = [one.megabytes for one in variants]
    assert megabytes[1] < 0.55 * megabytes[0]
    assert megabytes[2] < 0.45 * megabytes[0]
