"""COCO documents as people have them: read by the format's own reader, and by lenient rules where that refuses.

One annotation with a value that cannot be read is left out and counted. Format: https://cocodataset.org/#format-data
"""

import json
import math
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from label_formats.coco_items import AnnotationReader, Numbers, key_of, read_category, read_image
from label_formats.tally import Tally
from label_formats.values import refuse_json_bomb
from sinara_lib.errors import DataError
from sinara_lib.vision import coco_fields as fields
from sinara_lib.vision.coco import CocoAnnotation, CocoCategory, CocoDataset, CocoImage, parse_annotation, parse_coco

_DOCUMENT_KEYS = frozenset({"images", "annotations", "categories", "info", "licenses"})
_LOST = "image records that cannot be read"


@dataclass(frozen=True)
class CocoFile:
    """One document, read; images have the names it gives them, and the size 0 x 0 where it states none.

    `exact` tells that the file's bytes are this document as every reader of COCO takes it.
    """

    dataset: CocoDataset
    tally: Tally
    exact: bool


def read_coco(file: Path, where: str) -> CocoFile:
    """Read a document, called `where` in messages. Raises DataError naming the place."""
    data = file.read_bytes()
    refuse_json_bomb(data, where)
    constants: list[str] = []

    def constant(name: str) -> str:
        constants.append(name)
        return name

    try:
        document = json.loads(data, object_pairs_hook=fields.object_of, parse_constant=constant)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where}: is not a JSON document: {error}.") from error
    try:
        dataset = parse_coco(document, where=where)
    except DataError:
        return _read_odd(document, where)
    if constants or not _is_plain(dataset):
        return _read_odd(document, where)
    tally = Tally(found=len(dataset.annotations))
    return CocoFile(dataset, tally, exact=json.detect_encoding(data) == "utf-8")


def _is_plain(dataset: CocoDataset) -> bool:
    """Return whether all boxes are numbers, all images have a size, and no class stands for the others."""
    return (
        all(map(_is_finite, dataset.annotations))
        and all(one.width and one.height for one in dataset.images)
        and _root(dataset.categories, {one.category_id for one in dataset.annotations}) is None
    )


def _read_odd(document: object, where: str) -> CocoFile:
    """Read what can be understood. Raises DataError where a list, or a class, makes no sense."""
    content = fields.mapping(document, f"{where}: a COCO document")
    records = {key: fields.items(content, key, where) for key in ("categories", "images", "annotations")}
    if any("segments_info" in one for one in records["annotations"][:1] if isinstance(one, dict)):
        raise DataError(f"{where}: is COCO panoptic JSON, which is not read; load the document of instances.")
    tally, numbers = Tally(), {key: Numbers(_ids(items)) for key, items in records.items()}
    images, lost = _images(records["images"], numbers["images"], where, tally)
    sizes = {one.id: (one.width, one.height) for one in images}
    reader = AnnotationReader(numbers["annotations"], numbers["images"], numbers["categories"], sizes, tally)
    annotations = _annotations(records["annotations"], reader, lost, where)
    categories = _categories(records["categories"], numbers["categories"], where)
    root = _root(categories, {one.category_id for one in annotations})
    if root is not None:
        tally.note(f"classes without objects that stand for all others ({root.name})")
    kept = tuple(one for one in categories if one is not root)
    fields.refuse_repeats([one.id for one in kept], what="category id", where=where)
    fields.refuse_repeats([one.name for one in kept], what="category name", where=where)
    info, licences = content.get("info"), content.get("licenses")
    dataset = CocoDataset(
        images=tuple(images),
        annotations=tuple(annotations),
        categories=kept,
        info=info if isinstance(info, dict) else {},
        licenses=tuple(one for one in licences if isinstance(one, dict)) if isinstance(licences, list) else (),
        extra=fields.others(content, _DOCUMENT_KEYS),
    )
    return CocoFile(dataset, tally, exact=False)


def _annotations(
    items: list[Any], reader: AnnotationReader, lost: Collection[object], where: str
) -> list[CocoAnnotation]:
    """Return the annotations that can be read, as the format's own reader does where all ids are plain numbers."""
    found: list[CocoAnnotation] = []
    tally = reader.tally
    for number, item in enumerate(items):
        place = f"{where}: annotations[{number}]"
        if isinstance(item, dict) and key_of(item.get("image_id")) in lost:
            tally.found += 1
            tally.leave_out(f"objects of {_LOST}", example=place, excusable=True)
            continue
        with tally.one_object():
            plain = _plain_annotation(item, place) if reader.ids_are_plain else None
            found.append(plain or reader.read(item, place))
    return found


def _categories(items: list[Any], classes: Numbers, where: str) -> list[CocoCategory]:
    """Return the classes; one that is written twice in the same words is one."""
    found: dict[tuple[int, str], CocoCategory] = {}
    for number, item in enumerate(items):
        one = read_category(item, classes, f"{where}: categories[{number}]")
        found.setdefault((one.id, one.name), one)
    return list(found.values())


def _root(categories: Iterable[CocoCategory], used: Collection[int]) -> CocoCategory | None:
    """Return the class that Roboflow puts above all others, where it has no objects."""
    known = list(categories)
    for one in known:
        others = [other for other in known if other is not one]
        if one.supercategory == "none" and one.id not in used and others:
            if all(other.supercategory == one.name for other in others):
                return one
    return None


def _plain_annotation(item: object, place: str) -> CocoAnnotation | None:
    """Return an annotation that the format's own reader takes, and whose numbers are numbers; None for any other."""
    try:
        one = parse_annotation(fields.mapping(item, place), place)
    except DataError:
        return None
    return one if _is_finite(one) and (not one.segmentation or _holds_numbers(one.segmentation)) else None


def _holds_numbers(segmentation: list[list[float]] | dict[str, Any]) -> bool:
    return isinstance(segmentation, dict) or all(
        isinstance(polygon, list) and all(type(value) in {float, int} for value in polygon) for polygon in segmentation
    )


def _is_finite(one: CocoAnnotation) -> bool:
    return math.isfinite(sum(one.bbox)) and (one.area is None or math.isfinite(one.area))


def _ids(items: Iterable[object]) -> list[object]:
    return [item.get("id") for item in items if isinstance(item, dict)]


def _images(items: list[Any], owners: Numbers, where: str, tally: Tally) -> tuple[list[CocoImage], set[object]]:
    """Return the image records, and the ids of those that cannot be read."""
    images: list[CocoImage] = []
    lost: set[object] = set()
    for number, item in enumerate(items):
        try:
            images.append(read_image(item, owners, f"{where}: images[{number}]"))
        except DataError as error:
            tally.note(_LOST)
            tally.examples.setdefault(_LOST, str(error))
            lost.add(key_of(item.get("id")) if isinstance(item, dict) else None)
    return images, (lost - {None}) - {key_of(one.id) for one in images}
