"""COCO documents as checked, frozen values: load, check, select, save and draw.

The door checks structure and types only. Values that are of the right type but wrong (a negative
coordinate, an annotation without image, an id given twice) pass, so that data_prep can report them.
Format: https://cocodataset.org/#format-data
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from sinara_lib.errors import DataError
from sinara_lib.vision import coco_fields as fields
from sinara_lib.vision.coco_drawing import draw_boxes

__all__ = [
    "CocoAnnotation",
    "CocoCategory",
    "CocoDataset",
    "CocoImage",
    "draw_boxes",
    "load_coco",
    "parse_annotation",
    "parse_coco",
    "read_coco",
    "save_coco",
    "select_images",
]

Segmentation = list[list[float]] | dict[str, Any] | None
Item = TypeVar("Item")

_IMAGE_KEYS = frozenset({"id", "file_name", "width", "height"})
_ANNOTATION_KEYS = frozenset({"id", "image_id", "category_id", "bbox", "area", "iscrowd", "segmentation"})
_CATEGORY_KEYS = frozenset({"id", "name", "supercategory"})
_DOCUMENT_KEYS = frozenset({"images", "annotations", "categories", "info", "licenses"})


@dataclass(frozen=True, slots=True)
class CocoImage:
    """One image record; width and height in pixels as the document states them."""

    id: int
    file_name: str
    width: int
    height: int
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CocoAnnotation:
    """One object: bbox is x, y, width, height in pixels; area in square pixels, None where the document has none."""

    id: int
    image_id: int
    category_id: int
    bbox: tuple[float, float, float, float]
    area: float | None = None
    iscrowd: int = 0
    segmentation: Segmentation = None
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CocoCategory:
    """One class of objects."""

    id: int
    name: str
    supercategory: str = ""
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class CocoDataset:
    """A whole document; `extra` of each part keeps the fields that COCO does not define."""

    images: tuple[CocoImage, ...]
    annotations: tuple[CocoAnnotation, ...]
    categories: tuple[CocoCategory, ...]
    info: dict[str, Any] = field(default_factory=dict)
    licenses: tuple[dict[str, Any], ...] = ()
    extra: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def class_names(self) -> tuple[str, ...]:
        """Class names by rising category id."""
        return tuple(category.name for category in sorted(self.categories, key=lambda one: one.id))

    @cached_property
    def category_ids(self) -> tuple[int, ...]:
        """Category ids, rising: the id of `class_names[i]` is `category_ids[i]`."""
        return tuple(sorted(category.id for category in self.categories))

    def annotations_of(self, image_id: int) -> tuple[CocoAnnotation, ...]:
        """Return annotations of one image in the document's order; empty when it has none."""
        return self._annotations_by_image.get(image_id, ())

    @cached_property
    def _annotations_by_image(self) -> dict[int, tuple[CocoAnnotation, ...]]:
        grouped: dict[int, list[CocoAnnotation]] = {}
        for annotation in self.annotations:
            grouped.setdefault(annotation.image_id, []).append(annotation)
        return {image_id: tuple(annotations) for image_id, annotations in grouped.items()}


