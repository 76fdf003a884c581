"""Shapes that are no upright box: what encloses them. y points down, as in images."""

import math
from collections.abc import Iterable, Sequence

Point = tuple[float, float]
Box = tuple[float, float, float, float]
"""x, y, width, height."""


def enclosing_box(points: Iterable[Point]) -> Box:
    """The smallest upright box, x, y, width, height, around at least one point."""
    xs, ys = zip(*points, strict=True)
    left, top = min(xs), min(ys)
    return left, top, max(xs) - left, max(ys) - top


def turned(corners: Iterable[Point], degrees: float, *, around: Point) -> list[Point]:
    """Points turned clockwise, as seen on the screen, around one point."""
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    x0, y0 = around
    return [(x0 + (x - x0) * cosine - (y - y0) * sine, y0 + (x - x0) * sine + (y - y0) * cosine) for x, y in corners]


def ellipse_box(x: float, y: float, across: float, down: float, degrees: float) -> Box:
    """The upright box around an ellipse given by its centre, half axes and clockwise turn."""
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    half_width = math.hypot(across * cosine, down * sine)
    half_height = math.hypot(across * sine, down * cosine)
    return x - half_width, y - half_height, 2 * half_width, 2 * half_height


def rectangle(x: float, y: float, width: float, height: float) -> list[Point]:
    """Corners of an upright rectangle, clockwise from the top left."""
    return [(x, y), (x + width, y), (x + width, y + height), (x, y + height)]


def flat(corners: Iterable[Point]) -> tuple[float, ...]:
    """Points as COCO writes a polygon: x, y, x, y, ..."""
    return tuple(value for corner in corners for value in corner)


def polygon_area(polygon: Sequence[float]) -> float:
    """Area within x, y, x, y, ..., by the shoelace formula."""
    xs, ys = polygon[::2], polygon[1::2]
    twice = sum(xs[i - 1] * ys[i] - xs[i] * ys[i - 1] for i in range(len(xs)))
    return abs(twice) / 2
