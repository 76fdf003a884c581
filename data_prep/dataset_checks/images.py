"""Checks of image records against the image files."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from check_table import Action
from dataset_checks.decoding import ImageFacts, read_pictures
from dataset_checks.findings import Ledger
from dataset_checks.orientation import turn_annotation
from sinara_lib.archive import Readable
from sinara_lib.vision.coco import CocoAnnotation, CocoDataset, CocoImage

_ENDINGS = {
    "JPEG": {"jpg", "jpeg", "jpe", "jfif", "jif"},
    "MPO": {"jpg", "jpeg", "jpe", "mpo"},
    "PNG": {"png", "apng"},
    "BMP": {"bmp", "dib"},
    "WEBP": {"webp"},
    "TIFF": {"tif", "tiff"},
    "GIF": {"gif"},
    "AVIF": {"avif"},
}


@dataclass(frozen=True)
class CheckedImages:
    """A dataset whose records fit their files, and what each of its files holds, by name."""

    dataset: CocoDataset
    pictures: Mapping[str, ImageFacts]


def check_image_records(dataset: CocoDataset, ledger: Ledger) -> CocoDataset:
    """Keep one record per image id and per file; annotations of merged records follow."""
    by_id: dict[int, CocoImage] = {}
    by_file: dict[str, CocoImage] = {}
    moved: dict[int, int] = {}
    for image in dataset.images:
        if image.id in by_id or image.id in moved:
            ledger.note("image_id_repeated", f"id {image.id}: {image.file_name}")
        elif image.file_name in by_file:
            moved[image.id] = by_file[image.file_name].id
            ledger.note("file_name_repeated", f"{image.file_name}: id {image.id} is now {moved[image.id]}")
        else:
            by_id[image.id] = by_file[image.file_name] = image
    annotations = (
        replace(one, image_id=moved[one.image_id]) if one.image_id in moved else one for one in dataset.annotations
    )
    return replace(dataset, images=tuple(by_id.values()), annotations=tuple(annotations))


def check_image_files(
    dataset: CocoDataset, files: Readable, ledger: Ledger, *, max_aspect_ratio: float
) -> CheckedImages:
    """Decode every image once; drop those that cannot be used with their annotations, mend records of the rest."""
    pictures = read_pictures(files, (image.file_name for image in dataset.images))
    usable: dict[str, ImageFacts] = {}
    images: list[CocoImage] = []
    rotated: dict[int, ImageFacts] = {}
    for image in dataset.images:
        picture = _usable(image, pictures.get(image.file_name), ledger)
        if picture is None or _odd(image, picture, ledger, max_aspect_ratio=max_aspect_ratio):
            continue
        fault = _size_fault(image, picture)
        action = _note_size(fault, image, picture, ledger)
        if action == "drop":
            continue
        if fault == "image_turned":
            rotated[image.id] = picture
        usable[image.file_name] = picture
        images.append(replace(image, width=picture.width, height=picture.height) if fault else image)
    for name in sorted(set(files.names()).difference(image.file_name for image in dataset.images)):
        ledger.note("file_not_listed", name)
    kept = {image.id for image in images}
    annotations = tuple(_turned(one, rotated) for one in dataset.annotations if one.image_id in kept)
    return CheckedImages(replace(dataset, images=tuple(images), annotations=annotations), usable)


def _usable(image: CocoImage, found: ImageFacts | ValueError | None, ledger: Ledger) -> ImageFacts | None:
    if isinstance(found, ImageFacts):
        return found
    if found is None:
        ledger.note("image_missing", image.file_name)
    else:
        ledger.note("image_unreadable", f"{image.file_name}: {found}")
    return None


def _odd(image: CocoImage, picture: ImageFacts, ledger: Ledger, *, max_aspect_ratio: float) -> bool:
    """Note what is strange about a readable file; tell whether it is to be dropped for that."""
    name, actions = image.file_name, []
    ending = name.rpartition(".")[2].lower()
    if picture.kind in _ENDINGS and ending not in _ENDINGS[picture.kind]:
        actions.append(ledger.note("image_extension", f"{name}: holds {picture.kind}", file_name=name))
    if picture.unserved:
        text = f"{name}: {picture.unserved} ({picture.kind or 'unknown'})"
        actions.append(ledger.note("image_format", text, file_name=name))
    if picture.dark:
        actions.append(ledger.note("image_dark", f"{name}: {picture.dark}", file_name=name))
    long, short = max(picture.width, picture.height), min(picture.width, picture.height)
    if long > max_aspect_ratio * short:
        actions.append(ledger.note("image_aspect", f"{name}: {picture.width} x {picture.height}", file_name=name))
    unclear = not picture.swaps_sides or picture.width == picture.height
    if picture.orientation > 1 and unclear:
        text = f"{name}: EXIF orientation {picture.orientation}"
        actions.append(ledger.note("image_turn_unclear", text, file_name=name))
    return "drop" in actions


def _size_fault(image: CocoImage, picture: ImageFacts) -> str | None:
    if (image.width, image.height) == (picture.width, picture.height):
        return None
    if (image.width, image.height) == (picture.height, picture.width):
        return "image_turned" if picture.swaps_sides else "image_sides_swapped"
    return "image_size"


def _note_size(fault: str | None, image: CocoImage, picture: ImageFacts, ledger: Ledger) -> Action | None:
    if fault is None:
        return None
    sizes = f"{image.width} x {image.height}, the file has {picture.width} x {picture.height}"
    return ledger.note(fault, f"{image.file_name}: {sizes}", file_name=image.file_name)


def _turned(one: CocoAnnotation, rotated: Mapping[int, ImageFacts]) -> CocoAnnotation:
    picture = rotated.get(one.image_id)
    if picture is None:
        return one
    return turn_annotation(one, picture.orientation, width=picture.height, height=picture.width)