def load_coco(path: str | Path) -> CocoDataset:
    """Read and check a COCO JSON file.

    Raises:
        DataError: the file is missing, is not JSON, gives a key twice in one object, or its structure is not
            COCO's; names the place.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise DataError(f"{path}: the COCO document cannot be read: {error.strerror}.") from error
    return read_coco(data, where=str(path))


def read_coco(data: bytes, *, where: str) -> CocoDataset:
    """Decode and check a COCO document; `where` names it in errors. Raises DataError as `load_coco` does."""
    try:
        document = json.loads(data, object_pairs_hook=fields.object_of)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where}: is not a JSON document: {error}.") from error
    return parse_coco(document, where=where)


def parse_coco(document: object, *, where: str) -> CocoDataset:
    """Check a decoded COCO document; `where` names it in errors.

    Raises:
        DataError: a list or field is missing or of the wrong type, or a category id or name is given twice.
    """
    content = fields.mapping(document, f"{where}: a COCO document")
    categories = _parse_all(content, "categories", parse=_category, where=where)
    fields.refuse_repeats([one.id for one in categories], what="category id", where=where)
    fields.refuse_repeats([one.name for one in categories], what="category name", where=where)
    return CocoDataset(
        images=_parse_all(content, "images", parse=_image, where=where),
        annotations=_parse_all(content, "annotations", parse=parse_annotation, where=where),
        categories=categories,
        info=fields.mapping(content.get("info") or {}, f"{where}: `info`"),
        licenses=tuple(
            fields.mapping(one, f"{where}: licenses[{number}]")
            for number, one in enumerate(fields.items(content, "licenses", where) if content.get("licenses") else ())
        ),
        extra=fields.others(content, _DOCUMENT_KEYS),
    )


def save_coco(dataset: CocoDataset, path: str | Path) -> None:
    """Write a document; the same dataset always gives the same bytes.

    Raises:
        DataError: a value is not a finite number or not whole Unicode, which JSON cannot hold.
    """
    document = {
        "info": dataset.info,
        "licenses": list(dataset.licenses),
        "images": [_as_json(one, _IMAGE_KEYS) for one in dataset.images],
        "annotations": [_as_json(one, _ANNOTATION_KEYS) for one in dataset.annotations],
        "categories": [_as_json(one, _CATEGORY_KEYS) for one in dataset.categories],
        **dataset.extra,
    }
    try:
        data = json.dumps(document, allow_nan=False, ensure_ascii=False, separators=(",", ":")).encode()
    except (ValueError, RecursionError) as error:
        raise DataError(
            f"{path}: not written, a value is not a finite number or not whole text{_unwritable(document)}; repair the "
            f"dataset first: {error}."
        ) from error
    Path(path).write_bytes(data)


def _unwritable(document: Mapping[str, Any]) -> str:
    """Return which record JSON cannot hold, for messages."""
    for key in ("images", "annotations", "categories"):
        for number, item in enumerate(document[key]):
            try:
                json.dumps(item, allow_nan=False, ensure_ascii=False).encode()
            except (ValueError, RecursionError):
                return f" in {key}[{number}] (id {item['id']})"
    return ""


def select_images(dataset: CocoDataset, image_ids: Collection[int]) -> CocoDataset:
    """Keep the images of these ids with their annotations, in the document's order; all classes stay."""
    kept = frozenset(image_ids)
    return replace(
        dataset,
        images=tuple(one for one in dataset.images if one.id in kept),
        annotations=tuple(one for one in dataset.annotations if one.image_id in kept),
    )


def _parse_all(
    document: Mapping[str, Any], key: str, *, parse: Callable[[Mapping[str, Any], str], Item], where: str
) -> tuple[Item, ...]:
    items = fields.items(document, key, where)
    return tuple(
        parse(fields.mapping(item, place), place)
        for place, item in ((f"{where}: {key}[{number}]", item) for number, item in enumerate(items))
    )


def _image(item: Mapping[str, Any], place: str) -> CocoImage:
    return CocoImage(
        id=fields.integer(item, "id", place),
        file_name=fields.file_name(item, place),
        width=fields.integer(item, "width", place),
        height=fields.integer(item, "height", place),
        extra=fields.others(item, _IMAGE_KEYS),
    )


def parse_annotation(item: Mapping[str, Any], place: str) -> CocoAnnotation:
    """Check one decoded annotation; `place` names it in errors. Raises DataError naming the field."""
    box = item.get("bbox")
    if not isinstance(box, list) or len(box) != 4:
        raise DataError(f"{place}: `bbox` must be [x, y, width, height], found {fields.shown(box)}.")
    segmentation = item.get("segmentation")
    if not isinstance(segmentation, list | dict | None):
        raise DataError(f"{place}: `segmentation` must be polygons or RLE, found {fields.shown(segmentation)}.")
    x, y, width, height = (fields.number(value, "bbox", place) for value in box)
    area = item.get("area")
    return CocoAnnotation(
        id=fields.integer(item, "id", place),
        image_id=fields.integer(item, "image_id", place),
        category_id=fields.integer(item, "category_id", place),
        bbox=(x, y, width, height),
        area=None if area is None else fields.number(area, "area", place),
        iscrowd=fields.flag(item, "iscrowd", place),
        segmentation=segmentation,
        extra=fields.others(item, _ANNOTATION_KEYS),
    )


def _category(item: Mapping[str, Any], place: str) -> CocoCategory:
    return CocoCategory(
        id=fields.integer(item, "id", place),
        name=fields.text(item, "name", place),
        supercategory=str(item.get("supercategory") or ""),
        extra=fields.others(item, _CATEGORY_KEYS),
    )


def _as_json(item: CocoImage | CocoAnnotation | CocoCategory, keys: Iterable[str]) -> dict[str, Any]:
    known = {key: getattr(item, key) for key in item.__dataclass_fields__ if key in keys}
    return {key: value for key, value in known.items() if value is not None} | item.extra
