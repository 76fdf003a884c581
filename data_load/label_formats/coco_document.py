"""Labels of any format as one COCO document: names of files, sizes in pixels, numbers for everything."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from label_formats.geometry import Box
from label_formats.image_index import OTHERWISE, ImageIndex, plain_path
from label_formats.labels import LabelledImage, LabelledObject, Labels
from label_formats.tally import Tally
from sinara_lib.errors import DataError
from sinara_lib.urls import without_credentials
from sinara_lib.vision.boxes import polygon_area
from sinara_lib.vision.coco import CocoAnnotation, CocoCategory, CocoDataset, CocoImage

Size = tuple[int, int]
"""Width and height in pixels."""
_UNKNOWN_IMAGE = "label files whose image is not there"
_UNKNOWN_SIZE = "images that are not there or cannot be read, named without their size"


@dataclass(frozen=True)
class ImageFiles:
    """The image files of a source: the flat name of each path, and how to read a size (None: unreadable)."""

    flat: Mapping[str, str]
    size_of: Callable[[str], Size | None]
    named: Mapping[str, str] = field(default_factory=dict)


def to_coco(labels: Labels, files: ImageFiles, *, format_name: str) -> tuple[CocoDataset, Tally]:
    """Return the document, and the tally of its objects.

    Sizes are those that the source states; where coordinates are shares, or it states none, the file's own. Without
    either, an image with pixels gets the size 0 x 0, which data_prep reports, and one with shares is left out.
    Raises DataError when two labels stand for one image, or objects were lost uncounted.

    >>> files = ImageFiles({"day/street.jpg": "street.jpg"}, size_of=lambda path: (640, 480))
    >>> dataset, tally = to_coco(labels, files, format_name="Pascal VOC")
    >>> dataset.images[0].file_name, dataset.class_names, dataset.annotations[0].bbox, tally.found
    ('street.jpg', ('car',), (10.0, 20.0, 90.0, 60.0), 1)
    """
    tally = labels.tally.copy()
    numbers = _category_numbers(labels)
    ids = _image_ids(labels)
    images: list[CocoImage] = []
    annotations: list[CocoAnnotation] = []
    for image_id, (name, path, image) in zip(ids, _named(labels, files, tally), strict=True):
        size = _size(image, path, files)
        if name is None or size is None:
            what = _UNKNOWN_IMAGE if name is None else _UNKNOWN_SIZE
            tally.note(what)
            place = image.place or image.beside or image.name
            tally.leave_out(f"objects of {what}", len(image.objects), example=place, excusable=True)
            continue
        source = {"source": without_credentials(image.name)} if "://" in image.name else {}
        images.append(CocoImage(image_id, name, *size, extra={**source, **image.extra}))
        scale = (float(size[0]), float(size[1])) if image.unit == "share" else (1.0, 1.0)
        for one in image.objects:
            annotations.append(_annotation(one, len(annotations) + 1, image_id, numbers[one.label], scale))
    tally.ensure_sum(len(annotations))
    categories = tuple(CocoCategory(number, name) for name, number in numbers.items())
    info = {"description": f"Converted from {format_name}"}
    return CocoDataset(tuple(images), tuple(annotations), categories, info, labels.licenses), tally


def _named(labels: Labels, files: ImageFiles, tally: Tally) -> list[tuple[str | None, str | None, LabelledImage]]:
    """Return each image with its flat name and its file's path; no name for a label file whose image is not there."""
    paths = _paths(labels, ImageIndex(files.flat, files.named), tally)
    seen: dict[str, str] = {}
    found: list[tuple[str | None, str | None, LabelledImage]] = []
    for image, path in zip(labels.images, paths, strict=True):
        name = files.flat[path] if path is not None else plain_path(image.name).name or None
        if name is not None:
            what = image.place or (image.beside if image.stem else image.name)
            if name in seen:
                raise DataError(f"Two labels stand for the image {name}: {seen[name]} and {what}. Remove one of them.")
            seen[name] = what
        found.append((name, path, image))
    return found


def _paths(labels: Labels, index: ImageIndex, tally: Tally) -> list[str | None]:
    """Return the file of each image: by its stem or name, else one spelled otherwise that no other image has."""
    found: list[str | None] = []
    for image in labels.images:
        path = index.find_stem(image.stem, beside=image.beside) if image.stem else None
        found.append(path or (index.find(image.name, beside=image.beside) if image.name else None))
    taken = set(found)
    for place, image in enumerate(labels.images):
        if found[place] is None and image.name and (twin := index.find_twin(image.name)) not in taken:
            found[place] = twin
            taken.add(twin)
            tally.note(OTHERWISE)
            tally.examples.setdefault(OTHERWISE, f"{twin} for {image.name}")
    return found


def _size(image: LabelledImage, path: str | None, files: ImageFiles) -> Size | None:
    stated = (image.width, image.height) if image.width and image.height else None
    if image.unit == "share":
        return (files.size_of(path) if path is not None else None) or stated
    return stated or (files.size_of(path) if path is not None else None) or (0, 0)


def _category_numbers(labels: Labels) -> dict[str, int]:
    """Return classes from 1 on: those declared in their order, then the others by name."""
    used = {one.label for image in labels.images for one in image.objects}
    names = dict.fromkeys([*labels.class_names, *sorted(used.difference(labels.class_names))])
    return {name: number for number, name in enumerate(names, start=1)}


def _image_ids(labels: Labels) -> list[int]:
    """Return the source's own numbers where every image has one of its own, else 1, 2, 3, ..."""
    own = [image.id for image in labels.images if image.id is not None]
    if len(set(own)) == len(labels.images) and all(0 <= one < 1 << 53 for one in own):
        return own
    return list(range(1, len(labels.images) + 1))


def _annotation(
    one: LabelledObject, number: int, image_id: int, category_id: int, scale: tuple[float, float]
) -> CocoAnnotation:
    wide, high = scale
    x, y, width, height = one.box
    box: Box = (x * wide, y * high, width * wide, height * high)
    polygons = [[value * scale[place % 2] for place, value in enumerate(polygon)] for polygon in one.polygons]
    if one.area is not None:
        area = one.area * wide * high
    elif one.mask is not None:
        area = float(sum(one.mask["counts"][1::2]))
    else:
        area = sum(map(polygon_area, polygons)) if polygons else box[2] * box[3]
    return CocoAnnotation(
        id=number,
        image_id=image_id,
        category_id=category_id,
        bbox=box,
        area=area,
        iscrowd=int(one.crowd),
        segmentation=one.mask or polygons or None,
        extra={"attributes": one.attributes} if one.attributes else {},
    )
