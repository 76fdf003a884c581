"""Draws cars and buses from the side and from the front, in centimetres, each different from the last."""

from random import Random

from sample_scenes.canvas import Brush, Colour, Point
from sample_scenes.colours import DARK, GLASS, METAL, PAINTS, RED_LIGHT, TYRE, WARM_LIGHT, mix, pick, tone
from sample_scenes.people import draw_wheel

# Side views, front to the right: the lower body, the cabin on it, and the window line, as (x, y).
CAR_SHAPES: dict[str, tuple[list[Point], list[Point]]] = {
    "saloon": (
        [
            (-205, 32),
            (-208, 78),
            (-195, 90),
            (-120, 96),
            (95, 92),
            (185, 82),
            (205, 68),
            (208, 34),
            (190, 26),
            (-190, 26),
        ],
        [(-140, 90), (-92, 138), (-70, 144), (20, 144), (42, 138), (100, 90)],
    ),
    "hatchback": (
        [(-178, 32), (-182, 84), (-172, 98), (90, 94), (160, 82), (180, 66), (182, 34), (166, 26), (-166, 26)],
        [(-176, 92), (-150, 142), (-128, 150), (14, 150), (38, 142), (98, 90)],
    ),
    "estate": (
        [(-212, 34), (-215, 88), (-205, 102), (95, 98), (186, 88), (208, 72), (210, 36), (192, 28), (-196, 28)],
        [(-208, 96), (-192, 150), (-176, 158), (18, 158), (46, 150), (104, 94)],
    ),
    "offroad": (
        [(-198, 42), (-200, 104), (-194, 112), (84, 112), (186, 104), (198, 94), (200, 44), (186, 36), (-186, 36)],
        [(-196, 106), (-190, 172), (-180, 180), (30, 180), (44, 174), (82, 106)],
    ),
}


def draw_car(brush: Brush, rng: Random) -> None:
    """Draw a saloon, hatchback, estate or off-road car from the side; one in eight from the front."""
    if rng.randrange(8) == 0:
        _car_front(brush, rng)
        return
    paint, rim = pick(rng, PAINTS), pick(rng, METAL)
    body, cabin = CAR_SHAPES[rng.choice(sorted(CAR_SHAPES))]
    belt, roof = cabin[0][1] + 4, max(y for _, y in cabin)
    brush.shadow(0, 2, 225, 14, 52)
    brush.polygon(cabin, tone(paint, rng.choice([80, 92, 100])))
    _car_windows(brush, cabin, belt, rng)
    brush.polygon(body, paint)
    brush.polygon([(body[0][0], 36), (body[-2][0] + 18, 36), (body[-2][0], 26), (body[-1][0], 26)], tone(paint, 58))
    brush.line((body[2][0] + 18, belt - 18), (150, belt - 20), 4, tone(paint, 122))
    for x in (-34, 44):
        brush.line((x, 40), (x, belt - 2), 3, tone(paint, 66))
    brush.line((-22, belt - 14), (-8, belt - 14), 6, tone(paint, 50))
    brush.box(body[1][0], belt - 30, body[1][0] + 16, belt - 12, RED_LIGHT, lit=True)
    front = body[-3][0]
    brush.polygon(
        [(front - 22, belt - 18), (front - 2, belt - 30), (front - 2, belt - 40), (front - 26, belt - 32)],
        WARM_LIGHT,
        lit=True,
    )
    for x in (body[0][0] + 78, front - 76):
        brush.ellipse(x, 32, 42, 42, tone(paint, 36))
        draw_wheel(brush, x, 34, rim, rng)
    if rng.randrange(5) == 0:
        brush.line((-90, roof + 8), (0, roof + 8), 7, pick(rng, DARK))


def draw_bus(brush: Brush, rng: Random) -> None:
    """Draw a bus from the side: a long box, large windows, doors; some have two decks, some show their front."""
    if rng.randrange(8) == 0:
        _bus_front(brush, rng)
        return
    paint, half = pick(rng, PAINTS), rng.randint(290, 350)
    decks = 2 if rng.randrange(5) == 0 else 1
    height = 300 if decks == 1 else 410
    second = pick(rng, PAINTS)
    brush.shadow(0, 2, half + 20, 16, 50)
    nose = [(half - 34, height), (half - 8, height - 30), (half, 150), (half, 34)]
    brush.polygon([(-half, 34), (-half, height - 20), (-half + 18, height), *nose], paint)
    brush.box(-half, 34, half, 52, tone(paint, 52))
    if rng.randrange(2):
        brush.box(-half, 70, half - 2, rng.randint(88, 112), second)
    glass = glass_colour(rng)
    for deck in range(decks):
        _bus_windows(brush, half, 140 + deck * 142, glass, rng)
    _bus_doors(brush, half, paint, glass, rng)
    brush.box(half - 112, height - 26, half - 42, height - 6, (34, 32, 30))
    brush.box(half - 106, height - 21, half - 50, height - 12, (250, 190, 60), lit=True)
    brush.box(half - 12, 62, half, 84, WARM_LIGHT, lit=True)
    brush.box(-half, 70, -half + 9, 100, RED_LIGHT, lit=True)
    for x in (-half + 145, half - 160):
        brush.ellipse(x, 46, 58, 56, tone(paint, 38))
        draw_wheel(brush, x, 47, pick(rng, METAL), rng)


