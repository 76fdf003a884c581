"""Draws lorries from the side and from the front, in centimetres, each different from the last."""

from random import Random

from sample_scenes.canvas import Brush, Colour
from sample_scenes.colours import METAL, PAINTS, RED_LIGHT, TYRE, WARM_LIGHT, mix, pick, tone
from sample_scenes.people import draw_wheel
from sample_scenes.vehicles import glass_colour

Span = tuple[int, int]
BARE_STEEL: Colour = (130, 132, 138)


def draw_truck(brush: Brush, rng: Random) -> None:
    """Draw a lorry from the side: a cab, a gap, a load of its own silhouette on a chassis; some show their front."""
    if rng.randrange(8) == 0:
        _truck_front(brush, rng)
        return
    paint, load = pick(rng, PAINTS), pick(rng, PAINTS)
    half, cab = rng.randint(265, 320), rng.randint(135, 155)
    brush.shadow(0, 2, half + 15, 15, 50)
    brush.box(-half + 6, 58, half - 20, 80, (48, 48, 52))
    brush.box(-60, 40, 40, 62, (78, 78, 84))
    _truck_load(brush, (-half, half - cab - 22), load, rng)
    _truck_cab(brush, (half - cab, half), paint, rng)
    brush.box(-half, 62, -half + 8, 80, RED_LIGHT, lit=True)
    rear = [-half + 80, -half + 178] if rng.randrange(3) else [-half + 110]
    for x in [*rear, half - 72]:
        brush.ellipse(x, 46, 55, 53, (38, 38, 42))
        draw_wheel(brush, x, 46, pick(rng, METAL), rng)


def _truck_cab(brush: Brush, span: Span, paint: Colour, rng: Random) -> None:
    left, right = span
    top, glass = rng.randint(225, 262), glass_colour(rng)
    if rng.randrange(3) == 0:
        brush.polygon(
            [(left, 42), (left, top), (left + 84, top), (left + 100, 158), (right - 4, 142), (right, 42)], paint
        )
        brush.polygon([(left + 26, 160), (left + 26, top - 16), (left + 74, top - 16), (left + 88, 160)], glass)
    else:
        front = [(right - 30, top), (right - 6, 148), (right, 140), (right, 42)]
        brush.polygon([(left, 42), (left, top - 6), (left + 8, top), *front], paint)
        brush.polygon([(left + 48, 152), (left + 48, top - 26), (right - 36, top - 26), (right - 16, 152)], glass)
        brush.line((left + 94, 152), (left + 94, top - 26), 8, tone(paint, 70))
    brush.line((left + 40, 60), (left + 40, top - 20), 4, tone(paint, 66))
    brush.box(left, 42, right, 60, tone(paint, 48))
    brush.box(right - 10, 70, right, 94, WARM_LIGHT, lit=True)
    brush.line((left - 8, 80), (left - 8, top + 18), 10, BARE_STEEL)


def _truck_load(brush: Brush, span: Span, colour: Colour, rng: Random) -> None:
    kind, top = rng.choice(["box", "box", "tank", "tipper", "logs"]), rng.randint(290, 335)
    if kind == "box":
        _box_load(brush, span, colour, rng, top=top)
    elif kind == "tank":
        _tank_load(brush, span, colour)
    elif kind == "tipper":
        _tipper_load(brush, span, colour)
    else:
        _log_load(brush, span, colour)


def _box_load(brush: Brush, span: Span, colour: Colour, rng: Random, *, top: int) -> None:
    left, right = span
    brush.box(left, 78, right, top, colour)
    for x in range(left + 30, right - 10, rng.choice([28, 48, 400])):
        brush.line((x, 88), (x, top - 10), 4, tone(colour, 82))
    brush.box(left, 78, right, 90, tone(colour, 60))
    if rng.randrange(2):
        brush.ellipse((left + right) // 2, 190, 74, 44, pick(rng, PAINTS))


def _tank_load(brush: Brush, span: Span, colour: Colour) -> None:
    left, right = span
    brush.line((left + 84, 168), (right - 84, 168), 166, colour)
    brush.line((left + 70, 206), (right - 70, 206), 18, mix(colour, (255, 255, 255), 45))
    for x in range(left + 90, right - 60, 90):
        brush.line((x, 92), (x, 244), 7, tone(colour, 70))
    brush.box((left + right) // 2 - 20, 248, (left + right) // 2 + 20, 266, tone(colour, 60))


def _tipper_load(brush: Brush, span: Span, colour: Colour) -> None:
    left, right = span
    brush.polygon([(left + 26, 80), (left - 4, 212), (right, 212), (right - 14, 80)], colour)
    for x in range(left + 60, right - 20, 58):
        brush.line((x, 92), (x - 6, 204), 9, tone(colour, 76))
    heap = [(left + 100, 250), (left + 190, 258), (right - 60, 236)]
    brush.polygon([(left + 14, 212), *heap, (right - 12, 212)], (126, 98, 66))


def _log_load(brush: Brush, span: Span, colour: Colour) -> None:
    left, right = span
    brush.box(left, 78, right, 96, tone(colour, 62))
    lower, upper = [left + 34 + 66 * i for i in range(4)], [left + 67 + 66 * i for i in range(3)]
    for x, y in [(x, 128) for x in lower] + [(x, 186) for x in upper]:
        brush.ellipse(x, y, 33, 33, (132, 92, 58))
        brush.ellipse(x, y, 24, 24, (206, 166, 116))
        brush.ellipse(x, y, 9, 9, (160, 118, 76))


def _truck_front(brush: Brush, rng: Random) -> None:
    paint, load, glass = pick(rng, PAINTS), pick(rng, PAINTS), glass_colour(rng)
    brush.shadow(0, 4, 140, 16, 50)
    for x in (-112, 76):
        brush.box(x, 0, x + 36, 52, pick(rng, TYRE))
    brush.box(-126, 80, 126, rng.randint(315, 340), load)
    brush.polygon([(-116, 34), (-116, 236), (-102, 252), (102, 252), (116, 236), (116, 34)], paint)
    brush.polygon([(-104, 152), (-96, 232), (96, 232), (104, 152)], glass)
    brush.polygon([(-60, 152), (-40, 232), (-8, 232), (-28, 152)], mix(glass, (255, 255, 255), 30))
    for y in range(72, 140, 17):
        brush.box(-66, y, 66, y + 9, (46, 46, 50))
    brush.box(-122, 32, 122, 56, (150, 152, 158))
    for x in (-90, 90):
        brush.ellipse(x, 82, 17, 15, WARM_LIGHT, lit=True)
    for x in (-134, 134):
        brush.box(x - 9, 158, x + 9, 226, (40, 40, 44))
