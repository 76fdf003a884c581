"""Each check of images finds its fault in real files."""

import hashlib
import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as run_lengths

from dataset_checks.decoding import read_pictures
from dataset_checks.findings import Ledger
from dataset_checks.images import check_image_files, check_image_records
from dataset_checks.likeness import describe, similar_groups
from prep_cases import box, dataset_of, picture, read_picture, write_picture
from sinara_lib.vision.coco import CocoDataset
from sinara_lib.vision.coco_archive import FolderFiles
from sinara_lib.vision.letterbox import decode_image
from sinara_lib.vision.run_lengths import segmentation_of


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number in (1, 2, 3):
        write_picture(tmp_path / f"{number:03}.jpg")
    return tmp_path


def _checked(dataset: CocoDataset, folder: Path, ledger: Ledger) -> CocoDataset:
    return check_image_files(dataset, FolderFiles(folder), ledger, max_aspect_ratio=50.0).dataset


def _found(ledger: Ledger) -> dict[str, int]:
    return {finding.check.name: finding.count for finding in ledger.findings() if finding.count}


def test_whole_images_of_the_stated_size_pass(folder: Path) -> None:
    ledger = Ledger()
    dataset = dataset_of([picture(1), picture(2), picture(3)], [box(1)])
    assert _checked(dataset, folder, ledger) == dataset
    assert _found(ledger) == {}


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.7, 0.98])
def test_a_truncated_image_is_dropped_with_its_annotations(folder: Path, suffix: str, share: float) -> None:
    path = folder / f"002{suffix}"
    write_picture(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    ledger = Ledger()
    dataset = dataset_of([picture(1), picture(2, file_name=path.name)], [box(1), box(2, image=2)])
    checked = _checked(dataset, folder, ledger)
    assert [image.id for image in checked.images] == [1]
    assert [one.id for one in checked.annotations] == [1]
    assert _found(ledger)["image_unreadable"] == 1


@pytest.mark.parametrize("content", [b"", b"<html>404 not found</html>", b"\xff\xd8\xff\xe0" + b"\0" * 50])
def test_a_file_that_is_no_image_is_dropped(folder: Path, content: bytes) -> None:
    (folder / "001.jpg").write_bytes(content)
    ledger = Ledger()
    assert _checked(dataset_of([picture(1)], []), folder, ledger).images == ()
    assert _found(ledger)["image_unreadable"] == 1


def test_a_missing_file_is_dropped_and_an_unlisted_one_reported(folder: Path) -> None:
    ledger = Ledger()
    checked = _checked(dataset_of([picture(1), picture(3), picture(9)], [box(1, image=9)]), folder, ledger)
    assert [image.id for image in checked.images] == [1, 3]
    assert checked.annotations == ()
    assert _found(ledger) == {"image_missing": 1, "file_not_listed": 1}


@pytest.mark.parametrize(
    ("width", "height", "check"), [(48, 64, "image_sides_swapped"), (640, 480, "image_size"), (0, 0, "image_size")]
)
def test_a_size_unlike_the_file_is_corrected(folder: Path, width: int, height: int, check: str) -> None:
    ledger = Ledger()
    checked = _checked(dataset_of([picture(1, width=width, height=height)], [box(1)]), folder, ledger)
    assert (checked.images[0].width, checked.images[0].height) == (64, 48)
    assert len(checked.annotations) == 1
    assert _found(ledger)[check] == 1


def test_a_jpeg_with_a_thumbnail_and_trailing_bytes_is_whole_and_without_its_end_is_not(folder: Path) -> None:
    thumbnail = io.BytesIO()
    Image.new("RGB", (16, 16), "red").save(thumbnail, "JPEG")
    exif = b"Exif\0\0" + thumbnail.getvalue()
    path = folder / "thumb.jpg"
    with Image.open(folder / "001.jpg") as image:
        image.save(path, exif=exif)
    whole = path.read_bytes()
    path.write_bytes(whole + b"\0" * 100)
    assert (read_picture(path.read_bytes()).width, read_picture(path.read_bytes()).height) == (64, 48)
    path.write_bytes(whole[:-200])
    with pytest.raises(ValueError, match="ends before the picture does"):
        read_picture(path.read_bytes())


@pytest.mark.parametrize("shape", [(48, 64), (48, 64, 4)])
def test_grey_and_transparent_images_are_readable(tmp_path: Path, shape: tuple[int, ...]) -> None:
    path = tmp_path / "x.png"
    cv2.imwrite(str(path), np.full(shape, 200, dtype=np.uint8))
    assert (read_picture(path.read_bytes()).width, read_picture(path.read_bytes()).height) == (64, 48)


def test_a_repeated_image_id_keeps_the_first_record() -> None:
    ledger = Ledger()
    dataset = dataset_of([picture(1), picture(1, file_name="other.jpg")], [box(1)])
    assert check_image_records(dataset, ledger).images == (picture(1),)
    assert _found(ledger) == {"image_id_repeated": 1}


def test_records_of_one_file_are_merged_and_their_annotations_follow() -> None:
    ledger = Ledger()
    dataset = dataset_of([picture(1), picture(2, file_name="001.jpg")], [box(1), box(2, image=2)])
    checked = check_image_records(dataset, ledger)
    assert checked.images == (picture(1),)
    assert [one.image_id for one in checked.annotations] == [1, 1]
    assert _found(ledger) == {"file_name_repeated": 1}


def test_no_file_is_changed_by_the_checks(folder: Path) -> None:
    (folder / "003.jpg").write_bytes(b"broken")
    before = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}
    _checked(dataset_of([picture(1, width=5), picture(3)], []), folder, Ledger())
    assert {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()} == before


