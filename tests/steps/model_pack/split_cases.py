"""Splits as data_prep publishes them, whose objects are what the small network finds: so it scores well on them."""

import json
from pathlib import Path

import cv2
import numpy as np
from torch import nn

from detector_export.images import prepare_image
from export_checks.outputs import run_torch
from sinara_lib.archive import pack
from sinara_lib.store import store_at
from sinara_lib.vision.letterbox import boxes_to_original
from sinara_lib.vision.model_pages import ModelCard
from small_network import MIN_SCORE, NMS, started_run

WIDTH, HEIGHT = 200, 120
SURE = MIN_SCORE
"""What the network scores at least so is an object."""


def publish_split(detector: nn.Module, card: ModelCard, folder: Path, *, images: int, seed: int) -> str:
    """Draw blurred noise, take what the network finds as the truth, publish both; returns the archive's URL."""
    rng = np.random.default_rng(seed)
    (folder / "images").mkdir(parents=True)
    records, annotations = [], []
    for number in range(1, images + 1):
        picture = cv2.GaussianBlur(rng.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8), (0, 0), 4)
        data = cv2.imencode(".png", picture)[1].tobytes()
        (folder / "images" / f"{number}.png").write_bytes(data)
        records.append({"id": number, "file_name": f"{number}.png", "width": WIDTH, "height": HEIGHT})
        image = prepare_image(data, f"{number}.png", size=card.input_size)
        found = run_torch(detector, image.pixels, NMS).found
        corners = boxes_to_original(found.boxes, image.place.scale, WIDTH, HEIGHT).tolist()
        for (x, y, x2, y2), score, label in zip(corners, found.scores, found.labels, strict=True):
            if score >= SURE and x2 > x and y2 > y:
                box, one = [x, y, x2 - x, y2 - y], len(annotations) + 1
                category = card.category_ids[label]
                annotations.append({"id": one, "image_id": number, "category_id": category, "bbox": box, "iscrowd": 0})
    categories = [{"id": i, "name": name} for i, name in zip(card.category_ids, card.classes, strict=True)]
    document = {"images": records, "annotations": annotations, "categories": categories}
    (folder / "annotations.json").write_text(json.dumps(document), encoding="utf-8")
    store = store_at(str(folder.with_name(f"{folder.name}_store")))
    url = store.url_of(started_run(store, "data_prep").entity("coco_eval_dataset"))
    pack(folder, url)
    return url
