"""Files that are small, and would take long to decode, are refused before; what cameras and editors write is not."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from rest_service.decoding_cost import FREE_DATA, MOST_SCANS, MOST_TEXT, check_cost
from rest_service.errors import RequestError
from rest_service.image_header import check_image
from service_cases import encoded, odd_images

PICTURE = Image.fromarray(np.random.default_rng(1).integers(0, 255, (120, 160, 3), np.uint8))


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def _jpeg_with_scans(count: int, *, behind: bytes = b"") -> bytes:
    """A JPEG whose last scan stands there so many times more."""
    data = encoded(PICTURE, "JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    return data[:-2] + data[last:-2] * count + b"\xff\xd9" + behind


def _png(*before: bytes, pixels: bytes | None = None) -> bytes:
    """A PNG with chunks before its pixels, or with other pixels."""
    data = encoded(PICTURE, "PNG")
    rest = data[33:] if pixels is None else _chunk(b"IDAT", pixels) + _chunk(b"IEND", b"")
    return data[:33] + b"".join(before) + rest


TEXT = _chunk(b"zTXt", b"note\0\0" + zlib.compress(np.random.default_rng(2).bytes(MOST_TEXT)))
SURPLUS = zlib.compress(np.random.default_rng(3).bytes(2 * FREE_DATA) + bytes(4_000_000))


@pytest.mark.parametrize(
    ("data", "why"),
    [
        pytest.param(_jpeg_with_scans(MOST_SCANS), "more than 100 scans", id="scans"),
        pytest.param(_png(TEXT), "packed bytes of text", id="text"),
        pytest.param(_png(pixels=SURPLUS), "more pixels than its header says", id="pixels"),
        pytest.param(_png(_chunk(b"tEXt", b"") * 50_001), "more than 50000 chunks", id="chunks"),
    ],
)
def test_a_file_that_makes_the_decoder_work_for_nothing_is_refused(data: bytes, why: str) -> None:
    with pytest.raises(RequestError, match=why) as refused:
        check_cost(data, check_image(data, max_pixels=50_000_000))
    assert (refused.value.status, refused.value.code) == (413, "too_costly")


@pytest.mark.parametrize(
    "data",
    [
        *odd_images(PICTURE).values(),
        pytest.param(_jpeg_with_scans(20), id="a JPEG of thirty scans"),
        pytest.param(_jpeg_with_scans(0, behind=b"\xff\xda" * 500), id="a video behind the picture"),
        pytest.param(_png(_chunk(b"tEXt", b"a\0b") * 100), id="a PNG with notes"),
        pytest.param(encoded(PICTURE.resize((900, 700)), "PNG", compress_level=0), id="a PNG that was not packed"),
        pytest.param(encoded(PICTURE, "PNG")[:-40], id="a PNG that breaks off"),
        pytest.param(encoded(PICTURE, "JPEG")[:-40], id="a JPEG that breaks off"),
    ],
)
def test_what_people_send_is_let_in(data: bytes) -> None:
    check_cost(data, check_image(data, max_pixels=50_000_000))


def test_megabytes_of_fill_bytes_before_a_marker_are_passed_at_once() -> None:
    data = encoded(PICTURE, "JPEG")
    assert check_image(data[:2] + b"\xff" * 30_000_000 + data[2:], max_pixels=50_000_000) == (160, 120)


def test_the_walk_ends_whatever_the_bytes_are() -> None:
    rng, walked = np.random.default_rng(5), 0
    for start in (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n") * 300:
        check_cost(start + rng.choice(np.frombuffer(b"\xff\xda\x00\x01\xd9IDAT", np.uint8), 2000).tobytes(), (10, 10))
        walked += 1
    assert walked == 600