def _turn(path: Path, orientation: int, *, format_name: str | None = None) -> None:
    with Image.open(path) as image:
        exif = Image.Exif()
        exif[0x0112] = orientation
        image.save(path, format=format_name, exif=exif)


@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
def test_boxes_drawn_before_turning_lie_on_the_same_pixels_after_it(tmp_path: Path, orientation: int) -> None:
    """A white block on black: where the box and segmentations end up, the upright picture is white."""
    stored = np.zeros((48, 64, 3), dtype=np.uint8)
    stored[6:16, 10:40] = 255
    path = tmp_path / "001.png"
    assert cv2.imwrite(str(path), stored)
    _turn(path, orientation)
    polygon = [[10.0, 6.0, 40.0, 6.0, 40.0, 16.0, 10.0, 16.0]]
    objects = [
        box(1, bbox=(10.0, 6.0, 30.0, 10.0), area=300.0, segmentation=polygon),
        box(2, bbox=(10.0, 6.0, 30.0, 10.0), area=300.0, segmentation=segmentation_of(stored[:, :, 0] // 255)),
    ]
    ledger = Ledger()
    checked = _checked(dataset_of([picture(1, file_name="001.png")], objects), tmp_path, ledger)
    assert (checked.images[0].width, checked.images[0].height) == (48, 64)
    assert _found(ledger) == {"image_turned": 1}
    upright = decode_image(path.read_bytes())[:, :, 0]
    for one in checked.annotations:
        x, y, width, height = map(int, one.bbox)
        assert (width, height) == (10, 30)
        assert upright[y : y + height, x : x + width].min() == 255
    expected = upright > 128
    masks = [run_lengths.frPyObjects(checked.annotations[0].segmentation, 64, 48), checked.annotations[1].segmentation]
    for mask in (run_lengths.decode(run_lengths.merge(masks[0])), run_lengths.decode(masks[1])):
        assert (mask.astype(bool) == expected).all()
    again = Ledger()
    assert _checked(checked, tmp_path, again) == checked
    assert _found(again) == {}


def test_an_upright_record_of_a_turned_file_is_right_as_it_is(folder: Path) -> None:
    _turn(folder / "001.jpg", 6)
    ledger = Ledger()
    upright = dataset_of([picture(1, width=48, height=64), picture(2), picture(3)], [box(1)])
    assert _checked(upright, folder, ledger) == upright
    assert _found(ledger) == {}


@pytest.mark.parametrize("orientation", [2, 3, 4])
def test_a_turn_that_keeps_the_size_is_reported_and_can_be_dropped(folder: Path, orientation: int) -> None:
    _turn(folder / "001.jpg", orientation)
    dataset = dataset_of([picture(1), picture(2), picture(3)], [box(1)])
    ledger = Ledger()
    assert _checked(dataset, folder, ledger) == dataset
    assert _found(ledger) == {"image_turn_unclear": 1}
    assert [one.id for one in _checked(dataset, folder, Ledger({"image_turn_unclear": "drop"})).images] == [2, 3]


def test_a_wrong_ending_and_an_extreme_shape_are_reported(folder: Path) -> None:
    with Image.open(folder / "001.jpg") as image:
        image.save(folder / "001.jpg", format="PNG")
    write_picture(folder / "003.jpg", width=520, height=10)
    ledger = Ledger()
    dataset = dataset_of([picture(1), picture(2), picture(3, width=520, height=10)], [])
    assert _checked(dataset, folder, ledger) == dataset
    assert _found(ledger) == {"image_extension": 1, "image_aspect": 1}
    texts = [one.examples[0].text for one in ledger.findings() if one.count]
    assert texts == ["001.jpg: holds PNG", "003.jpg: 520 x 10"]


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".bmp", ".tif"])
@pytest.mark.parametrize("size", [(64, 48), (640, 480), (300, 257)])
def test_size_and_look_are_those_of_decoding_in_full(tmp_path: Path, suffix: str, size: tuple[int, int]) -> None:
    path = tmp_path / f"x{suffix}"
    write_picture(path, width=size[0], height=size[1])
    found = read_picture(path.read_bytes())
    assert (found.width, found.height) == size
    grey = np.asarray(cv2.cvtColor(decode_image(path.read_bytes()), cv2.COLOR_BGR2GRAY), dtype=np.uint8)
    assert similar_groups([found.look, describe([grey])[0]]) == [[0, 1]]


