"""letterbox: the same pixels as mmdet's own test pipeline, and boxes that find their way back."""

from __future__ import annotations

import io
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from sinara_lib.vision.letterbox import (
    PAD_VALUE,
    boxes_to_network,
    boxes_to_original,
    decode_image,
    letterbox,
    to_network_input,
)
from sinara_lib.vision.mmcv_ops import ensure_mmcv_ops


def _pixels(height: int, width: int, channels: int = 3) -> np.ndarray:
    values = np.random.default_rng(height * 7 + width).integers(0, 256, (height, width, channels), dtype=np.uint8)
    return cv2.GaussianBlur(values, (5, 5), 0).reshape(height, width, channels)


def _saved(array: np.ndarray, mode: str | None = None, file_format: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(array, mode).save(buffer, file_format, **options)
    return buffer.getvalue()


def _exif_rotated_jpeg() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return _saved(_pixels(60, 90), file_format="JPEG", exif=exif)


def _cmyk_jpeg() -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(_pixels(70, 50)).convert("CMYK").save(buffer, "JPEG")
    return buffer.getvalue()


def _sixteen_bit_png() -> bytes:
    values = np.random.default_rng(3).integers(0, 65536, (40, 61, 3), dtype=np.uint16)
    return bytes(cv2.imencode(".png", values)[1])


ODD_IMAGES = {
    "one_row_of_a_thousand.png": lambda: _saved(_pixels(1, 1000)),
    "one_column_of_a_thousand.png": lambda: _saved(_pixels(1000, 1)),
    "grey.png": lambda: _saved(_pixels(33, 57, 1)[:, :, 0]),
    "rgba.png": lambda: _saved(_pixels(64, 47, 4)),
    "sixteen_bit.png": _sixteen_bit_png,
    "turned_by_exif.jpg": _exif_rotated_jpeg,
    "cmyk.jpg": _cmyk_jpeg,
    "larger_than_the_network.png": lambda: _saved(_pixels(300, 411)),
    "one_pixel.png": lambda: _saved(_pixels(1, 1)),
}

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
    np.testing.assert_allclose(boxes_to_network(original, scale, width, height), in_network, rtol=1e-5, atol=1e-4)


@given(
    st.integers(1, 700), st.integers(1, 700), st.sampled_from([(64, 64), (96, 160), (160, 96)]), st.integers(0, 2**31)
)
@settings(max_examples=60, deadline=None)
def test_boxes_go_to_the_network_and_back(height: int, width: int, size: tuple[int, int], seed: int) -> None:
    padded, scale = letterbox(np.zeros((height, width, 3), np.uint8), size)
    corners = np.sort(np.random.default_rng(seed).uniform(0, 1, (5, 2, 2)), axis=1).reshape(5, 4)
    original = corners * [width, height, width, height]

    there = boxes_to_network(original, scale, width, height)

    assert padded.shape == (*size, 3)
    assert (there[:, 2] <= size[1] + 0.51).all()
    assert (there[:, 3] <= size[0] + 0.51).all()
    np.testing.assert_allclose(boxes_to_original(there, scale, width, height), original, atol=1e-2)


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
