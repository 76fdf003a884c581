"""Checks of image records against the image files."""

import io
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from dataset_findings import Ledger
from PIL import Image

from sinara_lib.progress import progress
from sinara_lib.vision.coco import CocoDataset, CocoImage
from sinara_lib.vision.letterbox import decode_image

_JPEG_START, _JPEG_SCAN, _JPEG_END = b"\xff\xd8", b"\xff\xda", b"\xff\xd9"
_PNG_START, _PNG_END = b"\x89PNG", b"IEND"
_EXIF_ORIENTATION = 0x0112


@dataclass(frozen=True)
class Picture:
    """What an image file holds: pixels once upright, and whether EXIF swaps its sides."""

    width: int
    height: int
    turned: bool


def check_image_records(dataset: CocoDataset, ledger: Ledger) -> CocoDataset:
    """Keep one record per image id and per file; annotations of merged records follow."""
    by_id: dict[int, CocoImage] = {}
    by_file: dict[str, CocoImage] = {}
    moved: dict[int, int] = {}
    for image in dataset.images:
        if image.id in by_id:
            ledger.note("image_id_repeated", f"id {image.id}: {image.file_name}", file_name=image.file_name)
        elif image.file_name in by_file:
            moved[image.id] = by_file[image.file_name].id
            ledger.note("file_name_repeated", f"{image.file_name}: id {image.id} is now {moved[image.id]}")
        else:
            by_id[image.id] = by_file[image.file_name] = image
    annotations = (
        replace(one, image_id=moved[one.image_id]) if one.image_id in moved else one for one in dataset.annotations
    )
    return replace(dataset, images=tuple(by_id.values()), annotations=tuple(annotations))


def check_image_files(dataset: CocoDataset, folder: Path, ledger: Ledger) -> CocoDataset:
    """Decode every image once; drop those that cannot be used with their annotations, correct sizes of the rest."""
    kept = {}
    for image in progress(dataset.images, label="check images", unit="image"):
        if (checked := _check_file(image, folder, ledger)) is not None:
            kept[image.id] = checked
    _note_unlisted(folder, {image.file_name for image in dataset.images}, ledger)
    annotations = tuple(one for one in dataset.annotations if one.image_id in kept)
    return replace(dataset, images=tuple(kept.values()), annotations=annotations)


def read_picture(path: Path) -> Picture:
    """Decode an image file.

    Raises:
        ValueError: it is not an image, or it is cut short; says which.
        OSError: it cannot be read.
    """
    data = path.read_bytes()
    if _is_cut_short(data):
        raise ValueError(f"the file of {len(data)} bytes ends before the picture does")
    height, width = decode_image(data).shape[:2]
    return Picture(width, height, turned=_exif_swaps_sides(data))


def _check_file(image: CocoImage, folder: Path, ledger: Ledger) -> CocoImage | None:
    try:
        picture = read_picture(folder / image.file_name)
    except (FileNotFoundError, IsADirectoryError):
        ledger.note("image_missing", image.file_name)
        return None
    except (ValueError, OSError) as error:
        ledger.note("image_unreadable", f"{image.file_name}: {error}")
        return None
    stated, found = (image.width, image.height), (picture.width, picture.height)
    if stated == found:
        return image
    text = f"{image.file_name}: {stated[0]} x {stated[1]}, the file has {found[0]} x {found[1]}"
    if picture.turned and stated == (picture.height, picture.width):
        ledger.note("image_turned", text, file_name=image.file_name)
        return None
    ledger.note("image_size", text, file_name=image.file_name)
    return replace(image, width=picture.width, height=picture.height)


def _is_cut_short(data: bytes) -> bool:
    """Whether a JPEG or PNG lacks its end; decoders fill the missing part with grey and say nothing."""
    if data.startswith(_JPEG_START):
        return data.rfind(_JPEG_END) < data.rfind(_JPEG_SCAN)
    return data.startswith(_PNG_START) and _PNG_END not in data[-64:]


def _exif_swaps_sides(data: bytes) -> bool:
    if b"Exif" not in data[:4096]:
        return False
    with Image.open(io.BytesIO(data)) as image:
        return image.getexif().get(_EXIF_ORIENTATION, 1) in {5, 6, 7, 8}


def _note_unlisted(folder: Path, listed: Iterable[str], ledger: Ledger) -> None:
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    for name in sorted(there.difference(listed)):
        ledger.note("file_not_listed", name)
