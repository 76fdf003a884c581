"""Draws people, bicycles and motorcycles, in centimetres, each different from the last."""

from random import Random

from sample_scenes.canvas import Brush, Colour
from sample_scenes.colours import DARK, GLASS, HAIR, METAL, PAINTS, SKIN, TYRE, WARM_LIGHT, pick, tone


def draw_person(brush: Brush, rng: Random) -> None:
    """Draw a standing or walking person, adult or child, 115 to 185 cm."""
    height = rng.choice([118, 132, 160, 168, 174, 180, 185])
    skin, top, trousers, shoes = pick(rng, SKIN), pick(rng, PAINTS), pick(rng, PAINTS), pick(rng, DARK)
    stride, hip, shoulder = rng.choice([8, 14, 22, 30]), height * 50 // 100, height * 80 // 100
    girth = height * rng.randint(22, 29) // 100
    arm, leg = girth * 42 // 100, girth * 52 // 100
    hand = stride * rng.randint(60, 130) // 100
    brush.shadow(0, 0, height * 22 // 100, height * 5 // 100, 62)
    _arm(brush, (0, shoulder - 4), (-hand, hip + 4), arm, (tone(top, 72), skin))
    for foot, dim in ((-stride, 78), (stride, 100)):
        brush.line((0, hip), (foot, 8), leg, tone(trousers, dim))
        brush.line((foot, 4), (foot + 9, 4), 9, shoes)
    if rng.randrange(4) == 0:
        brush.polygon(
            [(-girth // 2, hip + 12), (girth // 2, hip + 12), (girth, hip * 55 // 100), (-girth, hip * 55 // 100)],
            trousers,
        )
    _torso(brush, (girth, hip, shoulder), top)
    if rng.randrange(4) == 0:
        brush.box(-girth - 6, hip + 10, -girth // 3, shoulder - 2, pick(rng, PAINTS))
    _arm(brush, (0, shoulder - 4), (hand, hip + 2), arm, (tone(top, 88), skin))
    _head(brush, (rng.randint(0, 3), height - height * 8 // 100), height * 8 // 100, (skin, pick(rng, HAIR)), rng)


def draw_rider(brush: Brush, rng: Random, seat: tuple[int, int], grip: tuple[int, int]) -> None:
    """Draw a person on a two-wheeler: from the seat, hands on the grip, one foot on the near pedal."""
    skin, top, trousers = pick(rng, SKIN), pick(rng, PAINTS), pick(rng, PAINTS)
    shoulder = (seat[0] + rng.randint(14, 30), seat[1] + 50)
    knee, foot = (seat[0] + 38, seat[1] - 8), (seat[0] + rng.randint(14, 26), seat[1] - 58)
    brush.line((seat[0], seat[1] + 8), shoulder, 34, top)
    brush.line((seat[0], seat[1] + 4), knee, 20, trousers)
    brush.line(knee, foot, 16, tone(trousers, 88))
    brush.line(foot, (foot[0] + 10, foot[1] - 3), 10, pick(rng, DARK))
    _arm(brush, (shoulder[0], shoulder[1] - 4), grip, 13, (tone(top, 82), skin))
    helmet = pick(rng, PAINTS) if rng.randrange(3) else pick(rng, HAIR)
    _head(brush, (shoulder[0] + 8, shoulder[1] + 25), 14, (skin, helmet), rng)


def draw_bicycle(brush: Brush, rng: Random) -> None:
    """Draw a bicycle from the side: two thin wheels, a diamond frame; what is seen through the wheels is its own."""
    frame, radius, base = pick(rng, PAINTS), rng.randint(31, 36), rng.randint(50, 56)
    tube = rng.randint(5, 7)
    brush.shadow(0, 0, 95, 7, 68)
    crank, seat, head = (-4, radius - 2), (-18, 84), (base - 14, 82)
    brush.polygon([(-base, radius), seat, head, crank], None)
    for x in (-base, base):
        _spoked_wheel(brush, x, radius, tone(frame, 55) if rng.randrange(5) == 0 else pick(rng, TYRE))
    for start, end in (
        ((-base, radius), crank),
        ((-base, radius), (-20, 76)),
        (crank, seat),
        (crank, (head[0], 72)),
        ((-19, 76), head),
        ((base, radius), (head[0] - 3, 92)),
    ):
        brush.line(start, end, tube, frame)
    brush.line((seat[0] - 13, 89), (seat[0] + 12, 90), 8, pick(rng, DARK))
    brush.line((head[0] - 3, 92), (head[0] + 2, 101), tube, pick(rng, METAL))
    brush.line((head[0] - 8, 102), (head[0] + 9, 101), 6, pick(rng, DARK))
    brush.ellipse(*crank, 9, 9, pick(rng, METAL))
    brush.line(crank, (crank[0] + 11, crank[1] - 12), 4, pick(rng, DARK))
    if rng.randrange(4) == 0:
        brush.box(base - 6, 72, base + 22, 92, pick(rng, PAINTS))


def draw_motorcycle(brush: Brush, rng: Random) -> None:
    """Draw a motorcycle from the side: two fat wheels, engine, tank, seat, exhaust."""
    body, base, radius = pick(rng, PAINTS), rng.randint(66, 74), rng.randint(29, 33)
    metal = pick(rng, METAL)
    brush.shadow(0, 0, 115, 9, 60)
    for x in (-base, base):
        draw_wheel(brush, x, radius, metal, rng)
    brush.polygon([(-42, 26), (34, 26), (42, 58), (-36, 62)], tone(metal, 58))
    brush.ellipse(2, 40, 19, 17, metal)
    brush.line((-20, 27), (-base - 18, 33), 11, tone(metal, 118))
    brush.line((base, radius), (base - 27, 94), 9, tone(metal, 85))
    brush.polygon([(-base - 22, 72), (-base + 8, 62), (-6, 62), (-8, 80), (-52, 83), (-base - 24, 90)], body)
    brush.line((-58, 86), (-10, 80), 11, pick(rng, DARK))
    brush.polygon([(-12, 62), (38, 64), (46, 82), (30, 96), (0, 94), (-14, 80)], body)
    brush.polygon(
        [(base - 30, radius + 26), (base + 16, radius + 34), (base + 10, radius + 40), (base - 30, radius + 36)], body
    )
    if rng.randrange(2):
        brush.polygon([(34, 84), (62, 80), (58, 102), (40, 122), (34, 104)], tone(body, 85))
        brush.polygon([(44, 104), (56, 103), (42, 124), (39, 120)], GLASS)
    brush.line((base - 28, 96), (base - 38, 108), 7, pick(rng, DARK))
    brush.ellipse(base - 8, 84, 9, 9, WARM_LIGHT, lit=True)
    brush.box(-base - 26, 76, -base - 20, 86, (210, 30, 25), lit=True)


def draw_wheel(brush: Brush, x: int, radius: int, hub: Colour, rng: Random) -> None:
    """Draw a tyre with a rim and spokes, standing on the ground at x."""
    brush.ellipse(x, radius, radius, radius, pick(rng, TYRE))
    brush.ellipse(x, radius, radius * 62 // 100, radius * 62 // 100, hub)
    brush.ellipse(x, radius, radius * 50 // 100, radius * 50 // 100, tone(hub, 55))
    reach = radius * 52 // 100
    for dx, dy in ((reach, 0), (reach * 31 // 100, reach * 95 // 100), (-reach * 81 // 100, reach * 59 // 100)):
        brush.line((x - dx, radius - dy), (x + dx, radius + dy), max(radius // 8, 3), hub)
    brush.ellipse(x, radius, radius * 18 // 100, radius * 18 // 100, tone(hub, 80))


def _spoked_wheel(brush: Brush, x: int, radius: int, tyre: Colour) -> None:
    brush.ellipse(x, radius, radius, radius, None)
    previous = None
    for cos, sin in RING:
        point = (x + (radius - 3) * cos // 1000, radius + (radius - 3) * sin // 1000)
        if previous:
            brush.line(previous, point, 6, tyre)
        previous = point
    for cos, sin in RING[:12:2]:
        reach = radius - 5
        brush.line(
            (x - reach * cos // 1000, radius - reach * sin // 1000),
            (x + reach * cos // 1000, radius + reach * sin // 1000),
            1,
            (150, 152, 156),
        )
    brush.ellipse(x, radius, 5, 5, tyre)


def _torso(brush: Brush, frame: tuple[int, int, int], colour: Colour) -> None:
    girth, hip, shoulder = frame
    brush.polygon(
        [
            (-girth // 2, hip - 4),
            (girth // 2, hip - 4),
            (girth * 60 // 100, shoulder - 6),
            (girth * 40 // 100, shoulder + 3),
            (-girth * 40 // 100, shoulder + 3),
            (-girth * 60 // 100, shoulder - 6),
        ],
        colour,
    )


def _arm(
    brush: Brush, shoulder: tuple[int, int], hand: tuple[int, int], width: int, colours: tuple[Colour, Colour]
) -> None:
    brush.line(shoulder, hand, width, colours[0])
    brush.ellipse(*hand, width * 55 // 100, width * 55 // 100, colours[1])


def _head(brush: Brush, centre: tuple[int, int], radius: int, colours: tuple[Colour, Colour], rng: Random) -> None:
    (x, y), (skin, hair) = centre, colours
    brush.line((x, y - radius - 5), (x, y), radius, tone(skin, 88))
    if rng.randrange(3) == 0:
        brush.ellipse(x - radius // 2, y - radius // 2, radius * 90 // 100, radius * 130 // 100, hair)
    brush.ellipse(x, y, radius * 92 // 100, radius, skin)
    brush.polygon(
        [
            (x - radius, y - 1),
            (x - radius, y + radius * 70 // 100),
            (x - radius // 3, y + radius + 2),
            (x + radius // 2, y + radius + 1),
            (x + radius * 92 // 100, y + radius * 50 // 100),
            (x + radius // 4, y + radius * 42 // 100),
            (x - radius // 3, y),
        ],
        hair,
    )


RING = (
    (1000, 0),
    (966, 259),
    (866, 500),
    (707, 707),
    (500, 866),
    (259, 966),
    (0, 1000),
    (-259, 966),
    (-500, 866),
    (-707, 707),
    (-866, 500),
    (-966, 259),
    (-1000, 0),
    (-966, -259),
    (-866, -500),
    (-707, -707),
    (-500, -866),
    (-259, -966),
    (0, -1000),
    (259, -966),
    (500, -866),
    (707, -707),
    (866, -500),
    (966, -259),
    (1000, 0),
)
