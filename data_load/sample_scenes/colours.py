"""Palettes of the drawn scenes; every class takes its paint from the same one, so colour gives no class away."""

from random import Random

from sample_scenes.canvas import Colour

PAINTS: tuple[Colour, ...] = (
    (196, 44, 40),
    (226, 96, 40),
    (238, 178, 42),
    (120, 168, 62),
    (40, 128, 84),
    (36, 148, 158),
    (44, 112, 190),
    (42, 58, 122),
    (116, 72, 158),
    (206, 92, 140),
    (232, 230, 224),
    (164, 170, 176),
    (92, 96, 104),
    (36, 38, 44),
    (142, 92, 58),
    (214, 190, 150),
)
SKIN: tuple[Colour, ...] = ((244, 208, 178), (226, 178, 140), (196, 142, 104), (148, 98, 66), (98, 64, 44))
HAIR: tuple[Colour, ...] = ((34, 26, 22), (78, 50, 32), (140, 92, 48), (214, 178, 108), (150, 148, 146), (160, 66, 36))
DARK: tuple[Colour, ...] = ((28, 28, 32), (52, 44, 40), (40, 46, 60), (70, 66, 64))
METAL: tuple[Colour, ...] = ((188, 192, 198), (150, 154, 160), (118, 120, 126), (206, 202, 190))
TYRE: tuple[Colour, ...] = ((30, 30, 33), (42, 40, 40), (22, 22, 26))
GLASS: Colour = (126, 158, 180)
WARM_LIGHT: Colour = (255, 236, 176)
RED_LIGHT: Colour = (216, 34, 28)


def pick(rng: Random, palette: tuple[Colour, ...]) -> Colour:
    """Return one colour of a palette, moved a little so that no two are quite the same."""
    red, green, blue = rng.choice(palette)
    light = rng.randint(-14, 14)
    return limit(
        red + light + rng.randint(-6, 6), green + light + rng.randint(-6, 6), blue + light + rng.randint(-6, 6)
    )


def tone(colour: Colour, percent: int) -> Colour:
    """Return the colour made darker (under 100) or lighter (over 100)."""
    red, green, blue = colour
    return limit(red * percent // 100, green * percent // 100, blue * percent // 100)


def mix(one: Colour, other: Colour, percent: int) -> Colour:
    """Return one colour with so many percent of the other."""
    red, green, blue = ((a * (100 - percent) + b * percent) // 100 for a, b in zip(one, other, strict=True))
    return red, green, blue


def limit(red: int, green: int, blue: int) -> Colour:
    """Return the colour with each channel brought into 0..255."""
    return min(max(red, 0), 255), min(max(green, 0), 255), min(max(blue, 0), 255)
