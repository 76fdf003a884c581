"""Width and height of image files from their headers, as the pictures are seen: EXIF may turn them."""

import struct
from pathlib import Path

from PIL import Image

ORIENTATION = 0x0112
ON_ITS_SIDE = frozenset({5, 6, 7, 8})


def image_size(path: Path) -> tuple[int, int] | None:
    """Width and height in pixels; None where the file is not an image that can be read."""
    try:
        with Image.open(path) as image:
            width, height = image.size
            turned = image.getexif().get(ORIENTATION) in ON_ITS_SIDE
    # Damaged headers make Pillow's readers raise more than they document.
    except (
        OSError,
        ValueError,
        SyntaxError,
        IndexError,
        KeyError,
        TypeError,
        EOFError,
        struct.error,
        Image.DecompressionBombError,
    ):
        return None
    return (height, width) if turned else (width, height)
