"""A dataset that a detector can be trained on in seconds: bright boxes and discs on grey."""

from pathlib import Path

import cv2
import numpy as np

from sinara_lib.vision.coco import CocoAnnotation, CocoCategory, CocoDataset, CocoImage, save_coco
from sinara_lib.vision.coco_archive import Split, open_split

CLASSES = ("person", "car")
SIDE = 64


def draw_split(folder: Path, name: str, *, images: int, seed: int, classes: tuple[str, ...] = CLASSES) -> Split:
    """Draw `images` pictures with one object of each class and save them as data_prep would."""
    rng = np.random.default_rng(seed)
    (folder / "images").mkdir(parents=True)
    records, annotations = [], []
    for number in range(1, images + 1):
        picture = rng.integers(90, 130, (SIDE, SIDE, 3), dtype=np.uint8)
        for category, left in ((1, 4), (2, 34)):
            x, y, side = left + int(rng.integers(0, 6)), int(rng.integers(2, 38)), int(rng.integers(14, 22))
            colour = (20, 20, 230) if category == 1 else (230, 200, 20)
            cv2.rectangle(picture, (x, y), (x + side, y + side), colour, -1)
            box = (float(x), float(y), float(side), float(side))
            annotations.append(CocoAnnotation(len(annotations) + 1, number, category, box, area=float(side * side)))
        cv2.imwrite(str(folder / "images" / f"{number}.png"), picture)
        records.append(CocoImage(number, f"{number}.png", SIDE, SIDE))
    categories = tuple(CocoCategory(place, one) for place, one in enumerate(classes, start=1))
    save_coco(CocoDataset(tuple(records), tuple(annotations), categories), folder / "annotations.json")
    return open_split(folder, name)
