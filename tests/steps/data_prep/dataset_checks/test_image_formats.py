"""What the service would refuse is published as PNG, and pictures that come out nearly black are named."""

import io
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from dataset_checks.checks import CheckedDataset, check_dataset
from dataset_conversion.parts import make_parts, published
from dataset_split import split_dataset
from prep_cases import archive_of, box, dataset_of, picture
from prep_params import CheckOptions, ConvertOptions
from rest_service.image_header import check_image
from sinara_lib.vision.letterbox import decode_image


def _scene(seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    return cv2.GaussianBlur(noise, (0, 0), 2)


_PIXELS = _scene(0)
_OPTIONS = ConvertOptions(filter_empty_gt=False)
_SPLIT = {"train": 0.5, "eval": 0.25, "test": 0.25}


def _by_opencv(ending: str) -> bytes:
    pixels = _scene(len(ending) + ord(ending[-1]))
    return bytes(cv2.imencode(ending, pixels.astype(np.float32) / 255 if ending == ".hdr" else pixels)[1])


def _big_tiff() -> bytes:
    file = io.BytesIO()
    Image.fromarray(_PIXELS).save(file, "TIFF", big_tiff=True)
    return file.getvalue()


def _sixteen_bits(ending: str, *, bits: int) -> bytes:
    grey = np.linspace(0, (1 << bits) - 1, 48 * 64).reshape(48, 64).astype(np.uint16)
    return bytes(cv2.imencode(ending, grey)[1])


def _checked(folder: Path, files: dict[str, bytes], **actions: str) -> tuple[CheckedDataset, dict[str, str]]:
    images = [picture(number, file_name=name) for number, name in enumerate(files, start=1)]
    boxes = [box(one.id, image=one.id) for one in images]
    options = CheckOptions(classes=["car"], filter_empty_gt=False, checks=actions)
    checked = check_dataset(dataset_of(images, boxes), archive_of(files, folder), options=options)
    return checked, {one.check.name: one.examples[0].text for one in checked.findings if one.count}


def test_pictures_of_formats_that_the_service_refuses_are_published_as_png_that_it_reads(tmp_path: Path) -> None:
    files = {
        "a.jpg": _by_opencv(".jp2"),
        "b.png": _by_opencv(".ppm"),
        "c.bmp": _by_opencv(".sr"),
        "d.jpg": _by_opencv(".hdr"),
        "a.png": _by_opencv(".png"),
    }
    checked, found = _checked(tmp_path, files)
    assert found["image_format"].startswith("a.jpg: the format")
    splits = split_dataset(checked.dataset, _SPLIT, seed=1)
    parts = make_parts(
        splits, archive_of(files, tmp_path / "again"), tmp_path / "parts", options=_OPTIONS, as_png=checked.as_png
    )
    names = {one.file_name for _, part in published(parts).items() for one in part.images}
    assert names == {"a_.png", "b.png", "c.png", "d.png", "a.png"}
    for part in parts.values():
        for image in part.dataset.images:
            data = part.read(image.file_name)
            assert check_image(data, max_pixels=10_000) == (64, 48)
            name = {"a_.png": "a.jpg", "c.png": "c.bmp", "d.png": "d.jpg"}.get(image.file_name, image.file_name)
            assert (decode_image(data) == decode_image(files[name])).all()
            assert [one.bbox for one in part.dataset.annotations_of(image.id)]


def test_big_tiff_is_read_by_every_step_as_it_is(tmp_path: Path) -> None:
    checked, found = _checked(tmp_path, {"a.tif": _big_tiff()})
    assert (found.keys() & {"image_format", "image_unreadable"}, checked.as_png) == (set(), frozenset())
    assert check_image(_big_tiff(), max_pixels=10_000) == (64, 48)
    assert (decode_image(_big_tiff()) == _PIXELS[:, :, ::-1]).all()


def test_an_unserved_picture_can_be_dropped(tmp_path: Path) -> None:
    files = {"a.jpg": _by_opencv(".jp2"), "b.jpg": _by_opencv(".jpg")}
    checked, _ = _checked(tmp_path, files, image_format="drop")
    assert [one.file_name for one in checked.dataset.images] == ["b.jpg"]


@pytest.mark.parametrize("ending", [".png", ".tif"])
def test_pictures_of_a_camera_that_fills_twelve_of_sixteen_bits_are_named_with_their_bits(
    tmp_path: Path, ending: str
) -> None:
    _, found = _checked(tmp_path, {f"a{ending}": _sixteen_bits(ending, bits=12)})
    assert "the largest value is 4,095, as of a camera of 12 bits" in found["image_dark"]
    assert "mean is 8 of 255. Multiply by 16" in found["image_dark"]
    _, found = _checked(tmp_path / "full", {f"a{ending}": _sixteen_bits(ending, bits=16)})
    assert "image_dark" not in found


def test_a_picture_of_mean_seven_is_found_dark_and_one_taken_at_night_is_not(tmp_path: Path) -> None:
    dark, night = np.full((48, 64, 3), 7, np.uint8), np.full((48, 64, 3), 12, np.uint8)
    dark[0, 0] = 255
    for name, pixels, expected in (("dark", dark, {"image_dark"}), ("night", night, set())):
        _, found = _checked(tmp_path / name, {"a.png": bytes(cv2.imencode(".png", pixels)[1])})
        assert found.keys() & {"image_dark"} == expected


def test_a_tiff_of_floats_is_dropped_with_the_reason_why(tmp_path: Path) -> None:
    files = {"a.tif": bytes(cv2.imencode(".tif", _PIXELS.astype(np.float32))[1]), "b.png": _by_opencv(".png")}
    checked, found = _checked(tmp_path, files)
    assert [one.file_name for one in checked.dataset.images] == ["b.png"]
    assert "its samples are float32, 32 bits each, which are not read; convert" in found["image_unreadable"]
