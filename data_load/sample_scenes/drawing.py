"""Composes one street scene: which objects, where, in which order, and what of each stays visible."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

import numpy as np
from numpy.typing import NDArray

from sample_scenes.backgrounds import Street, draw_background, draw_clutter
from sample_scenes.canvas import Brush, Canvas
from sample_scenes.light import Pixels, expose, haze
from sample_scenes.people import draw_bicycle, draw_motorcycle, draw_person, draw_rider
from sample_scenes.trucks import draw_truck
from sample_scenes.vehicles import draw_bus, draw_car
from sinara_lib.vision.boxes import areas, shared_areas

PERSON, BICYCLE, CAR, MOTORCYCLE, BUS, TRUCK = 1, 2, 3, 4, 6, 8
MIN_VISIBLE_PIXELS = 60
MIN_VISIBLE_PERCENT = 35


@dataclass(frozen=True)
class Kind:
    """How one class is drawn: nominal size in centimetres, and pixels per metre on a 256 pixel picture."""

    category: int
    length: int
    height: int
    pixels_per_metre: tuple[int, int]
    draw: Callable[[Brush, Random], None]


KINDS = (
    Kind(PERSON, 75, 170, (30, 58), draw_person),
    Kind(BICYCLE, 180, 105, (28, 48), draw_bicycle),
    Kind(CAR, 410, 150, (16, 31), draw_car),
    Kind(MOTORCYCLE, 205, 120, (26, 44), draw_motorcycle),
    Kind(BUS, 650, 310, (12, 21), draw_bus),
    Kind(TRUCK, 600, 310, (12, 22), draw_truck),
)
SEATS = {BICYCLE: ((-20, 94), (34, 102)), MOTORCYCLE: ((-28, 92), (34, 108))}


@dataclass(frozen=True)
class Drawn:
    """One annotated object of a scene: what of it can be seen."""

    category: int
    mask: NDArray[np.bool_]
    crowd: bool = False


@dataclass(frozen=True)
class Scene:
    """A finished picture and its objects."""

    pixels: Pixels
    objects: list[Drawn]


@dataclass(frozen=True)
class Placed:
    """An object's place before it is drawn; the box is its nominal extent on the canvas."""

    kind: Kind
    x: int
    baseline: int
    scale: int
    box: tuple[int, int, int, int]


def draw_scene(side: int, rng: Random, *, kinds: list[Kind], crowd: bool = False) -> Scene:
    """Draw objects of these kinds, anew until each is visible enough for an annotation (mostly the first time).

    A kind that finds no room is left out. `side` is the picture's height and width in pixels.
    """
    while True:
        scene = _attempt(side, rng, kinds=kinds, crowd=crowd)
        if scene is not None:
            return scene


def _attempt(side: int, rng: Random, *, kinds: list[Kind], crowd: bool) -> Scene | None:
    canvas = Canvas(side)
    street = draw_background(canvas, rng)
    haze(canvas, rng)
    owners: list[tuple[int, bool]] = []
    full: list[int] = []
    if crowd:
        _draw_crowd(canvas, street, rng)
        owners.append((PERSON, True))
        full.append(_covered(canvas, 1))
    for placed in _place(canvas, street, rng, kinds=kinds):
        if rng.randrange(3) == 0:
            draw_clutter(canvas, rng, baseline=placed.baseline - canvas.side // 64, low=False)
        for category in _draw_object(canvas, placed, rng, first_owner=len(owners) + 1):
            owners.append((category, False))
            full.append(_covered(canvas, len(owners)))
    for _ in range(rng.randrange(3)):
        draw_clutter(canvas, rng, baseline=canvas.side + rng.randint(-20, 40), low=True)
    masks = [canvas.mask_of(owner + 1) for owner in range(len(owners))]
    if not all(_visible(canvas, owner + 1, full[owner], mask) for owner, mask in enumerate(masks)):
        return None
    drawn = [Drawn(category, mask, many) for (category, many), mask in zip(owners, masks, strict=True)]
    return Scene(expose(canvas, rng, night=street.night), drawn)


def _place(canvas: Canvas, street: Street, rng: Random, *, kinds: list[Kind]) -> list[Placed]:
    """Places from the far ones to the near ones; a nearer object hides at most part of one behind it."""
    placed: list[Placed] = []
    for kind in kinds:
        for _ in range(12):
            candidate = _candidate(canvas, street, rng, kind)
            if all(_overlap(candidate.box, other.box) <= 18 for other in placed):
                placed.append(candidate)
                break
    return sorted(placed, key=lambda place: place.baseline)


def _candidate(canvas: Canvas, street: Street, rng: Random, kind: Kind) -> Placed:
    """Nearer to the viewer is larger, with much freedom, as pictures are taken from many heights."""
    baseline = rng.randint(street.kerb + canvas.side // 20, canvas.side - canvas.side // 50)
    near = (baseline - street.kerb) * 100 // max(canvas.side - street.kerb, 1)
    low, high = kind.pixels_per_metre
    metre = low * 100 + (high - low) * min(max(near + rng.randint(-45, 45), 0), 100)
    scale = metre * canvas.side // 256 // 10
    wide, high_px = kind.length * scale // 1000, kind.height * scale // 1000
    x = rng.randint(wide // 4, canvas.side - wide // 4)
    return Placed(kind, x, baseline, scale, (x - wide // 2, baseline - high_px, x + wide // 2, baseline))


def _draw_object(canvas: Canvas, placed: Placed, rng: Random, *, first_owner: int) -> list[int]:
    """Draw one object, and on some two-wheelers a rider as a second one; returns their categories."""
    flip, category = rng.randrange(2) == 0, placed.kind.category
    brush = Brush(canvas, placed.x, placed.baseline, placed.scale, flip, first_owner)
    placed.kind.draw(brush, rng)
    if category not in SEATS or rng.randrange(3):
        return [category]
    seat, grip = SEATS[category]
    draw_rider(Brush(canvas, placed.x, placed.baseline, placed.scale, flip, first_owner + 1), rng, seat, grip)
    return [category, PERSON]


def _draw_crowd(canvas: Canvas, street: Street, rng: Random) -> None:
    """Many people close together under one owner."""
    side = canvas.side
    left, width = rng.randint(side // 10, side // 2), side * rng.randint(24, 36) // 100
    scale = side * rng.randint(24, 32) // 256 * 10
    for step in range(18):
        x = left + (step * 7 % 18) * width // 18 + rng.randint(-4, 4)
        baseline = street.kerb + side // 16 + step * side // 300
        draw_person(Brush(canvas, x, baseline, scale, rng.randrange(2) == 0, 1), rng)


def _covered(canvas: Canvas, owner: int) -> int:
    return int(np.count_nonzero(canvas.owner == owner))


def _visible(canvas: Canvas, owner: int, full: int, mask: NDArray[np.bool_]) -> bool:
    enough = _covered(canvas, owner) * 100 >= full * MIN_VISIBLE_PERCENT
    return enough and int(np.count_nonzero(mask)) >= MIN_VISIBLE_PIXELS


def _overlap(one: tuple[int, int, int, int], other: tuple[int, int, int, int]) -> int:
    """Shared area in percent of the smaller box."""
    boxes = np.array([one, other])
    smaller = int(areas(boxes).min())
    return int(shared_areas(boxes[0], boxes[1])) * 100 // max(smaller, 1)
