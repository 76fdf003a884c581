"""Segmentations: malformed ones go, those over the edge are moved to it, those that are not of their box are told."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as run_lengths

from dataset_checks.boxes import check_boxes
from dataset_checks.findings import Ledger
from prep_cases import box, dataset_of, picture
from sinara_lib.vision.coco import CocoAnnotation
from sinara_lib.vision.run_lengths import extent_of, mask_of, read_runs, segmentation_of

BOX = (5.0, 6.0, 20.0, 10.0)
FITTING = [[5.0, 6.0, 25.0, 6.0, 25.0, 16.0, 5.0, 16.0]]


def _checked(segmentation: Any, **fields: Any) -> tuple[list[CocoAnnotation], dict[str, int]]:
    actions = fields.pop("actions", {})
    ledger = Ledger(actions)
    dataset = dataset_of([picture(1)], [box(1, segmentation=segmentation, **({"bbox": BOX} | fields))])
    kept = check_boxes(dataset, ledger, min_object_size=1.0, max_aspect_ratio=50.0).annotations
    return list(kept), {one.check.name: one.count for one in ledger.findings() if one.count}


def _mask(left: int, top: int, right: int, bottom: int) -> Any:
    mask = np.zeros((48, 64), dtype=np.uint8)
    mask[top:bottom, left:right] = 1
    return segmentation_of(mask)


@pytest.mark.parametrize("segmentation", [FITTING, _mask(5, 6, 25, 16), []])
def test_a_fitting_segmentation_stays_as_it_is(segmentation: Any) -> None:
    kept, found = _checked(segmentation)
    assert kept[0].segmentation == segmentation
    assert found == {}


@pytest.mark.parametrize(
    "segmentation",
    [
        {"size": [64, 48], "counts": [3072]},
        {"size": [48, 64], "counts": [5]},
        {"size": [48, 64], "counts": [-1, 3073]},
        {"size": [48, 64], "counts": "5"},
        {"size": [48, 64], "counts": ""},
        {"size": [48, 64], "counts": "\u00e9~"},
        {"counts": [3072]},
        {},
        [[1.0, 2.0, True, 4.0, 5.0, 6.0]],
        [[1e300] * 6],
    ],
)
def test_a_segmentation_that_is_none_is_removed_and_the_box_stays(segmentation: Any) -> None:
    kept, found = _checked(segmentation)
    assert (kept[0].segmentation, kept[0].bbox) == (None, BOX)
    assert found["segmentation_broken"] == 1
    assert _checked(segmentation, actions={"segmentation_broken": "drop"})[0] == []


def test_points_outside_the_image_move_to_its_edge_when_their_box_is_clipped() -> None:
    segmentation = [[-6.0, 6.0, 25.0, 6.0, 25.0, 16.0, -6.0, 16.0], [-9.0, 1.0, -8.0, 1.0, -8.0, 5.0]]
    kept, found = _checked(segmentation, bbox=(-6.0, 6.0, 31.0, 10.0), area=310.0)
    assert kept[0].bbox == (0.0, 6.0, 25.0, 10.0)
    assert kept[0].segmentation == [[0.0, 6.0, 25.0, 6.0, 25.0, 16.0, 0.0, 16.0]]
    assert found == {"box_over_edge": 1, "segmentation_over_edge": 1}
    assert _checked(kept[0].segmentation, bbox=kept[0].bbox, area=kept[0].area) == (kept, {})


@pytest.mark.parametrize(
    "segmentation", [[[40.0, 30.0, 60.0, 30.0, 60.0, 40.0]], _mask(40, 30, 60, 40), _mask(0, 0, 64, 48)]
)
def test_a_segmentation_of_another_place_is_reported_and_can_be_removed(segmentation: Any) -> None:
    kept, found = _checked(segmentation)
    assert kept[0].segmentation == segmentation
    assert found["segmentation_unlike_box"] == 1
    fixed, _ = _checked(segmentation, actions={"segmentation_unlike_box": "fix"})
    assert (fixed[0].segmentation, fixed[0].bbox) == (None, BOX)


def test_a_crowd_with_polygons_and_a_long_thin_box_are_reported_and_can_be_dropped() -> None:
    thin = {"bbox": (1.0, 6.0, 60.0, 1.0), "area": 60.0}
    assert _checked(FITTING, iscrowd=1)[1] == {"crowd": 1, "crowd_outline": 1}
    assert _checked(None, **thin)[1] == {"box_aspect": 1}
    assert _checked(FITTING, iscrowd=1, actions={"crowd_outline": "drop"})[0] == []
    assert _checked(None, **thin, actions={"box_aspect": "drop"})[0] == []


@settings(max_examples=60, deadline=None)
@given(rows=st.integers(1, 9), columns=st.integers(1, 9), data=st.data())
def test_run_lengths_are_read_as_pycocotools_writes_them(rows: int, columns: int, data: st.DataObject) -> None:
    pixels = data.draw(st.lists(st.integers(0, 1), min_size=rows * columns, max_size=rows * columns))
    mask = np.array(pixels, dtype=np.uint8).reshape(rows, columns)
    segmentation = segmentation_of(mask)
    runs = read_runs(segmentation, width=columns, height=rows)
    assert runs is not None
    assert (mask_of(runs, width=columns, height=rows) == mask).all()
    assert read_runs({"size": [rows, columns], "counts": runs}, width=columns, height=rows) == runs
    left, top, width, height = run_lengths.toBbox(segmentation)
    assert extent_of(runs, height=rows) == ((left, top, left + width, top + height) if mask.any() else None)
