"""EXIF's orientation: how an image file asks to be rotated and mirrored before it is looked at.

`letterbox.py` reads that of WebP files by itself, and the packed service that of all: both must run without Pillow.
"""

from __future__ import annotations

from PIL import Image

_ORIENTATION = 0x0112
SWAPS_SIDES = frozenset({5, 6, 7, 8})
"""The orientations that exchange width and height."""


def orientation_of(image: Image.Image) -> int:
    """Read the orientation, 1 to 8, of an opened file; 1, upright, where it states none or one that is not defined."""
    value = image.getexif().get(_ORIENTATION, 1)
    return int(value) if value in range(1, 9) else 1


def upright_size(image: Image.Image) -> tuple[int, int]:
    """Return width and height in pixels once the image is upright."""
    width, height = image.size
    return (height, width) if orientation_of(image) in SWAPS_SIDES else (width, height)
