"""Draws what lies behind and around the objects: sky, houses, trees, ground, street furniture."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from sample_scenes.canvas import Brush, Canvas, Colour, Patch, ellipse_patch, polygon_patch
from sample_scenes.colours import DARK, METAL, PAINTS, WARM_LIGHT, limit, mix, pick, tone

HOUSES: tuple[Colour, ...] = (
    (178, 110, 84),
    (206, 186, 158),
    (150, 152, 156),
    (120, 96, 84),
    (214, 204, 190),
    (132, 146, 160),
    (190, 140, 100),
    (96, 104, 112),
    (170, 84, 70),
    (220, 200, 130),
)
LEAVES: tuple[Colour, ...] = (
    (70, 120, 58),
    (96, 142, 62),
    (46, 96, 62),
    (150, 138, 56),
    (190, 110, 48),
    (120, 160, 90),
)
ROADS: tuple[Colour, ...] = ((92, 94, 98), (70, 72, 78), (122, 120, 118), (110, 104, 96), (84, 90, 96), (140, 136, 130))
GROUNDS: tuple[Colour, ...] = (
    (160, 158, 152),
    (104, 142, 78),
    (194, 178, 144),
    (126, 112, 96),
    (226, 230, 234),
    (146, 150, 148),
)
SKIES: tuple[tuple[Colour, Colour], ...] = (
    ((96, 158, 222), (206, 226, 240)),
    ((150, 180, 206), (226, 226, 220)),
    ((176, 182, 188), (206, 208, 208)),
    ((70, 96, 160), (244, 176, 116)),
    ((120, 130, 150), (186, 190, 196)),
    ((64, 140, 200), (180, 220, 226)),
)


@dataclass(frozen=True)
class Street:
    """Where things stand in one picture, in canvas pixels from the top, and whether it is night."""

    horizon: int
    kerb: int
    road_end: int
    night: bool


def draw_background(canvas: Canvas, rng: Random) -> Street:
    """Sky, far things, ground and road; returns where they are."""
    side = canvas.side
    horizon = side * rng.randint(26, 44) // 100
    kerb = horizon + side * rng.randint(3, 10) // 100
    street = Street(horizon, kerb, side * rng.randint(84, 100) // 100, rng.randrange(9) == 0)
    _sky(canvas, street, rng)
    rng.choice((_town, _town, _suburb, _country))(canvas, street, rng)
    _ground(canvas, street, rng)
    return street


def draw_clutter(canvas: Canvas, rng: Random, *, baseline: int, low: bool) -> None:
    """Draw one piece of furniture, foot at the baseline, over what was drawn before; `low` leaves out tall ones."""
    scale = canvas.side * rng.randint(22, 40) // 256 * 10
    brush = Brush(canvas, rng.randrange(canvas.side), baseline, scale, flip=rng.randrange(2) == 0)
    rng.choice(LOW_PIECES if low else LOW_PIECES + TALL_PIECES)(brush, rng)


def _sky(canvas: Canvas, street: Street, rng: Random) -> None:
    above, below = ((18, 24, 48), (58, 62, 92)) if street.night else rng.choice(SKIES)
    for row in range(street.horizon):
        canvas.colour[row] = mix(above, below, row * 100 // street.horizon)
    side = canvas.side
    if rng.randrange(3) == 0:
        centre = (rng.randrange(side), rng.randrange(street.horizon))
        canvas.paint(ellipse_patch(centre, (side // 26, side // 26), side), (255, 246, 214), lit=True)
    for _ in range(rng.randrange(4)):
        x, y = rng.randrange(side), rng.randrange(street.horizon)
        cloud = mix(below, (255, 255, 255), 10 if street.night else 60)
        for _ in range(4):
            radii = (side * rng.randint(4, 10) // 100, side * rng.randint(2, 3) // 100)
            canvas.paint(ellipse_patch((x + rng.randint(-60, 60), y + rng.randint(-10, 10)), radii, side), cloud)


def _town(canvas: Canvas, street: Street, rng: Random) -> None:
    canvas.paint(_rectangle(0, street.horizon, canvas.side, street.kerb, canvas.side), pick(rng, GROUNDS))
    x = -rng.randrange(60)
    while x < canvas.side:
        width = canvas.side * rng.randint(10, 30) // 100
        _building(
            canvas,
            (x, max(street.horizon - canvas.side * rng.randint(12, 42) // 100, 0), x + width, street.kerb),
            street,
            rng,
        )
        x += width + rng.choice([0, 0, 8, 40])


def _building(canvas: Canvas, box: tuple[int, int, int, int], street: Street, rng: Random) -> None:
    left, top, right, bottom = box
    wall, side = pick(rng, HOUSES), canvas.side
    canvas.paint(_rectangle(left, top, right, bottom, side), wall)
    canvas.paint(_rectangle(left, top, right, top + 6, side), tone(wall, 70))
    wide, high, gap = rng.randint(12, 26), rng.randint(16, 34), rng.randint(8, 20)
    pane = mix((52, 62, 76), wall, rng.choice([0, 20, 40]))
    for y in range(top + gap + 6, bottom - high - 26, high + gap):
        for x in range(left + gap, right - wide - 2, wide + gap):
            bright = street.night and rng.randrange(3) == 0
            canvas.paint(_rectangle(x, y, x + wide, y + high, side), WARM_LIGHT if bright else pane, lit=bright)
    if rng.randrange(2):
        canvas.paint(_rectangle(left + 6, bottom - 44, right - 6, bottom - 4, side), tone(wall, 48))
        awning = pick(rng, PAINTS)
        canvas.paint(_rectangle(left + 4, bottom - 54, right - 4, bottom - 42, side), awning)
    else:
        x = left + rng.randint(6, max(right - left - 30, 7))
        canvas.paint(_rectangle(x, bottom - 46, x + 24, bottom, side), tone(wall, 45))


def _suburb(canvas: Canvas, street: Street, rng: Random) -> None:
    _hills(canvas, street, rng)
    x = rng.randrange(80)
    while x < canvas.side:
        wide, high = canvas.side * rng.randint(14, 24) // 100, canvas.side * rng.randint(9, 15) // 100
        _building(canvas, (x, street.kerb - high, x + wide, street.kerb), street, rng)
        roof = [
            (x - 12, street.kerb - high),
            (x + wide + 12, street.kerb - high),
            (x + wide // 2, street.kerb - high - wide // 3),
        ]
        canvas.paint(polygon_patch(roof, canvas.side), pick(rng, HOUSES))
        x += wide + rng.randint(20, 160)
        _tree(Brush(canvas, x - 12, street.kerb, canvas.side * rng.randint(8, 16) // 256 * 10), rng)


def _country(canvas: Canvas, street: Street, rng: Random) -> None:
    _hills(canvas, street, rng)
    for _ in range(rng.randint(2, 9)):
        _tree(Brush(canvas, rng.randrange(canvas.side), street.kerb, canvas.side * rng.randint(6, 18) // 256 * 10), rng)


def _hills(canvas: Canvas, street: Street, rng: Random) -> None:
    side, leaf = canvas.side, pick(rng, LEAVES)
    for distance in (60, 35, 10):
        centre = (rng.randrange(side), street.horizon + side // 8)
        radii = (side * rng.randint(30, 70) // 100, side * rng.randint(14, 26) // 100)
        canvas.paint(ellipse_patch(centre, radii, side), mix(leaf, (176, 190, 206), distance))
    canvas.paint(_rectangle(0, street.horizon, side, street.kerb, side), leaf)


def _ground(canvas: Canvas, street: Street, rng: Random) -> None:
    side, ground, road = canvas.side, pick(rng, GROUNDS), pick(rng, ROADS)
    canvas.paint(_rectangle(0, street.kerb, side, side, side), ground)
    top = street.kerb + side * rng.randint(2, 8) // 100
    canvas.paint(_rectangle(0, top, side, street.road_end, side), road)
    for y in (top, street.road_end):
        canvas.paint(_rectangle(0, y, side, y + 6, side), tone(ground, rng.choice([76, 118])))
    marks = rng.choice([(236, 236, 230), (236, 236, 230), (230, 190, 60)])
    if rng.randrange(3):
        y, offset, pitch = (top + street.road_end) // 2, rng.randrange(120), rng.randint(90, 170)
        for x in range(-offset, side, pitch):
            canvas.paint(
                polygon_patch([(x, y), (x + pitch // 2, y), (x + pitch // 2 - 8, y + 9), (x - 8, y + 9)], side), marks
            )
    if rng.randrange(4) == 0:
        left = rng.randrange(side)
        for i in range(6):
            x = left + i * 44
            canvas.paint(
                polygon_patch(
                    [(x, top + 8), (x + 22, top + 8), (x - 8, street.road_end), (x - 34, street.road_end)], side
                ),
                marks,
            )
    for _ in range(rng.randrange(5)):
        centre = (rng.randrange(side), rng.randint(top, side))
        canvas.shade(ellipse_patch(centre, (rng.randint(8, 70), rng.randint(3, 14)), side), rng.choice([74, 86, 92]))


def _rectangle(left: int, top: int, right: int, bottom: int, side: int) -> Patch | None:
    return polygon_patch([(left, top), (right, top), (right, bottom), (left, bottom)], side)


def _tree(brush: Brush, rng: Random) -> None:
    leaf, height = pick(rng, LEAVES), rng.randint(220, 420)
    brush.line((0, 0), (0, height * 60 // 100), 26, (96, 72, 52))
    if rng.randrange(3) == 0:
        for i in range(3):
            low, wide = height * (25 + i * 24) // 100, height * (34 - i * 8) // 100
            brush.polygon([(-wide, low), (wide, low), (0, low + height * 45 // 100)], tone(leaf, 84 + i * 9))
        return
    for i in range(5):
        spread = height * 24 // 100
        brush.ellipse(
            rng.randint(-spread, spread),
            height * 70 // 100 + rng.randint(-spread, spread),
            spread + rng.randint(0, 30),
            spread + rng.randint(-14, 20),
            tone(leaf, 84 + i * 7),
        )


def _lamp_post(brush: Brush, rng: Random) -> None:
    post, height = pick(rng, DARK), rng.randint(300, 430)
    brush.line((0, 0), (0, height), 10, post)
    brush.line((0, height), (56, height + 8), 9, post)
    brush.ellipse(60, height + 2, 20, 9, WARM_LIGHT, lit=True)


def _bin(brush: Brush, rng: Random) -> None:
    colour = pick(rng, PAINTS)
    brush.shadow(0, 0, 40, 7, 65)
    brush.polygon([(-26, 0), (26, 0), (32, 84), (-32, 84)], colour)
    brush.box(-36, 84, 36, 94, tone(colour, 66))
    for x in (-12, 4):
        brush.line((x, 10), (x, 76), 5, tone(colour, 78))


def _bench(brush: Brush, rng: Random) -> None:
    wood = limit(150 + rng.randint(-30, 30), 104 + rng.randint(-20, 20), 62)
    for x in (-74, 74):
        brush.line((x, 0), (x, 86), 8, (58, 58, 62))
    for y in (44, 66, 82):
        brush.line((-86, y), (86, y), 11, wood)


def _sign(brush: Brush, rng: Random) -> None:
    brush.line((0, 0), (0, 230), 8, pick(rng, METAL))
    colour, kind = pick(rng, PAINTS), rng.randrange(3)
    if kind == 0:
        brush.ellipse(0, 232, 34, 34, (226, 226, 224))
        brush.ellipse(0, 232, 27, 27, colour)
    elif kind == 1:
        brush.polygon([(-40, 200), (40, 200), (0, 270)], colour)
        brush.polygon([(-24, 209), (24, 209), (0, 252)], (236, 232, 220))
    else:
        brush.box(-44, 196, 44, 256, colour)
        brush.box(-36, 220, 30, 230, (240, 240, 240))


def _bush(brush: Brush, rng: Random) -> None:
    leaf = pick(rng, LEAVES)
    for i in range(5):
        brush.ellipse(
            rng.randint(-60, 60), rng.randint(20, 44), rng.randint(28, 48), rng.randint(22, 40), tone(leaf, 80 + i * 8)
        )


def _crate(brush: Brush, rng: Random) -> None:
    colour, half, high = pick(rng, PAINTS + HOUSES), rng.randint(30, 90), rng.randint(40, 120)
    brush.shadow(0, 0, half + 14, 8, 60)
    brush.box(-half, 0, half, high, colour)
    brush.box(-half, high - 10, half, high, tone(colour, 70))
    brush.line((-half + 6, 6), (half - 6, high - 14), 6, tone(colour, 78))


def _cone(brush: Brush, rng: Random) -> None:
    brush.box(-24, 0, 24, 7, (200, 84, 36))
    brush.polygon([(-18, 7), (18, 7), (4, 72), (-4, 72)], (232, 100, 40))
    brush.polygon([(-12, 28), (12, 28), (8, 46), (-8, 46)], (240, 240, 236))


def _hydrant(brush: Brush, rng: Random) -> None:
    colour = pick(rng, PAINTS)
    brush.box(-16, 0, 16, 66, colour)
    brush.ellipse(0, 66, 19, 15, tone(colour, 116))
    brush.box(-27, 38, 27, 52, tone(colour, 82))


LOW_PIECES: tuple[Callable[[Brush, Random], None], ...] = (_bin, _bench, _bush, _crate, _cone, _hydrant)
TALL_PIECES: tuple[Callable[[Brush, Random], None], ...] = (_lamp_post, _sign, _tree)
