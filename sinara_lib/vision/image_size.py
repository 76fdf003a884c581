"""The formats of image files that every step reads, and the size that a file states in its first bytes.

Needs the standard library only, because this file is copied beside the packed service, which reads nothing else:
data_prep asks here what the service will be able to read.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable

Size = tuple[int, int]
"""Width and height in pixels."""
MEDIA_TYPES = ("image/jpeg", "image/png", "image/webp", "image/gif", "image/bmp", "image/tiff")
MAX_PIXELS = 50_000_000
"""Pixels of an image that the service decodes for anybody, where whoever runs it sets no other limit."""
_JPEG_SEGMENTS = 2000
"""Segments before the size at most: a long ICC profile takes 255 of them."""
_TIFF_ENTRIES = 1000
_FILL = re.compile(rb"\xff+")
"""A marker may stand behind any number of these bytes."""


class UnknownFormatError(ValueError):
    """The first bytes are of no format in `MEDIA_TYPES`."""


def stated_size(data: bytes) -> Size:
    """Return the size that the header of an image file states, before its orientation is applied.

    Raises UnknownFormatError for another format, ValueError for a header that is cut off or broken.
    """
    measure = _reader_of(data)
    try:
        return measure(data)
    except (struct.error, IndexError, ValueError, OverflowError) as error:
        raise ValueError("its header is cut off or broken") from error


def _reader_of(data: bytes) -> Callable[[bytes], Size]:
    for start, read in _READERS:
        if data.startswith(start):
            return read
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return _webp_size
    raise UnknownFormatError(f"{len(data)} bytes starting with {data[:8]!r}")


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
        fill = _FILL.match(data, place)
        if fill is None:
            raise ValueError("no marker where one belongs")
        place = fill.end() - 1
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


def _big_tiff_size(data: bytes) -> Size:
    order = "<" if data.startswith(b"II") else ">"
    (directory,) = struct.unpack_from(f"{order}Q", data, 8)
    (count,) = struct.unpack_from(f"{order}Q", data, directory)
    sides = {}
    for number in range(min(count, _TIFF_ENTRIES)):
        entry = directory + 8 + 20 * number
        tag, kind = struct.unpack_from(f"{order}HH", data, entry)
        if tag in (256, 257):
            (sides[tag],) = struct.unpack_from(order + {3: "H", 4: "I"}.get(kind, "Q"), data, entry + 12)
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
    (b"II+\0", _big_tiff_size),
    (b"MM\0+", _big_tiff_size),
)
