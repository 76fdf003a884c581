"""On real COCO annotations, all 80 classes with their crowds and tiny objects, every number equals pycocotools'."""

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from coco_oracle import official
from detection_scores.scoring import score_detections
from sinara_lib.vision.coco import CocoDataset, parse_coco

NAMES = "AP AP50 AP75 APsmall APmedium APlarge AR1 AR10 AR100 ARsmall ARmedium ARlarge".split()


@pytest.fixture(scope="module")
def truth(real_data: Path) -> CocoDataset:
    with zipfile.ZipFile(real_data / "coco-mini" / "annotations_trainval2017.zip") as archive:
        (name,) = (name for name in archive.namelist() if "instances" in name)
        return parse_coco(json.loads(archive.read(name)), where=name)


def shaken(truth: CocoDataset) -> list[dict]:
    """Each object found up to three times, boxes off by some percent, one in ten of another class."""
    rng = np.random.default_rng(1)
    found = []
    for one in truth.annotations:
        for _ in range(rng.integers(0, 4)):
            box = np.array(one.bbox) + rng.normal(0, 0.06, 4) * np.array(one.bbox)[[2, 3, 2, 3]]
            label = one.category_id if rng.random() < 0.9 else int(rng.choice(truth.category_ids))
            row = {"image_id": one.image_id, "category_id": label, "bbox": box.tolist(), "score": float(rng.random())}
            found.append(row)
    return found


def test_real_annotations_score_as_pycocotools_scores_them(truth: CocoDataset) -> None:
    predictions = shaken(truth)
    expected = official(truth, predictions)
    scores = score_detections(truth, predictions, resamples=10)
    assert len(scores.classes) == 80
    for name, value in zip(NAMES, expected.stats, strict=True):
        assert scores.coco[name] == pytest.approx(value, abs=1e-10), name
    for index, one in enumerate(scores.classes):
        values = expected.eval["precision"][:, :, index, 0, 2]
        assert one.ap == (None if (values < 0).all() else pytest.approx(values.mean(), abs=1e-10)), one.name
