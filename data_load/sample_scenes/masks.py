"""From a pixel mask to what COCO stores of it: box, area, polygons, run lengths."""

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
Loop = list[tuple[int, int]]


def mask_box(mask: Mask) -> list[int]:
    """[x, y, width, height] of the mask's extent in pixels; the mask must not be empty."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    x, y = int(columns[0]), int(rows[0])
    return [x, y, int(columns[-1]) + 1 - x, int(rows[-1]) + 1 - y]


def mask_polygons(mask: Mask) -> list[list[int]]:
    """Return segmentations along pixel edges, [x1, y1, x2, y2, ...] each, that cover exactly the mask.

    COCO polygons have no holes, so a mask with a hole is cut in two through the hole.
    """
    loops = _boundary_loops(mask)
    holes = [loop for loop in loops if _signed_area(loop) < 0]
    if not holes:
        return [[value for point in _corners(loop) for value in point] for loop in loops]
    columns = [x for x, _ in holes[0]]
    cut = (min(columns) + max(columns)) // 2
    left, right = mask.copy(), mask.copy()
    left[:, cut:] = False
    right[:, :cut] = False
    return mask_polygons(left) + mask_polygons(right)


def _boundary_loops(mask: Mask) -> list[Loop]:
    """Return closed walks along pixel edges with the mask on the right-hand side."""
    ways = _boundary_steps(mask)
    loops = []
    while ways:
        start = next(iter(ways))
        loop, point, step = [start], start, ways[start][0]
        while True:
            exits = ways[point]
            # Where two pixels touch at a corner the walk turns right and stays with its own pixel.
            if len(exits) == 2 and (step := (-step[1], step[0])) not in exits:
                step = exits[0]
            elif len(exits) == 1:
                step = exits[0]
            exits.remove(step)
            if not exits:
                del ways[point]
            point = (point[0] + step[0], point[1] + step[1])
            if point == start:
                break
            loop.append(point)
        loops.append(loop)
    return loops


def _boundary_steps(mask: Mask) -> dict[tuple[int, int], Loop]:
    """For each corner on the boundary, the unit steps that leave it."""
    padded = np.pad(mask, 1)
    sides = (
        (padded[:-2, 1:-1], (0, 0), (1, 0)),
        (padded[1:-1, 2:], (1, 0), (0, 1)),
        (padded[2:, 1:-1], (1, 1), (-1, 0)),
        (padded[1:-1, :-2], (0, 1), (0, -1)),
    )
    ways: dict[tuple[int, int], Loop] = {}
    for neighbour, (dx, dy), step in sides:
        for y, x in np.argwhere(mask & ~neighbour).tolist():
            ways.setdefault((x + dx, y + dy), []).append(step)
    return ways


def _signed_area(loop: Loop) -> int:
    """Twice the enclosed area; negative for a hole."""
    return sum(xa * yb - xb * ya for (xa, ya), (xb, yb) in zip(loop, loop[1:] + loop[:1], strict=True))


def _corners(loop: Loop) -> Loop:
    """Return the loop without the points on straight runs."""
    count = len(loop)
    return [
        point
        for i, point in enumerate(loop)
        if not (loop[i - 1][0] == point[0] == loop[(i + 1) % count][0])
        and not (loop[i - 1][1] == point[1] == loop[(i + 1) % count][1])
    ]
