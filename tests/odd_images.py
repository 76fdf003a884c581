"""Images as they turn up in datasets, made small: each a file's name and a function that returns its bytes."""

import io
from collections.abc import Callable, Mapping

import cv2
import numpy as np
from PIL import Image

ORIENTATION = 0x0112


def pixels(height: int, width: int, channels: int = 3) -> np.ndarray:
    """Return a smooth random picture, uint8, always the same for one size."""
    values = np.random.default_rng(height * 7 + width).integers(0, 256, (height, width, channels), dtype=np.uint8)
    return cv2.GaussianBlur(values, (5, 5), 0).reshape(height, width, channels)


def saved(array: np.ndarray, file_format: str = "PNG", **options: object) -> bytes:
    """Return the bytes of an image file."""
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, file_format, **options)
    return buffer.getvalue()


def rotated(file_format: str, orientation: int, **options: object) -> bytes:
    """Return the bytes of an image file whose EXIF asks for an orientation."""
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    return saved(pixels(60, 90), file_format, exif=exif, **options)


def _cmyk_jpeg() -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels(70, 50)).convert("CMYK").save(buffer, "JPEG")
    return buffer.getvalue()


def _sixteen_bit_png() -> bytes:
    values = np.random.default_rng(3).integers(0, 65536, (40, 61, 3), dtype=np.uint16)
    return bytes(cv2.imencode(".png", values)[1])


ODD_IMAGES: Mapping[str, Callable[[], bytes]] = {
    "one_row_of_a_thousand.png": lambda: saved(pixels(1, 1000)),
    "one_column_of_a_thousand.png": lambda: saved(pixels(1000, 1)),
    "grey.png": lambda: saved(pixels(33, 57, 1)[:, :, 0]),
    "rgba.png": lambda: saved(pixels(64, 47, 4)),
    "sixteen_bit.png": _sixteen_bit_png,
    "rotated_by_exif.jpg": lambda: rotated("JPEG", 6),
    "cmyk.jpg": _cmyk_jpeg,
    "larger_than_the_network.png": lambda: saved(pixels(300, 411)),
    "one_pixel.png": lambda: saved(pixels(1, 1)),
    "not_turned.webp": lambda: saved(pixels(60, 90), "WEBP"),
}
"""mmdet's own loader reads them all as we do."""
