"""What an image file says of itself in its first bytes, read before anything is decoded."""

from __future__ import annotations

import struct
from collections.abc import Callable
from http import HTTPStatus

from rest_service.errors import RequestError

Size = tuple[int, int]
"""Width and height in pixels."""
MEDIA_TYPES = ("image/jpeg", "image/png", "image/webp", "image/gif", "image/bmp", "image/tiff")
_JPEG_SEGMENTS = 2000
"""Segments before the size at most: a long ICC profile takes 255 of them."""
_TIFF_ENTRIES = 1000


def check_image(data: bytes, *, max_pixels: int) -> Size:
    """Return the size that the header of an image file states, before its orientation is applied.

    Raises RequestError: 400 for bytes that are no image, 415 for a kind of image that is not read here,
    413 for more than `max_pixels` pixels.
    """
    if not data:
        raise RequestError(HTTPStatus.BAD_REQUEST, "empty_image", "the image has no bytes")
    measure = _reader_of(data)
    try:
        width, height = measure(data)
    except (struct.error, IndexError, ValueError) as error:
        raise bad_image("its header is cut off or broken") from error
    if width < 1 or height < 1:
        raise bad_image(f"its header says {width} x {height} pixels")
    if width * height > max_pixels:
        message = f"the image has {width} x {height} pixels, the limit is {max_pixels} in all"
        raise RequestError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too_many_pixels", message)
    return width, height


def bad_image(reason: str) -> RequestError:
    """Return the error for bytes that cannot be read as an image."""
    return RequestError(HTTPStatus.BAD_REQUEST, "bad_image", f"not a readable image: {reason}")


def _reader_of(data: bytes) -> Callable[[bytes], Size]:
    for start, read in _READERS:
        if data.startswith(start):
            return read
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return _webp_size
    known = data[4:8] == b"ftyp" or data.startswith((b"%PDF", b"<svg", b"\0\0\1\0", b"\0\0\0\x0cjP", b"8BPS"))
    if known:
        raise RequestError(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", f"send one of {', '.join(MEDIA_TYPES)}"
        )
    raise bad_image(f"{len(data)} bytes starting with {data[:8]!r}; send one of {', '.join(MEDIA_TYPES)}")


def _png_size(data: bytes) -> Size:
    if data[12:16] != b"IHDR":
        raise ValueError("no size at its place")
    width, height = struct.unpack_from(">II", data, 16)
    return width, height


def _gif_size(data: bytes) -> Size:
    width, height = struct.unpack_from("<HH", data, 6)
    return width, height


def _bmp_size(data: bytes) -> Size:
    (header,) = struct.unpack_from("<I", data, 14)
    width, height = struct.unpack_from("<HH" if header == 12 else "<ii", data, 18)
    return width, abs(height)


def _webp_size(data: bytes) -> Size:
    kind = data[12:16]
    if kind == b"VP8X":
        width, height = (int.from_bytes(data[at : at + 3], "little") + 1 for at in (24, 27))
    elif kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, 21)
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    else:
        width, height = (side & 0x3FFF for side in struct.unpack_from("<HH", data, 26))
    return width, height


def _jpeg_size(data: bytes) -> Size:
    place = 2
    for _ in range(_JPEG_SEGMENTS):
        while data[place] == 0xFF and data[place + 1] == 0xFF:
            place += 1
        if data[place] != 0xFF:
            raise ValueError("no marker where one belongs")
        marker = data[place + 1]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack_from(">HH", data, place + 5)
            return width, height
        (length,) = struct.unpack_from(">H", data, place + 2)
        place += 2 + length
    raise ValueError("no size among the first segments")


def _tiff_size(data: bytes) -> Size:
    order = "<" if data.startswith(b"II") else ">"
    (directory,) = struct.unpack_from(f"{order}I", data, 4)
    (count,) = struct.unpack_from(f"{order}H", data, directory)
    sides = {}
    for number in range(min(count, _TIFF_ENTRIES)):
        entry = directory + 2 + 12 * number
        tag, kind = struct.unpack_from(f"{order}HH", data, entry)
        if tag in (256, 257):
            (sides[tag],) = struct.unpack_from(order + ("H" if kind == 3 else "I"), data, entry + 8)
    if len(sides) < 2:
        raise ValueError("no width or height in the first directory")
    return sides[256], sides[257]


_READERS: tuple[tuple[bytes, Callable[[bytes], Size]], ...] = (
    (b"\xff\xd8", _jpeg_size),
    (b"\x89PNG\r\n\x1a\n", _png_size),
    (b"GIF87a", _gif_size),
    (b"GIF89a", _gif_size),
    (b"BM", _bmp_size),
    (b"II*\0", _tiff_size),
    (b"MM\0*", _tiff_size),
)
