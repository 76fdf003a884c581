"""Each check of images finds its fault in real files."""

import hashlib
import io
from pathlib import Path

import cv2
import numpy as np
import pytest
from dataset_findings import Ledger
from dataset_images import check_image_files, check_image_records
from image_files import FolderImages
from picture_reading import read_picture
from PIL import Image
from prep_cases import box, dataset_of, picture, write_picture

from sinara_lib.vision.coco import CocoDataset


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number in (1, 2, 3):
        write_picture(tmp_path / f"{number:03}.jpg")
    return tmp_path


def _checked(dataset: CocoDataset, folder: Path, ledger: Ledger) -> CocoDataset:
    return check_image_files(dataset, FolderImages(folder), ledger, max_aspect_ratio=50.0).dataset


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
