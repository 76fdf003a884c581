"""Contact sheets: one scale, boxes where the objects are, tiles where they belong."""

import cv2
import numpy as np
import pytest

from sinara_lib.vision.coco import CocoAnnotation, CocoCategory, CocoDataset, CocoImage
from sinara_lib.vision.contact_sheet import annotated, empty, grid, jpeg, padded, rows_of, scaled

RED, BLUE = (0, 0, 200), (200, 0, 0)


@pytest.mark.parametrize(("scale", "shape"), [(0.5, (20, 40, 3)), (2, (80, 160, 3)), (0.001, (1, 1, 3))])
def test_an_image_is_brought_to_a_scale_and_never_vanishes(scale: float, shape: tuple[int, ...]) -> None:
    assert scaled(empty((80, 40), colour=RED), scale).shape == shape
    assert (scaled(empty((80, 40), colour=RED), scale) == RED).all()


def test_boxes_are_drawn_at_the_scale_and_unknown_classes_are_left_out() -> None:
    dataset = CocoDataset((CocoImage(1, "1.jpg", 400, 400),), (), (CocoCategory(5, "car"),))
    box = CocoAnnotation(1, 1, 5, (100.0, 100.0, 200.0, 200.0))
    drawn = annotated(empty((400, 400)), [box], dataset=dataset, scale=0.5)
    assert drawn.shape == (200, 200, 3)
    assert (drawn[100, 50] < 250).any(), "the left edge of the box"
    assert (drawn[100, 100] == 255).all(), "the inside of the box"
    unknown = CocoAnnotation(2, 1, 6, (100.0, 100.0, 200.0, 200.0))
    assert (annotated(empty((400, 400)), [unknown], dataset=dataset) == 255).all()


def test_tiles_are_laid_out_in_rows_and_places_left_over_stay_empty() -> None:
    sheet = grid([empty((4, 3), colour=RED)] * 3, 2, gap=1)
    assert sheet.shape == (7, 9, 3)
    assert (sheet[:3, :4] == RED).all()
    assert (sheet[4:, :4] == RED).all()
    assert (sheet[4:, 5:] == 255).all()
    assert (sheet[3] == 255).all()
    assert (grid([], 3) == 255).all()


def test_images_of_any_size_are_laid_out_beside_and_below_each_other() -> None:
    rows = [[empty((2, 3), colour=RED), empty((5, 1), colour=BLUE)], [empty((1, 2), colour=BLUE)]]
    sheet = rows_of(rows, gap=2)
    assert sheet.shape == (8, 9, 3)
    assert (sheet[:3, :2] == RED).all()
    assert (sheet[0, 4:] == BLUE).all()
    assert (sheet[5:7, 0] == BLUE).all()
    assert int((sheet != 255).any(axis=2).sum()) == 6 + 5 + 2


def test_an_image_lies_in_the_middle_or_at_a_corner_of_its_tile() -> None:
    image = empty((2, 2), colour=RED)
    assert (padded(image, (6, 4), colour=BLUE)[1:3, 2:4] == RED).all()
    assert (padded(image, (6, 4), corner=(0, 0))[:2, :2] == RED).all()
    assert int((padded(image, (6, 4)) != 255).any(axis=2).sum()) == 4


def test_a_sheet_is_written_as_jpeg() -> None:
    data = jpeg(empty((16, 8), colour=RED))
    assert np.abs(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR).astype(int) - RED).max() < 4
