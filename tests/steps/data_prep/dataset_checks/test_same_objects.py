"""Pictures that look alike are copies only when they show the same objects."""

from itertools import combinations
from pathlib import Path

import cv2
import numpy as np
import pytest

from dataset_checks.checks import CheckOptions, check_dataset
from dataset_checks.same_objects import Boxes, same_objects
from dataset_split import split_dataset
from prep_cases import box, dataset_of, picture
from sinara_lib.vision.coco import CocoDataset
from sinara_lib.vision.coco_archive import FolderFiles

_FRACTIONS = {"train": 0.7, "eval": 0.15, "test": 0.15}


def _camera(folder: Path, count: int) -> CocoDataset:
    """The frames of one fixed camera: one scene, and a mark of 24 pixels at another place on each."""
    rng = np.random.default_rng(1)
    scene = cv2.resize(rng.integers(40, 216, (12, 16, 3), dtype=np.uint8), (640, 480), interpolation=cv2.INTER_CUBIC)
    boxes = []
    for number in range(1, count + 1):
        frame, left, top = scene.copy(), 30 + (number * 97) % 560, 30 + (number * 61) % 400
        frame[top : top + 24, left : left + 24] = 255
        assert cv2.imwrite(str(folder / f"{number:03}.jpg"), frame)
        boxes.append(box(number, image=number, bbox=(float(left), float(top), 24.0, 24.0), area=576.0))
    return dataset_of([picture(number, width=640, height=480) for number in range(1, count + 1)], boxes)


def test_frames_of_a_fixed_camera_with_small_objects_are_split_and_counted(tmp_path: Path) -> None:
    checked = check_dataset(_camera(tmp_path, 60), FolderFiles(tmp_path), options=CheckOptions(classes=["car"]))
    found = {one.check.name: one.count for one in checked.findings if one.count}
    assert found == {"image_same_view": 59}
    parts = split_dataset(checked.dataset, _FRACTIONS, seed=1)
    assert [len(part.annotations) for _, part in parts.items()] == [42, 9, 9]


@pytest.mark.parametrize(("action", "left", "groups"), [("fix", 6, 1), ("drop", 1, 1), ("keep", 6, 6)])
def test_alike_views_can_be_tied_together_or_dropped(tmp_path: Path, action: str, left: int, groups: int) -> None:
    options = CheckOptions(classes=["car"], checks={"image_same_view": action})
    checked = check_dataset(_camera(tmp_path, 6), FolderFiles(tmp_path), options=options)
    assert len(checked.dataset.images) == left
    assert len({one.extra.get("group", one.file_name) for one in checked.dataset.images}) == groups


def test_near_copies_can_be_kept_apart(tmp_path: Path) -> None:
    dataset = _camera(tmp_path, 1)
    (tmp_path / "002.jpg").write_bytes(
        bytes(cv2.imencode(".jpg", cv2.imread(str(tmp_path / "001.jpg")), [cv2.IMWRITE_JPEG_QUALITY, 40])[1])
    )
    twice = dataset_of([picture(n, width=640, height=480) for n in (1, 2)], [
        *dataset.annotations, box(2, image=2, bbox=dataset.annotations[0].bbox, area=576.0)
    ])  # fmt: skip
    for action, groups in (("fix", 1), ("keep", 2)):
        options = CheckOptions(classes=["car"], checks={"image_nearly_repeated": action})
        checked = check_dataset(twice, FolderFiles(tmp_path), options=options)
        assert {one.check.name for one in checked.findings if one.count} == {"image_nearly_repeated"}
        assert len({one.extra.get("group", one.file_name) for one in checked.dataset.images}) == groups


def _drawn(rng: np.random.Generator) -> Boxes:
    count = int(rng.integers(0, 5))
    corners = rng.choice([0.1, 0.14, 0.4, 0.44, 0.7], (count, 2))
    return np.hstack([rng.integers(1, 3, (count, 1)), corners, corners + rng.choice([0.1, 0.15], (count, 2))])


def _are_same(one: Boxes, other: Boxes) -> bool:
    """Every box beside every box, as the module's first lines say it."""

    def iou(a: np.ndarray, b: np.ndarray) -> float:
        sides = np.clip(np.minimum(a[3:], b[3:]) - np.maximum(a[1:3], b[1:3]), 0, None)
        shared = sides.prod()
        return shared / ((a[3:] - a[1:3]).prod() + (b[3:] - b[1:3]).prod() - shared) if a[0] == b[0] else 0.0

    if not len(one) or not len(other):
        return len(one) == len(other)
    most = max(len(one), len(other))
    return any(
        sum(any(iou(a, b) >= 0.5 for b in theirs) for a in mine) >= 0.5 * most
        for mine, theirs in ((one, other), (other, one))
    )


@pytest.mark.parametrize("seed", range(8))
def test_groups_are_those_of_comparing_every_box_with_every_box(seed: int) -> None:
    rng = np.random.default_rng(seed)
    boxes = [_drawn(rng) for _ in range(30)]
    groups = [{place} for place in range(len(boxes))]
    for one, other in combinations(range(len(boxes)), 2):
        if _are_same(boxes[one], boxes[other]):
            mine, theirs = (next(group for group in groups if place in group) for place in (one, other))
            if mine is not theirs:
                groups.remove(theirs)
                mine |= theirs
    assert same_objects(boxes) == sorted(sorted(group) for group in groups)
