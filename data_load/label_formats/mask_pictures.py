"""Masks that JSON files hold as pictures: PNG in base64, also deflated once more."""

import base64
import io
import zlib
from typing import Any

import numpy as np
from PIL import Image

from label_formats.geometry import Box, image_runs
from sinara_lib.errors import DataError
from sinara_lib.vision.run_lengths import runs_of

MOST_BYTES = 1 << 26


def picture_mask(
    written: str, corner: tuple[int, int], *, sides: tuple[int, int], place: str
) -> tuple[Box, dict[str, Any]]:
    """Return the box and COCO's run-length code of a mask that lies with its top left pixel at `corner`.

    A pixel belongs to the object where the picture is not black, and not transparent where it says so. `sides` are the
    image's width and height. Raises DataError.
    """
    part = _pixels(written, place, most=sides)
    height, width = part.shape
    box = (*corner, width, height)
    return (float(corner[0]), float(corner[1]), float(width), float(height)), image_runs(
        runs_of(part.T), box, sides=sides, place=place
    )


def _pixels(written: str, place: str, *, most: tuple[int, int]) -> "np.ndarray[Any, np.dtype[np.bool_]]":
    try:
        with Image.open(io.BytesIO(_inflated(base64.b64decode(written, validate=True)))) as picture:
            if picture.width > most[0] or picture.height > most[1]:
                raise DataError(f"{place}: the mask has {picture.size} pixels, its image {most}.")
            if "A" in picture.getbands() or "transparency" in picture.info:
                return np.asarray(picture.convert("RGBA"))[:, :, 3] > 0
            return np.asarray(picture.convert("RGB")).any(axis=2)
    except (ValueError, zlib.error, OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise DataError(f"{place}: the mask is not a PNG picture in base64: {error}.") from error


def _inflated(data: bytes) -> bytes:
    if data.startswith(b"\x89PNG"):
        return data
    unpacked = zlib.decompressobj()
    found = unpacked.decompress(data, MOST_BYTES)
    if unpacked.unconsumed_tail:
        raise ValueError("it unpacks to more than a mask needs")
    return found
