"""Metrics of 5,000 generated images and 36,000 boxes, beside pycocotools and faster-coco-eval where that is installed.

    python benchmarks/evaluate.py [--images 5000] [--boxes 36000] [--rounds 3] [--check]

Every contender gets the same document and the same list of COCO results in memory and gives COCO's twelve numbers and
each class' AP: building its own index is its own time. First all answers are compared, to 1e-10. The last
line of the table adds what only our report has: 1,000 resamples for the intervals, errors by kind, confusion,
calibration, best thresholds.
"""

import argparse
import contextlib
import importlib.util
import io
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[1] / "model_eval"))

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from benchmarks.table import Target, conclude, ratio, render, say, take_turns
from detection_scores.coco_numbers import COCO_IOUS, compute_numbers
from detection_scores.matching import overlapping_pairs
from detection_scores.scoring import score_detections
from detection_scores.table import build_table
from sinara_lib.vision.coco import CocoDataset, parse_coco

OURS, OFFICIAL, FASTER, REPORT = "model_eval", "pycocotools", "faster-coco-eval", "model_eval, the whole report"
SIDE = 640
TIMES_AS_FAST = 5.0
AGREE = 1e-10


@dataclass(frozen=True)
class TestSet:
    """The same ground truth and predictions, as each contender takes them."""

    document: dict[str, Any]
    truth: CocoDataset
    predictions: list[dict[str, Any]]


def main() -> int:
    """Run the benchmark; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=5000)
    parser.add_argument("--boxes", type=int, default=36_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--check", action="store_true", help="exit 1 when a target is missed")
    arguments = parser.parse_args()
    targets = []
    for classes in (80, 6):
        test_set = generate(images=arguments.images, boxes=arguments.boxes, classes=classes)
        given = f"{arguments.images} images, {arguments.boxes} boxes of {classes} classes"
        say(f"{given}, {len(test_set.predictions)} detections")
        apart = furthest_apart(test_set)
        seconds = take_turns(contenders(test_set), rounds=arguments.rounds)
        say(report(seconds))
        targets += [
            Target(f"{classes} classes: times as fast as pycocotools", ratio(seconds, OURS, OFFICIAL), TIMES_AS_FAST),
            Target(f"{classes} classes: furthest from its answers, in 1e-10", apart / AGREE, at_most=1.0),
        ]
    return conclude(targets, check=arguments.check)


def generate(*, images: int, boxes: int, classes: int, seed: int = 1) -> TestSet:
    """Objects of all COCO sizes, one in a hundred a crowd; up to two detections near each, and as many astray."""
    rng = np.random.default_rng(seed)
    size = np.exp(rng.uniform(np.log(8), np.log(300), (boxes, 2)))
    corner = rng.uniform(0, 1, (boxes, 2)) * (SIDE - size)
    image, label = rng.integers(1, images + 1, boxes), rng.integers(1, classes + 1, boxes)
    known = np.hstack([corner, size])
    document = {
        "images": [{"id": i, "file_name": f"{i}.jpg", "width": SIDE, "height": SIDE} for i in range(1, images + 1)],
        "categories": [{"id": i, "name": f"class {i}"} for i in range(1, classes + 1)],
        "annotations": [
            {"id": n + 1, "image_id": i, "category_id": c, "bbox": box, "area": box[2] * box[3], "iscrowd": int(crowd)}
            for n, (i, c, box, crowd) in enumerate(
                zip(image.tolist(), label.tolist(), known.tolist(), rng.random(boxes) < 0.01, strict=True)
            )
        ],
    }
    twice = np.repeat(np.arange(boxes), rng.integers(0, 3, boxes))
    near = known[twice] + rng.normal(0, 0.06, (len(twice), 4)) * size[twice][:, [0, 1, 0, 1]]
    astray = np.hstack([rng.uniform(0, SIDE - 150, (boxes, 2)), rng.uniform(8, 150, (boxes, 2))])
    where = np.concatenate([image[twice], rng.integers(1, images + 1, boxes)])
    what = np.concatenate([label[twice], rng.integers(1, classes + 1, boxes)])
    score = np.concatenate([rng.uniform(0.1, 1, len(twice)), rng.uniform(0, 0.6, boxes)])
    rows = zip(where.tolist(), what.tolist(), np.vstack([near, astray]).tolist(), score.tolist(), strict=True)
    predictions = [{"image_id": i, "category_id": c, "bbox": box, "score": s} for i, c, box, s in rows]
    return TestSet(document, truth=parse_coco(document, where="benchmark"), predictions=predictions)


def contenders(test_set: TestSet) -> dict[str, Callable[[], float]]:
    """Return each contender: a call that scores once and returns the seconds that took."""
    calls: dict[str, Callable[[], Any]] = {
        OURS: lambda: ours(test_set),
        OFFICIAL: lambda: official(test_set),
        REPORT: lambda: score_detections(test_set.truth, test_set.predictions),
    }
    if importlib.util.find_spec("faster_coco_eval"):
        calls[FASTER] = lambda: faster(test_set)
    return {name: lambda call=call: timed(call) for name, call in calls.items()}


def timed(call: Callable[[], Any]) -> float:
    """Return the seconds of one call."""
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def ours(test_set: TestSet) -> np.ndarray:
    """Score with model_eval; precision at [IoU, recall, class, area]."""
    table = build_table(test_set.truth, test_set.predictions)
    found = table.detections
    pairs = overlapping_pairs(found.image, found.box, objects=table.objects, least=min(COCO_IOUS))
    return compute_numbers(table, pairs, ious=COCO_IOUS).precision


def official(test_set: TestSet) -> np.ndarray:
    """Score with pycocotools."""
    return _evaluated(COCO(), COCOeval, test_set)


def faster(test_set: TestSet) -> np.ndarray:
    """Score with faster-coco-eval."""
    from faster_coco_eval import COCO as FasterCoco
    from faster_coco_eval import COCOeval_faster

    return _evaluated(FasterCoco(), COCOeval_faster, test_set)


def _evaluated(known: Any, evaluator: Any, test_set: TestSet) -> np.ndarray:
    with contextlib.redirect_stdout(io.StringIO()):
        known.dataset = test_set.document
        known.createIndex()
        # loadRes writes into the rows it is given.
        evaluation = evaluator(known, known.loadRes([dict(one) for one in test_set.predictions]), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return np.asarray(evaluation.eval["precision"])[..., -1]


def furthest_apart(test_set: TestSet) -> float:
    """Return the largest difference between our precision and pycocotools'."""
    return float(np.abs(ours(test_set) - official(test_set)).max())


def report(seconds: dict[str, list[float]]) -> str:
    """Return the table: seconds, and the share of pycocotools' time."""
    rows = []
    for name, each in seconds.items():
        share = statistics.median(each) / statistics.median(seconds[OFFICIAL])
        spread = f"{min(each):.2f} to {max(each):.2f}"
        rows.append([name, f"{statistics.median(each):.2f}", spread, f"{share:.3f}"])
    return render(["scored by", "seconds", "in all rounds", "share of pycocotools' time"], rows)


if __name__ == "__main__":
    sys.exit(main())
