"""What is stored of a mask gives the same mask back, by pycocotools' own reading."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pycocotools import mask as coco_mask

from sample_scenes.masks import mask_box, mask_polygons
from sinara_lib.vision.run_lengths import runs_of

MASKS = arrays(np.bool_, st.tuples(st.integers(1, 14), st.integers(1, 14))).filter(lambda mask: bool(mask.any()))


def decode_polygons(polygons: list[list[int]], shape: tuple[int, int]) -> np.ndarray:
    parts = coco_mask.frPyObjects([[float(v) for v in polygon] for polygon in polygons], *shape)
    return coco_mask.decode(coco_mask.merge(parts)).astype(bool)


@given(mask=MASKS)
def test_polygons_cover_exactly_the_mask(mask: np.ndarray) -> None:
    assert np.array_equal(decode_polygons(mask_polygons(mask), mask.shape), mask)


@given(mask=MASKS)
def test_run_lengths_are_cocos(mask: np.ndarray) -> None:
    encoded = coco_mask.frPyObjects({"counts": runs_of(mask), "size": list(mask.shape)}, *mask.shape)

    assert np.array_equal(coco_mask.decode(encoded).astype(bool), mask)


@given(mask=MASKS)
def test_the_box_is_the_extent(mask: np.ndarray) -> None:
    encoded = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))

    assert mask_box(mask) == coco_mask.toBbox(encoded).tolist()


@pytest.mark.parametrize(
    ("mask", "polygons"), [([[1]], 1), ([[1, 0], [0, 1]], 2), ([[1, 1, 1], [1, 0, 1], [1, 1, 1]], 2)]
)
def test_pixels_that_touch_at_a_corner_are_apart_and_holes_are_cut_open(mask: list[list[int]], polygons: int) -> None:
    assert len(mask_polygons(np.array(mask, dtype=bool))) == polygons
