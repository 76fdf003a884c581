"""What decoding an image file would cost beyond its pixels, walked before it is decoded: scans, text, surplus bytes.

OpenCV's decoders stop at the first picture of an animation and at the first page of a TIFF; what a file can make them
repeat or unpack besides is bounded here.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator
from http import HTTPStatus

from rest_service.errors import RequestError
from rest_service.image_size import Size

MOST_SCANS = 100
"""Scans of a JPEG, each of which visits every pixel; encoders write about ten."""
MOST_CHUNKS = 50_000
MOST_TEXT = 1 << 17
"""Packed bytes of text and profiles in a PNG; a thousand times as much may come out of them."""
FREE_DATA = 1 << 18
"""Packed bytes of a PNG's pixels that are not measured: what they can hold takes half a second at most."""
_BLOCK = 1 << 20
_MARKER = re.compile(rb"\xff+([^\x00\xff\xd0-\xd7])")
"""The next marker behind a scan's own bytes, where 0xFF is followed by a zero or a restart."""
_TEXT = frozenset({b"zTXt", b"iTXt", b"iCCP"})


def check_cost(data: bytes, size: Size) -> None:
    """Raise RequestError (413) for a file that takes far longer to decode than its size (width, height) asks for."""
    if data.startswith(b"\xff\xd8"):
        # Its bytes mostly hold few of these, so that the walk is left out.
        if data.count(b"\xff\xda") > MOST_SCANS and _scans(data) > MOST_SCANS:
            raise _costly(f"it has more than {MOST_SCANS} scans")
    elif data.startswith(b"\x89PNG"):
        _check_png(data, size)


def _scans(data: bytes) -> int:
    """Count the scans of a JPEG up to its end, or up to where it breaks off; stops beyond the most allowed."""
    place, scans = 2, 0
    while scans <= MOST_SCANS and (found := _MARKER.search(data, place)) and found[1] != b"\xd9":
        place = found.end()
        if found[1] == b"\xda":
            scans += 1
        if place + 2 <= len(data):
            place += max(2, int.from_bytes(data[place : place + 2], "big"))
    return scans


def _check_png(data: bytes, size: Size) -> None:
    text, pixels = 0, []
    for number, (kind, start, length) in enumerate(_chunks(data)):
        if number >= MOST_CHUNKS:
            raise _costly(f"it has more than {MOST_CHUNKS} chunks")
        text += length if kind in _TEXT else 0
        if kind == b"IDAT":
            pixels.append((start, length))
    if text > MOST_TEXT:
        raise _costly(f"it holds {text} packed bytes of text and profiles, {MOST_TEXT} are allowed")
    if sum(length for _, length in pixels) > FREE_DATA and _surplus(data, pixels, limit=_raw_bytes(size)):
        raise _costly("it holds more pixels than its header says")


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield kind, start and length of each chunk up to IEND, or up to where the file breaks off."""
    place = 8
    while place + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, place)
        yield kind, place + 8, length
        if kind == b"IEND":
            return
        place += length + 12


def _raw_bytes(size: Size) -> int:
    """Return the most bytes that the pixels of a PNG unpack to: 16-bit RGBA, a filter byte a row, seven passes."""
    width, height = size
    return (8 * width + 1) * (height + 8) + _BLOCK


def _surplus(data: bytes, pixels: list[tuple[int, int]], *, limit: int) -> bool:
    """Return whether the packed pixels unpack to more than `limit` bytes; unpacks no more than that."""
    unpack, out = zlib.decompressobj(), 0
    try:
        for start, length in pixels:
            packed = data[start : start + length]
            while packed and out <= limit:
                out += len(unpack.decompress(packed, _BLOCK))
                packed = unpack.unconsumed_tail
    except zlib.error:
        return False  # the decoder stops there as well
    return out > limit


def _costly(reason: str) -> RequestError:
    return RequestError(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too_costly", f"the image would take too long to decode: {reason}"
    )
