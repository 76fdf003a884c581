"""A picture is whole when its own end is there, whatever follows it, and cut short when it is not."""

import io
import struct

import cv2
import numpy as np
import pytest
from PIL import Image

from dataset_checks.picture_end import is_cut_short
from prep_cases import read_picture
from sinara_lib.vision.letterbox import decode_image

_RNG = np.random.default_rng(1)
_PIXELS = cv2.GaussianBlur(_RNG.integers(0, 256, (120, 160, 3), dtype=np.uint8), (0, 0), 2)
_FILM = b"\0\0\0\x18ftypmp42" + _RNG.integers(0, 256, 95_000, dtype=np.uint8).tobytes()
"""Random bytes hold every marker of JPEG several times, as a film does."""


def _file(kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    Image.fromarray(_PIXELS).save(file, kind, **options)
    return file.getvalue()


def _with_segment(jpeg: bytes, marker: int, content: bytes) -> bytes:
    return jpeg[:2] + bytes([0xFF, marker]) + struct.pack(">H", len(content) + 2) + content + jpeg[2:]


def _kinds() -> dict[str, bytes]:
    exif = Image.Exif()
    exif[0x0112] = 6
    plain = _file("JPEG")
    return {
        "jpeg": plain,
        "progressive jpeg": _file("JPEG", progressive=True),
        "jpeg with restarts": _file("JPEG", restart_marker_rows=1),
        "jpeg with a thumbnail": _with_segment(plain, 0xE1, b"Exif\0\0" + _file("JPEG", quality=20)),
        "jpeg with exif": _file("JPEG", exif=exif),
        "png": _file("PNG"),
    }


KINDS = _kinds()


@pytest.mark.parametrize("kind", list(KINDS))
@pytest.mark.parametrize(
    "tail", [_FILM, bytes(4096), _file("JPEG"), _file("PNG"), b"\n"], ids=["film", "zeros", "jpeg", "png", "line"]
)
def test_a_whole_picture_is_used_whatever_follows_it(kind: str, tail: bytes) -> None:
    data = KINDS[kind]
    found = read_picture(data + tail)
    assert {found.width, found.height} == {160, 120}
    assert (decode_image(data + tail) == decode_image(data)).all()


@pytest.mark.parametrize("kind", list(KINDS))
@pytest.mark.parametrize(
    "tail", [b"", bytes(4096), _FILM[:64], _file("JPEG")], ids=["nothing", "zeros", "film", "jpeg"]
)
def test_a_picture_that_broke_off_is_found_whatever_follows_it(kind: str, tail: bytes) -> None:
    data = KINDS[kind]
    for share in (0.5, 0.8, 0.97):
        cut = data[: int(len(data) * share)] + tail
        assert is_cut_short(cut)
        with pytest.raises(ValueError, match="ends before the picture does"):
            read_picture(cut)


def test_exif_behind_a_colour_profile_of_any_size_turns_the_picture() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    data = _file("JPEG", exif=exif)
    for _ in range(3):
        data = _with_segment(data, 0xE2, b"ICC_PROFILE\0\x01\x03" + bytes(60_000))
    found = read_picture(data)
    assert (found.orientation, found.width, found.height) == (6, 120, 160)
    assert decode_image(data).shape == (160, 120, 3)
