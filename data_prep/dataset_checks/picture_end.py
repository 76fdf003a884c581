"""Whether a JPEG or PNG file holds its picture to the end, whatever follows it.

Phones write a film behind the picture, cameras further pictures, tools zeros; so the picture's own markers are
followed from its start, and what lies behind its end is not looked at.
"""

import re

_JPEG_START, _PNG_START = b"\xff\xd8", b"\x89PNG\r\n\x1a\n"
_END_MARKER, _SCAN_MARKER = 0xD9, 0xDA
# What may stand between two scans and before the end: tables, a number of lines, notes, and segments of programs.
_BETWEEN_SCANS = {0xC4, 0xDA, 0xDB, 0xDC, 0xDD, 0xFE, *range(0xE0, 0xF0)}
# In compressed data FF is followed by 0 or by the number of a restart; fill bytes are FF too.
_JPEG_MARKER = re.compile(rb"\xff[^\x00\x01\xd0-\xd7\xff]")
_PNG_CHUNK = re.compile(rb"[A-Za-z]{4}")


def is_cut_short(data: bytes) -> bool:
    """Return whether a JPEG or PNG lacks its end; some decoders fill the missing part with grey and say nothing."""
    if data.startswith(_JPEG_START):
        return not _has_jpeg_end(data)
    return data.startswith(_PNG_START) and not _has_png_end(data)


def _has_jpeg_end(data: bytes) -> bool:
    place, scanned = len(_JPEG_START), False
    while found := _JPEG_MARKER.search(data, place):
        place, marker = found.end(), data[found.end() - 1]
        if marker == _END_MARKER:
            return scanned
        if scanned and marker not in _BETWEEN_SCANS:
            return False  # the picture broke off, and this is of what follows it
        scanned |= marker == _SCAN_MARKER
        place += int.from_bytes(data[place : place + 2], "big")
    return False


def _has_png_end(data: bytes) -> bool:
    place = len(_PNG_START)
    while _PNG_CHUNK.fullmatch(data, place + 4, place + 8):
        if data[place + 4 : place + 8] == b"IEND":
            return True
        place += 12 + int.from_bytes(data[place : place + 4], "big")
    return False
