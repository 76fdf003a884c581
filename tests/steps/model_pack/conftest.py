"""A small real YOLOX-Nano with fixed random weights, its export and its bento, made once for all tests."""

import json
from datetime import datetime, timezone
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from detector_export import ModelCard, export_detector, load_detector
from service_packing import find_test_image, lay_out_service, write_expected_result, write_requirements
from small_network import CLASSES, INPUT_SIZE, MIN_SCORE, NMS, make_lively
from torch import nn

from sinara_lib.bento import save_bentoservice
from sinara_lib.layout import StepAddress
from sinara_lib.manifest import Producer, RunRecord, RunStatus
from sinara_lib.store import store_at
from sinara_lib.vision.mmcv_ops import ensure_mmcv_ops


@pytest.fixture(scope="session")
def inference_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What model_train publishes, for a network that was never trained but finds plenty of objects."""
    ensure_mmcv_ops()
    import mmdet
    from mmdet.utils import register_all_modules
    from mmengine.config import Config
    from mmengine.registry import MODELS

    folder = tmp_path_factory.mktemp("inference_files")
    torch.set_num_threads(1)
    register_all_modules(init_default_scope=True)
    config = Config.fromfile(str(Path(mmdet.__file__).parent / ".mim/configs/yolox/yolox_nano_8xb8-300e_coco.py"))
    config.model.bbox_head.num_classes = len(CLASSES)
    config.dump(str(folder / "config.py"))
    torch.manual_seed(7)
    detector = MODELS.build(config.model)
    make_lively(detector)
    checkpoint = {"state_dict": detector.state_dict(), "meta": {"dataset_meta": {"classes": list(CLASSES)}}}
    for name in ("best.pth", "last.pth"):
        torch.save(checkpoint, folder / name)
    card = {
        "model_name": "yolox_nano",
        "input_size": list(INPUT_SIZE),
        "classes": list(CLASSES),
        "category_ids": [1, 2, 3],
        "run_id": "run-26-01-02-030405-678",
        "dataset_run": "run-26-01-02-030405-000",
        "best_is": "start",
        "scores": {},
    }
    (folder / "model.json").write_text(json.dumps(card), encoding="utf-8")
    picture = np.random.default_rng(3).integers(0, 256, (120, 200, 3), dtype=np.uint8)
    cv2.imwrite(str(folder / "eval_image.png"), cv2.GaussianBlur(picture, (0, 0), 4))
    return folder


@pytest.fixture(scope="session")
def card(inference_files: Path) -> ModelCard:
    """The model card of the small network."""
    return ModelCard.load(inference_files)


@pytest.fixture(scope="session")
def detector(inference_files: Path) -> nn.Module:
    """The small network in PyTorch."""
    return load_detector(inference_files)


@pytest.fixture(scope="session")
def onnx_file(detector: nn.Module, card: ModelCard, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small network as ONNX."""
    path = tmp_path_factory.mktemp("onnx") / "model.onnx"
    export_detector(detector, path, card=card, nms=NMS, metadata={"run_id": card.run_id})
    return path


@pytest.fixture(scope="session")
def service_folder(
    onnx_file: Path, card: ModelCard, inference_files: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The folder that becomes the bento, with its expected result."""
    folder = lay_out_service(
        tmp_path_factory.mktemp("packed") / "service",
        model=onnx_file,
        card=card,
        test_image=find_test_image(inference_files),
        version="run-26-01-02-040506-789",
        min_score=MIN_SCORE,
    )
    write_requirements(folder, onnxruntime_package="onnxruntime")
    write_expected_result(folder)
    return folder


@pytest.fixture(scope="session")
def bento_url(service_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The published bento_service entity."""
    store = store_at(str(tmp_path_factory.mktemp("bentos")))
    now = datetime.now(timezone.utc)
    record = RunRecord(run_id="", status=RunStatus.RUNNING, started=now, producer=Producer(library="test"))
    run = store.start_run(StepAddress("obj_detect_rest", "test", "model_pack"), record, now=now)
    url = store.url_of(run.entity("bento_service"))
    save_bentoservice(service_folder, url, version="run-26-01-02-040506-789", labels={"model_run": "run-x"})
    return url
