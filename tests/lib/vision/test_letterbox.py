"""letterbox: the same pixels as mmdet's own test pipeline, and boxes that find their way back."""

from __future__ import annotations

import io
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from sinara_lib.vision.letterbox import (
    PAD_VALUE,
    boxes_to_original,
    decode_image,
    letterbox,
    to_network_input,
    webp_orientation,
)
from sinara_lib.vision.mmcv_ops import ensure_mmcv_ops
from tests.odd_images import ODD_IMAGES, pixels, rotated, saved

BOXES = [[0.1, 0.2, 0.6, 0.9], [0.0, 0.0, 1.0, 1.0], [0.45, 0.5, 0.5, 0.55]]


def _through_mmdet(path: Path, size: int) -> tuple[np.ndarray, tuple[float, float], tuple[int, int]]:
    """mmdet's own YOLOX test pipeline: the oracle."""
    ensure_mmcv_ops()
    from mmcv.transforms import Compose
    from mmdet.utils import register_all_modules

    register_all_modules(init_default_scope=True)
    pipeline = Compose(
        [
            {"type": "LoadImageFromFile"},
            {"type": "Resize", "scale": (size, size), "keep_ratio": True},
            {"type": "Pad", "pad_to_square": True, "pad_val": {"img": (114.0, 114.0, 114.0)}},
        ]
    )
    result = pipeline({"img_path": str(path)})
    return result["img"], result["scale_factor"], result["ori_shape"]


SIZES = [(name, size) for name in ODD_IMAGES for size in (416, 640) if size == 640 or "thousand" not in name]


@pytest.mark.parametrize(("name", "size"), SIZES)
def test_pixels_and_boxes_are_those_of_mmdets_test_pipeline(name: str, size: int, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(ODD_IMAGES[name]())
    expected, scale_factor, (height, width) = _through_mmdet(path, size)

    image = decode_image(path.read_bytes())
    padded, scale = letterbox(image, (size, size))

    assert image.shape == (height, width, 3)
    assert padded.shape == (size, size, 3)
    assert np.abs(padded.astype(int) - expected.astype(int)).max() <= 1
    original = np.array(BOXES) * [width, height, width, height]
    in_network = original * np.tile(scale_factor, 2)
    np.testing.assert_allclose(boxes_to_original(in_network, scale, width, height), original, rtol=1e-5, atol=1e-4)


@given(
    st.integers(1, 700), st.integers(1, 700), st.sampled_from([(64, 64), (96, 160), (160, 96)]), st.integers(0, 2**31)
)
@settings(max_examples=60, deadline=None)
def test_boxes_of_the_padded_image_go_back(height: int, width: int, size: tuple[int, int], seed: int) -> None:
    padded, scale = letterbox(np.zeros((height, width, 3), np.uint8), size)
    corners = np.sort(np.random.default_rng(seed).uniform(0, 1, (5, 2, 2)), axis=1).reshape(5, 4)
    original = corners * [width, height, width, height]

    grown = [max(1, round(width * scale)) / width, max(1, round(height * scale)) / height]
    there = original * np.tile(grown, 2)

    assert padded.shape == (*size, 3)
    assert (there[:, 2] <= size[1] + 0.51).all()
    assert (there[:, 3] <= size[0] + 0.51).all()
    np.testing.assert_allclose(boxes_to_original(there, scale, width, height), original, atol=1e-2)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_webp_file_is_turned_as_a_png_is_and_as_pillow_does_it(orientation: int) -> None:
    webp = rotated("WEBP", orientation, lossless=True)

    found = decode_image(webp)

    np.testing.assert_array_equal(found, decode_image(rotated("PNG", orientation)))
    expected = ImageOps.exif_transpose(Image.open(io.BytesIO(webp)).convert("RGB"))
    np.testing.assert_array_equal(found, np.asarray(expected)[:, :, ::-1])


def test_the_exif_of_a_webp_file_may_come_from_a_big_endian_camera_or_be_broken() -> None:
    webp = rotated("WEBP", 6, lossless=True)
    at = webp.index(b"EXIF") + 8
    size = int.from_bytes(webp[at - 4 : at], "little")

    def with_exif(exif: bytes) -> bytes:
        return webp[:at] + exif.ljust(size, b"\0")[:size] + webp[at + size :]

    motorola = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0"
    assert webp_orientation(with_exif(motorola)) == webp_orientation(webp) == 6
    for broken in (b"", b"MM\0*\xff\xff\xff\xff", b"II*\0\x08\0\0\0\xff\xff", motorola.replace(b"\x06", b"\x09")):
        assert webp_orientation(with_exif(broken)) == 1
        assert decode_image(with_exif(broken)).shape == (60, 90, 3)


@pytest.mark.parametrize(("brand", "name"), [(b"avif", "AVIF"), (b"heic", "HEIC"), (b"mif1", "HEIC")])
def test_formats_that_only_some_builds_of_opencv_read_are_refused_by_name(brand: bytes, name: str) -> None:
    data = saved(pixels(60, 90), "AVIF").replace(b"ftypavif", b"ftyp" + brand, 1)
    with pytest.raises(ValueError, match=f"{name} is not read; convert the image to JPEG"):
        decode_image(data)


def test_a_side_that_would_shrink_to_nothing_keeps_one_pixel_where_mmdet_gives_up(tmp_path: Path) -> None:
    path = tmp_path / "row.png"
    path.write_bytes(ODD_IMAGES["one_row_of_a_thousand.png"]())
    with pytest.raises(cv2.error):
        _through_mmdet(path, 416)

    padded, scale = letterbox(decode_image(path.read_bytes()), (416, 416))

    assert (padded[1:] == PAD_VALUE).all()
    assert (padded[0] != PAD_VALUE).any()
    back = boxes_to_original(np.array([[0, 0, 208, 1]]), scale, 1000, 1)
    np.testing.assert_allclose(back, [[0, 0, 500, 1]], rtol=1e-5)


def test_the_picture_lies_top_left_and_the_rest_is_grey() -> None:
    padded, scale = letterbox(np.full((50, 100, 3), 7, np.uint8), (64, 80))

    assert scale == pytest.approx(0.8)
    assert (padded[:40] == 7).all()
    assert (padded[40:] == PAD_VALUE).all()


def test_boxes_beyond_the_image_are_clipped_to_it() -> None:
    boxes = boxes_to_original(np.array([[-5, -5, 500, 500]]), 0.5, 100, 60)

    assert boxes.tolist() == [[0, 0, 100, 60]]
    assert boxes_to_original(np.empty((0, 4)), 0.5, 100, 60).shape == (0, 4)


def test_network_input_keeps_bgr_order_and_the_grey_levels() -> None:
    padded = np.zeros((4, 6, 3), np.uint8)
    padded[1, 2] = (10, 20, 255)

    planes = to_network_input(padded)

    assert planes.dtype == np.float32
    assert planes.shape == (3, 4, 6)
    assert planes[:, 1, 2].tolist() == [10, 20, 255]


@pytest.mark.parametrize(
    ("data", "says"),
    [(b"", "0 bytes"), (b"<html>404</html>", "<html>40"), (b"\xff\xd8\xff\xe0 cut short", "not a readable image")],
)
def test_bytes_that_are_no_image_are_refused_with_what_was_found(data: bytes, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        decode_image(data)


@pytest.mark.parametrize(
    "image", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3), np.float32), np.zeros((0, 4, 3), np.uint8)]
)
def test_an_array_that_is_not_a_colour_picture_is_refused(image: np.ndarray) -> None:
    with pytest.raises(ValueError, match="expected a uint8 image"):
        letterbox(image, (64, 64))
