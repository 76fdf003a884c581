"""Boxes with class and score drawn on an image, in colours that colour-blind readers can tell apart."""

from __future__ import annotations

import importlib.resources
from collections.abc import Sequence
from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

Pixels = npt.NDArray[np.uint8]
Rgb = tuple[int, int, int]
Rectangle = tuple[float, float, float, float]

# Okabe and Ito, "Color Universal Design" (2008), their seven colours beside black, brightest contrasts first.
PALETTE: tuple[Rgb, ...] = (
    (230, 159, 0),
    (86, 180, 233),
    (0, 158, 115),
    (240, 228, 66),
    (213, 94, 0),
    (204, 121, 167),
    (0, 114, 178),
)
_DARK: Rgb = (16, 16, 16)
_LIGHT: Rgb = (255, 255, 255)


def class_colour(index: int) -> Rgb:
    """Red, green, blue of the class at this place of `class_names`; past the palette's end hues repeat, paler."""
    hue, turn = PALETTE[index % len(PALETTE)], index // len(PALETTE) % 3
    red, green, blue = (round(value + (255 - value) * 0.3 * turn) for value in hue)
    return red, green, blue


def draw_boxes(
    image_bgr: Pixels,
    boxes_xywh: npt.ArrayLike,
    *,
    labels: Sequence[int],
    class_names: Sequence[str],
    scores: Sequence[float] | None = None,
    min_long_side: int = 640,
) -> Pixels:
    """Return a copy of the image with boxes and their labels drawn on it.

    Boxes are (N, 4) x, y, width, height in pixels of the given image; labels are places in `class_names`.
    An image whose longer side is below `min_long_side` pixels is enlarged first, so that text stays legible;
    0 keeps its size. A label that would cover another one is left out; the box stays in its class colour.
    """
    boxes = np.asarray(boxes_xywh, dtype=np.float64).reshape(-1, 4)
    image, scale = _enlarged(image_bgr, min_long_side)
    canvas = Image.fromarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB))
    draw = ImageDraw.Draw(canvas)
    long_side = max(canvas.size)
    width, font = max(2, round(long_side / 320)), _font(max(11, round(long_side / (42 if len(boxes) <= 12 else 54))))
    corners = [(x * scale, y * scale, (x + w) * scale, (y + h) * scale) for x, y, w, h in boxes]
    order = sorted(range(len(boxes)), key=lambda place: -boxes[place, 2] * boxes[place, 3])
    for place in order:
        _outline(draw, corners[place], colour=class_colour(labels[place]), width=width)
    taken: list[Rectangle] = []
    for place in order:
        text = class_names[labels[place]] + (f" {scores[place]:.2f}" if scores is not None else "")
        taken += _tag(draw, text, box=corners[place], colour=class_colour(labels[place]), font=font, taken=taken)
    return np.ascontiguousarray(np.asarray(canvas)[:, :, ::-1])


def _enlarged(image: Pixels, min_long_side: int) -> tuple[Pixels, float]:
    scale = max(1.0, min_long_side / max(image.shape[:2]))
    if scale == 1.0:
        return image, scale
    size = (round(image.shape[1] * scale), round(image.shape[0] * scale))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_CUBIC), dtype=np.uint8), scale


@lru_cache(maxsize=8)
def _font(size: int) -> ImageFont.FreeTypeFont:
    fonts = importlib.resources.files("matplotlib") / "mpl-data" / "fonts" / "ttf"
    with importlib.resources.as_file(fonts / "DejaVuSans-Bold.ttf") as path:
        return ImageFont.truetype(str(path), size)


def _outline(draw: ImageDraw.ImageDraw, corners: Rectangle, *, colour: Rgb, width: int) -> None:
    left, top, right, bottom = corners
    right, bottom = max(left + 1, right), max(top + 1, bottom)
    rim = max(1, width // 3)
    draw.rectangle((left - rim, top - rim, right + rim, bottom + rim), outline=_ink(colour), width=width + 2 * rim)
    draw.rectangle((left, top, right, bottom), outline=colour, width=width)


def _tag(
    draw: ImageDraw.ImageDraw,
    text: str,
    *,
    box: Rectangle,
    colour: Rgb,
    font: ImageFont.FreeTypeFont,
    taken: Sequence[Rectangle],
) -> list[Rectangle]:
    pad = max(2, round(font.size * 0.2))
    height = font.size + 2 * pad
    spots = _free_spots(box, (font.getlength(text) + 2 * pad, height), limits=draw.im.size, taken=taken)
    for spot in spots:
        draw.rectangle(spot, fill=colour)
        draw.text((spot[0] + pad, spot[1] + height / 2), text, font=font, fill=_ink(colour), anchor="lm")
    return spots


def _free_spots(
    box: Rectangle, size: tuple[float, float], *, limits: tuple[int, int], taken: Sequence[Rectangle]
) -> list[Rectangle]:
    """Return the first of above, below and inside the box that covers no other tag; nothing when all do."""
    width, height = size
    for x, y in ((box[0], box[1] - height), (box[0], box[3]), (box[0], box[1]), (box[2] - width, box[1] - height)):
        left, top = max(0.0, min(x, limits[0] - width)), max(0.0, min(y, limits[1] - height))
        spot = (left, top, left + width, top + height)
        if not any(_overlap(spot, other) for other in taken):
            return [spot]
    return []


def _overlap(one: Rectangle, other: Rectangle) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _ink(colour: Rgb) -> Rgb:
    """Dark or light text, whichever stands out more on this colour (relative luminance of ITU-R BT.709)."""
    red, green, blue = colour
    return _DARK if 0.2126 * red + 0.7152 * green + 0.0722 * blue > 100 else _LIGHT
