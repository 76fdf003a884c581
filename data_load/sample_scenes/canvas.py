"""A canvas that rasterises integer shapes exactly, and remembers which object owns each pixel."""

from dataclasses import dataclass
from math import isqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Colour = tuple[int, int, int]
Point = tuple[int, int]

OVERSAMPLE = 3


class Patch(NamedTuple):
    """The covered pixels of one shape: the mask's top-left corner on the canvas, and the mask."""

    top: int
    left: int
    mask: NDArray[np.bool_]

    @property
    def window(self) -> tuple[slice, slice]:
        """Rows and columns of the canvas that the mask lies on."""
        height, width = self.mask.shape
        return slice(self.top, self.top + height), slice(self.left, self.left + width)


def polygon_patch(points: list[Point], side: int) -> Patch | None:
    """Return pixels whose centre lies inside the polygon (even-odd), by exact integers; None when none can."""
    xs, ys = [p[0] for p in points], [p[1] for p in points]
    left, right = max(min(xs), 0), min(max(xs), side)
    top, bottom = max(min(ys), 0), min(max(ys), side)
    if left >= right or top >= bottom:
        return None
    mask = np.zeros((bottom - top, right - left), dtype=np.bool_)
    columns = np.arange(left, right)
    for (xa, ya), (xb, yb) in zip(points, points[1:] + points[:1], strict=True):
        if ya > yb:
            xa, ya, xb, yb = xb, yb, xa, ya
        first, last = max(ya, top), min(yb, bottom)
        if first >= last:
            continue
        rows = np.arange(first, last, dtype=np.int64)
        height = yb - ya
        crossing = (2 * xa - 1) * height + (2 * rows + 1 - 2 * ya) * (xb - xa)
        mask[first - top : last - top] ^= columns >= -(-crossing // (2 * height))[:, None]
    return Patch(top, left, mask)


def ellipse_patch(centre: Point, radii: Point, side: int) -> Patch | None:
    """Return pixels whose centre lies inside the ellipse, in exact integer arithmetic; None when none can."""
    (cx, cy), (rx, ry) = centre, radii
    left, right = max(cx - rx, 0), min(cx + rx, side)
    top, bottom = max(cy - ry, 0), min(cy + ry, side)
    if left >= right or top >= bottom:
        return None
    dx = (2 * np.arange(left, right, dtype=np.int64) + 1 - 2 * cx) * ry
    dy = (2 * np.arange(top, bottom, dtype=np.int64) + 1 - 2 * cy) * rx
    mask = (dx * dx)[None, :] + (dy * dy)[:, None] <= 4 * rx * rx * ry * ry
    return Patch(top, left, mask)


class Canvas:
    """Colour, owner and light planes of one square picture at OVERSAMPLE times its final size."""

    def __init__(self, side: int) -> None:
        self.side = side * OVERSAMPLE
        # One little-endian word per pixel (red lowest): painting is one masked copy instead of three.
        self.words = np.zeros((self.side, self.side), dtype="<u4")
        self.colour = self.words.view(np.uint8).reshape(self.side, self.side, 4)[..., :3]
        self.owner = np.zeros((self.side, self.side), dtype=np.uint8)
        self.lit = np.zeros((self.side, self.side), dtype=np.bool_)

    def paint(self, patch: Patch | None, colour: Colour | None, *, owner: int = 0, lit: bool = False) -> None:
        """Cover a patch; without a colour only its owner changes (what is seen through a wheel)."""
        if patch is None:
            return
        if colour is not None:
            red, green, blue = colour
            np.copyto(self.words[patch.window], np.uint32(red | green << 8 | blue << 16), where=patch.mask)
            np.copyto(self.lit[patch.window], lit, where=patch.mask)
        np.copyto(self.owner[patch.window], np.uint8(owner), where=patch.mask)

    def shade(self, patch: Patch | None, percent: int) -> None:
        """Darken (under 100) what is there already, as a shadow does."""
        if patch is None:
            return
        seen = self.colour[patch.window][patch.mask].astype(np.uint16)
        self.colour[patch.window][patch.mask] = seen * percent // 100

    def mask_of(self, owner: int) -> NDArray[np.bool_]:
        """Return the final pixels (side/OVERSAMPLE squared) of which the owner covers more than half."""
        n = self.side // OVERSAMPLE
        covered = (self.owner == owner).reshape(n, OVERSAMPLE, n * OVERSAMPLE).sum(axis=1, dtype=np.uint8)
        covered = covered.reshape(n, n, OVERSAMPLE).sum(axis=2, dtype=np.uint8)
        mask: NDArray[np.bool_] = covered * 2 > OVERSAMPLE * OVERSAMPLE
        return mask


@dataclass(frozen=True)
class Brush:
    """Draws in an object's own centimetres: origin on the ground under its middle, x forward, y up.

    `scale` is thousandths of a canvas pixel per centimetre; `flip` turns the object to face left.
    """

    canvas: Canvas
    x: int
    y: int
    scale: int
    flip: bool = False
    owner: int = 0

    def place(self, x: int, y: int) -> Point:
        """Canvas pixel of a point given in centimetres."""
        along = (x * self.scale + 500) // 1000
        return self.x + (-along if self.flip else along), self.y - (y * self.scale + 500) // 1000

    def polygon(self, points: list[Point], colour: Colour | None, *, lit: bool = False) -> None:
        """Fill a polygon given in centimetres."""
        placed = [self.place(*point) for point in points]
        self.canvas.paint(polygon_patch(placed, self.canvas.side), colour, owner=self.owner, lit=lit)

    def box(self, left: int, bottom: int, right: int, top: int, colour: Colour | None, *, lit: bool = False) -> None:
        """Fill an upright rectangle given by its two corners."""
        self.polygon([(left, bottom), (right, bottom), (right, top), (left, top)], colour, lit=lit)

    def ellipse(self, x: int, y: int, rx: int, ry: int, colour: Colour | None, *, lit: bool = False) -> None:
        """Fill an ellipse around (x, y)."""
        self.canvas.paint(self._ellipse(x, y, rx, ry), colour, owner=self.owner, lit=lit)

    def line(self, start: Point, end: Point, width: int, colour: Colour | None) -> None:
        """Fill a bar with round ends: a limb, a tube, a pole."""
        (xa, ya), (xb, yb) = start, end
        length = max(isqrt(((xb - xa) ** 2 + (yb - ya) ** 2) * 10_000), 1)
        nx, ny = (yb - ya) * width * 50 // length, (xa - xb) * width * 50 // length
        self.polygon([(xa + nx, ya + ny), (xb + nx, yb + ny), (xb - nx, yb - ny), (xa - nx, ya - ny)], colour)
        for x, y in (start, end):
            self.ellipse(x, y, width // 2, width // 2, colour)

    def shadow(self, x: int, y: int, rx: int, ry: int, percent: int) -> None:
        """Darken an ellipse on the ground; nobody owns a shadow."""
        self.canvas.shade(self._ellipse(x, y, rx, ry), percent)

    def _ellipse(self, x: int, y: int, rx: int, ry: int) -> Patch | None:
        radii = (max(rx * self.scale // 1000, 1), max(ry * self.scale // 1000, 1))
        return ellipse_patch(self.place(x, y), radii, self.canvas.side)