def glass_colour(rng: Random) -> Colour:
    """Window glass, lighter or darker."""
    return mix(pick(rng, (GLASS,)), (34, 44, 58), rng.choice([0, 30, 60, 80]))


def _car_windows(brush: Brush, cabin: list[Point], belt: int, rng: Random) -> None:
    glass = glass_colour(rng)
    middle = (cabin[0][0] + cabin[-1][0]) // 2
    inner = [(x + (middle - x) * 11 // 100, max(belt, y - 9)) for x, y in cabin]
    brush.polygon(inner, glass)
    brush.polygon(
        [
            (inner[-2][0] - 8, inner[-2][1]),
            (inner[-2][0] - 34, inner[-2][1]),
            (inner[-1][0] - 60, belt),
            (inner[-1][0] - 34, belt),
        ],
        mix(glass, (255, 255, 255), 40),
    )
    roof = max(y for _, y in cabin)
    pillar = pick(rng, DARK)
    for x in (-34, 44) if cabin[-1][0] - cabin[0][0] > 270 else (-34,):
        brush.line((x, belt), (x - 4, roof - 8), 8, pillar)


def _bus_windows(brush: Brush, half: int, bottom: int, glass: Colour, rng: Random) -> None:
    count = rng.randint(5, 7)
    left, right, top = -half + 18, half - 124, bottom + 92
    pitch = (right - left) // count
    for i in range(count):
        x = left + i * pitch
        brush.box(x, bottom, x + pitch - 12, top, glass)
        brush.polygon(
            [(x + 8, bottom), (x + 24, bottom), (x + 44, top), (x + 28, top)], mix(glass, (255, 255, 255), 28)
        )
    brush.polygon([(half - 52, bottom - 6), (half - 2, bottom - 6), (half - 12, top + 6), (half - 52, top + 6)], glass)


def _bus_doors(brush: Brush, half: int, paint: Colour, glass: Colour, rng: Random) -> None:
    for x in rng.choice([(half - 118,), (half - 118, -40), (half - 118, -half + 190)]):
        brush.box(x - 4, 46, x + 58, 240, tone(paint, 60))
        brush.box(x, 52, x + 26, 234, tone(glass, 88))
        brush.box(x + 29, 52, x + 54, 234, tone(glass, 88))


def _car_front(brush: Brush, rng: Random) -> None:
    paint, glass = pick(rng, PAINTS), glass_colour(rng)
    top = rng.randint(146, 176)
    brush.shadow(0, 4, 105, 13, 52)
    for x in (-76, 52):
        brush.box(x, 0, x + 24, 40, pick(rng, TYRE))
    brush.polygon([(-84, 92), (-62, top - 8), (-48, top), (48, top), (62, top - 8), (84, 92)], tone(paint, 86))
    brush.polygon([(-72, 94), (-54, top - 12), (54, top - 12), (72, 94)], glass)
    brush.polygon([(-20, 94), (4, top - 12), (24, top - 12), (0, 94)], mix(glass, (255, 255, 255), 32))
    brush.polygon([(-90, 30), (-92, 76), (-80, 98), (80, 98), (92, 76), (90, 30), (78, 22), (-78, 22)], paint)
    brush.polygon([(-46, 52), (-52, 74), (52, 74), (46, 52)], (38, 38, 42))
    brush.box(-86, 26, 86, 40, tone(paint, 60))
    brush.box(-26, 32, 26, 46, (236, 236, 228))
    for x in (-68, 68):
        brush.ellipse(x, 70, 17, 12, WARM_LIGHT, lit=True)
    for x in (-96, 96):
        brush.ellipse(x, 102, 11, 8, tone(paint, 80))


def _bus_front(brush: Brush, rng: Random) -> None:
    paint, glass, height = pick(rng, PAINTS), glass_colour(rng), rng.choice([300, 310, 405])
    brush.shadow(0, 4, 145, 16, 50)
    for x in (-112, 80):
        brush.box(x, 0, x + 32, 50, pick(rng, TYRE))
    brush.polygon(
        [(-128, 34), (-128, height - 18), (-112, height), (112, height), (128, height - 18), (128, 34)], paint
    )
    brush.polygon([(-116, 120), (-112, 252), (112, 252), (116, 120)], glass)
    brush.polygon([(-70, 120), (-40, 252), (0, 252), (-30, 120)], mix(glass, (255, 255, 255), 30))
    brush.line((0, 120), (0, 252), 5, tone(paint, 60))
    if height > 400:
        brush.box(-112, 296, 112, 385, glass)
    brush.box(-84, 260, 84, 288, (34, 32, 30))
    brush.box(-66, 267, 62, 281, (250, 190, 60), lit=True)
    brush.box(-128, 34, 128, 54, tone(paint, 55))
    for x in (-98, 98):
        brush.ellipse(x, 80, 19, 15, WARM_LIGHT, lit=True)
    for x in (-142, 142):
        brush.box(x - 10, 180, x + 10, 236, (42, 42, 46))
