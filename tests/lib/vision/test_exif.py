"""EXIF's orientation is read in one place."""

import io

import pytest
from PIL import Image

from sinara_lib.vision.exif import orientation_of, upright_size


@pytest.mark.parametrize(("stated", "read"), [(None, 1), (1, 1), (6, 6), (8, 8), (0, 1), (9, 1), (65535, 1)])
def test_the_orientation_is_1_to_8_and_upright_where_it_is_none_of_them(stated: int | None, read: int) -> None:
    exif = Image.Exif()
    if stated is not None:
        exif[0x0112] = stated
    buffer = io.BytesIO()
    Image.new("RGB", (6, 4)).save(buffer, "JPEG", exif=exif)
    with Image.open(buffer) as image:
        assert orientation_of(image) == read
        assert upright_size(image) == ((4, 6) if read >= 5 else (6, 4))
