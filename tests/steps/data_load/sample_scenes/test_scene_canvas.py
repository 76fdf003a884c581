"""Shapes are rasterised by exact rules."""

from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sample_scenes.canvas import OVERSAMPLE, Brush, Canvas, ellipse_patch, polygon_patch

SIDE = 12
POINTS = st.lists(st.tuples(st.integers(-4, SIDE + 4), st.integers(-4, SIDE + 4)), min_size=3, max_size=6)


def is_inside(points: list[tuple[int, int]], x: int, y: int) -> bool:
    """Even-odd rule for the centre of pixel (x, y), in fractions."""
    centre_x, centre_y, inside = Fraction(2 * x + 1, 2), Fraction(2 * y + 1, 2), False
    for (xa, ya), (xb, yb) in zip(points, points[1:] + points[:1], strict=True):
        if (ya > centre_y) != (yb > centre_y):
            crossing = xa + (centre_y - ya) * Fraction(xb - xa, yb - ya)
            inside ^= crossing <= centre_x
    return inside


@given(points=POINTS)
def test_a_polygon_covers_the_pixels_whose_centre_is_inside(points: list[tuple[int, int]]) -> None:
    painted = np.zeros((SIDE, SIDE), dtype=bool)
    patch = polygon_patch(points, SIDE)
    if patch is not None:
        painted[patch.window] = patch.mask

    assert painted.tolist() == [[is_inside(points, x, y) for x in range(SIDE)] for y in range(SIDE)]


def test_an_ellipse_is_symmetric_and_has_its_area() -> None:
    patch = ellipse_patch((50, 50), (30, 20), 100)

    assert patch is not None
    assert np.array_equal(patch.mask, patch.mask[::-1, ::-1])
    assert abs(int(patch.mask.sum()) - 1885) <= 10


def test_what_is_painted_later_hides_what_was_painted_before() -> None:
    canvas = Canvas(10)
    behind, before = (Brush(canvas, 15, 30, 1000, owner=owner) for owner in (1, 2))

    behind.box(-9, 0, 9, 30, (200, 0, 0))
    before.box(-9, 0, 0, 30, (0, 200, 0))

    assert canvas.mask_of(1)[:, 5:8].all()
    assert canvas.mask_of(2)[:, 2:5].all()
    assert not (canvas.mask_of(1) & canvas.mask_of(2)).any()
    assert canvas.colour[5, 3 * OVERSAMPLE].tolist() == [0, 200, 0]


def test_a_flipped_brush_draws_the_mirror_image() -> None:
    shapes = []
    for flip in (False, True):
        canvas = Canvas(10)
        Brush(canvas, 15, 30, 1000, flip=flip, owner=1).polygon([(0, 0), (11, 0), (11, 20)], (9, 9, 9))
        shapes.append(canvas.mask_of(1))

    assert np.array_equal(shapes[0], shapes[1][:, ::-1])
