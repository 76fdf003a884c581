"""A real YOLOX-Nano with fixed random weights that finds plenty of objects, how it is asked, saved and published."""

import json
from datetime import datetime, timezone
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import nn

from pack_params import NmsSettings
from sinara_lib.bento.service import save_bentoservice
from sinara_lib.layout import RunAddress, StepAddress
from sinara_lib.store import ArtifactStore, store_at
from sinara_lib.store.manifest import Producer, RunRecord, RunStatus
from sinara_lib.vision.mmcv_ops import ensure_mmcv_ops

CLASSES = ("person", "bicycle", "car")
INPUT_SIZE = (96, 128)
MIN_SCORE = 0.465
COMMIT = "0123456789abcdef0123456789abcdef01234567"
NMS = NmsSettings(score_threshold=0.2, keep_top_k=50)
CARD = {
    "model_name": "yolox_nano",
    "input_size": list(INPUT_SIZE),
    "classes": list(CLASSES),
    "category_ids": [1, 2, 3],
    "run_id": "run-26-01-02-030405-678",
    "dataset_run": "run-26-01-02-030405-000",
    "best_is": "start",
    "scores": {},
}


def make_lively(detector: nn.Module) -> None:
    """Spread the scores wide, so that thresholds, ranking and suppression all have work to do."""
    generator = torch.Generator().manual_seed(11)
    head = detector.bbox_head
    for convs, spread in (
        (head.multi_level_conv_cls, 3.0),
        (head.multi_level_conv_obj, 3.0),
        (head.multi_level_conv_reg, 0.6),
    ):
        for conv in convs:
            nn.init.normal_(conv.weight, std=spread, generator=generator)
            nn.init.normal_(conv.bias, std=0.5, generator=generator)


def save_small_network(folder: Path) -> None:
    """Write what model_train publishes: configuration, checkpoints, model card and one image."""
    ensure_mmcv_ops()
    import mmdet
    from mmdet.utils import register_all_modules
    from mmengine.config import Config
    from mmengine.registry import MODELS

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
    (folder / "model.json").write_text(json.dumps(CARD), encoding="utf-8")
    picture = np.random.default_rng(3).integers(0, 256, (120, 200, 3), dtype=np.uint8)
    cv2.imwrite(str(folder / "eval_image.png"), cv2.GaussianBlur(picture, (0, 0), 4))


def publish_service(service_folder: Path, root: str) -> str:
    """Publish the service's folder as a run of model_pack would, and give the entity's URL."""
    store = store_at(root)
    url = store.url_of(started_run(store, "model_pack").entity("bento_service"))
    save_bentoservice(service_folder, url, version="run-26-01-02-040506-789", labels={"model_run": "run-x"})
    return url


def started_run(store: ArtifactStore, step: str) -> RunAddress:
    """Start a run of a step, to publish in."""
    now = datetime.now(timezone.utc)
    record = RunRecord(
        run_id="", status=RunStatus.RUNNING, started=now, producer=Producer(library="test", commit=COMMIT)
    )
    return store.start_run(StepAddress("obj_detect_rest", "test", step), record, now=now)