def test_a_damaged_large_jpeg_is_refused_when_decoding_in_full_refuses_it(tmp_path: Path) -> None:
    """Large JPEG files are decoded at an eighth of their size, which must not let a broken one pass."""
    path = tmp_path / "x.jpg"
    write_picture(path, width=640, height=480)
    whole = path.read_bytes()
    rng = np.random.default_rng(1)
    verdicts = []
    for _ in range(120):
        damaged = bytearray(whole)
        for place in rng.integers(2, 700, 3):
            damaged[place] = rng.integers(0, 256)
        verdicts.append((_is_read(decode_image, bytes(damaged)), _is_read(read_picture, bytes(damaged))))
    assert not [one for one in verdicts if one == (False, True)]
    assert 5 < sum(read for _, read in verdicts) < 115


def _is_read(read: Callable[[bytes], object], data: bytes) -> bool:
    try:
        read(data)
    except ValueError:
        return False
    return True


def test_a_picture_of_too_many_pixels_is_refused_by_its_header() -> None:
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + b"IHDR" + header + struct.pack(">I", zlib.crc32(b"IHDR" + header))
    with pytest.raises(ValueError, match="too many pixels"):
        read_picture(b"\x89PNG\r\n\x1a\n" + chunk + b"\0\0\0\0IEND\xae\x42\x60\x82")


def test_files_are_read_in_their_own_order_and_those_that_are_not_there_left_out(folder: Path) -> None:
    (folder / "002.jpg").write_bytes(b"broken")
    found = read_pictures(FolderFiles(folder), ["003.jpg", "none.jpg", "001.jpg", "002.jpg"])
    assert list(found) == ["001.jpg", "002.jpg", "003.jpg"]
    assert isinstance(found["002.jpg"], ValueError)
    first = found["001.jpg"]
    assert not isinstance(first, ValueError)
    assert first.sha256 == hashlib.sha256((folder / "001.jpg").read_bytes()).digest()
    assert (first.kind, first.orientation) == ("JPEG", 1)
