"""Weather, light and camera: turns a finished canvas into the pixels of a photograph-like picture."""

from random import Random

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sample_scenes.canvas import OVERSAMPLE, Canvas

Pixels = NDArray[np.uint8]


def expose(canvas: Canvas, rng: Random, *, night: bool) -> Pixels:
    """Return the final pixels (height, width, 3), RGB: light, shrinking, weather, blur and noise, all in integers."""
    _light(canvas, rng, night=night)
    picture = Image.frombuffer("RGBX", (canvas.side, canvas.side), canvas.words.tobytes(), "raw", "RGBX", 0, 1)
    pixels = np.asarray(picture.reduce(OVERSAMPLE).convert("RGB")).astype(np.int32)
    weather = rng.randrange(12)
    if weather == 0:
        _rain(pixels, rng)
    elif weather == 1:
        _snow(pixels, rng)
    if rng.randrange(7) == 0:
        pixels = _blur(pixels)
    return _noise(pixels, rng)


def haze(canvas: Canvas, rng: Random) -> None:
    """Veil what is drawn so far, as mist does to what is far away."""
    percent = rng.choice([0, 0, 10, 22, 40])
    if percent:
        veil = rng.randint(150, 225)
        levels = ((np.arange(256) * (100 - percent) + veil * percent) // 100).astype(np.uint8)
        canvas.words[:] = levels[canvas.words.view(np.uint8)].view("<u4")


def _light(canvas: Canvas, rng: Random, *, night: bool) -> None:
    gains = (
        (86, 92, 124)
        if night
        else rng.choice([(100, 100, 100), (108, 104, 96), (92, 98, 106), (116, 100, 82), (84, 86, 90)])
    )
    contrast, lift = rng.randint(74, 118), rng.randint(-18, 18)
    lit = canvas.lit
    lamps = canvas.colour[lit]
    for channel, gain in enumerate(gains):
        levels = ((np.arange(256) - 128) * contrast // 100 + 128 + lift) * gain * (60 if night else 100) // 10_000
        if night:
            levels = levels + 12
        canvas.colour[..., channel] = np.clip(levels, 0, 255).astype(np.uint8)[canvas.colour[..., channel]]
    canvas.colour[lit] = lamps


def _rain(pixels: NDArray[np.int32], rng: Random) -> None:
    height, width = pixels.shape[:2]
    slant, length = rng.randint(-2, 2), height * rng.randint(3, 6) // 100
    for _ in range(height * width // 500):
        x, y = rng.randrange(width), rng.randrange(height - length)
        for step in range(length):
            column = min(max(x + slant * step // 4, 0), width - 1)
            pixels[y + step, column] += 26


def _snow(pixels: NDArray[np.int32], rng: Random) -> None:
    height, width = pixels.shape[:2]
    for _ in range(height * width // 420):
        x, y, size = rng.randrange(width), rng.randrange(height), rng.choice([1, 1, 2])
        pixels[y : y + size, x : x + size] += 90


def _blur(pixels: NDArray[np.int32]) -> NDArray[np.int32]:
    """Mean of 3 by 3 pixels, edges repeated."""
    height, width = pixels.shape[:2]
    padded = np.pad(pixels, ((1, 1), (1, 1), (0, 0)), mode="edge")
    return sum((padded[y : y + height, x : x + width] for y in range(3) for x in range(3)), np.zeros_like(pixels)) // 9


def _noise(pixels: NDArray[np.int32], rng: Random) -> Pixels:
    height, width = pixels.shape[:2]
    strength = rng.choice([3, 5, 8, 14])
    grain = np.frombuffer(rng.randbytes(height * width), dtype=np.uint8).astype(np.int32).reshape(height, width, 1)
    noisy = pixels + (grain - 128) * strength // 128
    return np.clip(noisy, 0, 255).astype(np.uint8)
