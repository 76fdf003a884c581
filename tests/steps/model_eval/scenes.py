"""Small test sets with random boxes, and detectors that are more or less good at them."""

from pathlib import Path
from typing import Any

import numpy as np

from sinara_lib.vision.coco import CocoDataset, parse_coco
from sinara_lib.vision.coco_archive import FolderFiles, Split

SIDE = 320
CLASSES = ("person", "bicycle", "car")


def random_truth(seed: int, *, images: int = 20, crowds: bool = True) -> CocoDataset:
    """Images with up to six boxes of all COCO sizes; some crowds."""
    rng = np.random.default_rng(seed)
    annotations: list[dict[str, Any]] = []
    for image in range(1, images + 1):
        for _ in range(rng.integers(0, 7)):
            width, height = np.exp(rng.uniform(np.log(6), np.log(220), 2))
            x, y = rng.uniform(0, SIDE - width), rng.uniform(0, SIDE - height)
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": image,
                    "category_id": int(rng.integers(1, len(CLASSES) + 1)),
                    "bbox": [float(x), float(y), float(width), float(height)],
                    "area": float(width * height * rng.uniform(0.5, 1)),
                    "iscrowd": int(crowds and rng.random() < 0.1),
                }
            )
    return document(annotations, images=images)


def document(annotations: list[dict[str, Any]], *, images: int) -> CocoDataset:
    """A checked dataset of square images with these annotations."""
    return parse_coco(
        {
            "images": [
                {"id": i, "file_name": f"{i:04}.jpg", "width": SIDE, "height": SIDE} for i in range(1, images + 1)
            ],
            "annotations": annotations,
            "categories": [{"id": i, "name": name} for i, name in enumerate(CLASSES, start=1)],
        },
        where="test",
    )


def random_predictions(truth: CocoDataset, seed: int) -> list[dict[str, Any]]:
    """Most objects found, shifted a little, some taken for another class, and false detections beside them."""
    rng = np.random.default_rng(seed)
    found = []
    for one in truth.annotations:
        if rng.random() < 0.8:
            box = np.array(one.bbox) + rng.normal(0, 0.08, 4) * np.array(one.bbox)[[2, 3, 2, 3]]
            label = one.category_id if rng.random() < 0.9 else int(rng.integers(1, len(CLASSES) + 1))
            found.append(prediction(one.image_id, label, box.tolist(), rng.uniform(0.2, 1)))
    for image in truth.images:
        for _ in range(rng.integers(0, 4)):
            box = [*rng.uniform(0, 250, 2), *rng.uniform(5, 70, 2)]
            found.append(prediction(image.id, int(rng.integers(1, len(CLASSES) + 1)), box, rng.uniform(0, 0.6)))
    return found


def perfect_predictions(truth: CocoDataset) -> list[dict[str, Any]]:
    """Each object, exactly."""
    return [prediction(one.image_id, one.category_id, list(one.bbox), 0.9) for one in truth.annotations]


def prediction(image: int, category: int, box: list[float], score: float) -> dict[str, Any]:
    """One COCO result."""
    return {
        "image_id": image,
        "category_id": category,
        "bbox": [float(side) for side in box],
        "score": float(score),
    }


def split_in(folder: Path, dataset: CocoDataset) -> Split:
    """Return the test split whose files lie in a folder."""
    return Split("test", str(folder), FolderFiles(folder), dataset)
