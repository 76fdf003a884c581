"""Overlap, area and clipping of boxes and polygons, beside pycocotools and by hand."""

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from sinara_lib.vision.boxes import areas, clip_box, corners_of, iou, polygon_area, shared_areas


@pytest.mark.parametrize("seed", range(3))
def test_the_iou_of_all_pairs_is_pycocotools(seed: int) -> None:
    rng = np.random.default_rng(seed)
    boxes, others = (np.round(rng.uniform(0, 40, (count, 4)) * 2) / 2 + (0, 0, 0.5, 0.5) for count in (30, 20))
    crowd = rng.random(20) < 0.3
    sizes = (boxes[:, 2] * boxes[:, 3])[:, None], (others[:, 2] * others[:, 3])[None]
    found = iou(corners_of(boxes)[:, None], corners_of(others)[None], known_areas=sizes, crowd=crowd[None])
    np.testing.assert_array_equal(found, coco_mask.iou(boxes, others, crowd.astype(np.uint8)))


def test_boxes_that_share_nothing_or_have_no_size_overlap_by_nothing() -> None:
    boxes = np.array([[0, 0, 2, 2], [2, 0, 4, 2], [1, 1, 1, 1]], dtype=np.float32)
    found = iou(boxes[:, None], boxes[None])
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, [[1, 0, 0], [0, 1, 0], [0, 0, 0]])


def test_where_the_last_pixel_counts_sides_are_one_longer() -> None:
    box, other = np.array([0, 0, 1, 1]), np.array([1, 1, 2, 2])
    assert areas(box, offset=1) == 4
    assert shared_areas(box, other, offset=1) == 1
    assert shared_areas(box, other) == 0


def test_a_box_is_cut_at_the_edges_of_its_image() -> None:
    assert clip_box((-3.0, 2.0, 9.0, 50.0), 8, 20) == (0.0, 2.0, 8.0, 20.0)


@pytest.mark.parametrize(
    ("points", "area"),
    [
        ([0, 0, 4, 0, 4, 3, 0, 3], 12),
        ([0, 3, 4, 3, 4, 0, 0, 0], 12),
        ([0, 0, 4, 0, 0, 2], 4),
        ([1, 1, 2, 2], 0),
        ([], 0),
    ],
)
def test_the_area_of_a_polygon_is_what_it_encloses_whichever_way_it_runs(points: list[float], area: float) -> None:
    assert polygon_area(points) == area
