"""The parts of COCO documents that the format's own reader refuses, read as far as they can be understood.

Numbers may be text or of 64 bits, those of annotations may be missing; sizes may be missing; a box may be missing
beside a segmentation; file names may be absolute or lead upwards, since files are found by the ends of their paths.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from label_formats.geometry import Box, enclosing_box
from label_formats.tally import Tally
from label_formats.values import MOST_PIXELS, number, points
from sinara_lib.errors import DataError
from sinara_lib.vision import coco_fields as fields
from sinara_lib.vision.coco import CocoAnnotation, CocoCategory, CocoImage, Segmentation
from sinara_lib.vision.run_lengths import extent_of, read_runs

_MOST = (1 << 53) - 1
_NAMES = ("file_name", "coco_url", "flickr_url", "url", "path")
_IMAGE_KEYS = frozenset({"id", "file_name", "width", "height"})
_ANNOTATION_KEYS = frozenset({"id", "image_id", "category_id", "bbox", "area", "iscrowd", "segmentation"})
_CATEGORY_KEYS = frozenset({"id", "name", "supercategory"})
_FLAGS = {"": 0, "0": 0, "0.0": 0, "false": 0, "no": 0, "1": 1, "1.0": 1, "true": 1, "yes": 1}

Key = int | str


class Numbers:
    """Whole numbers of at most 53 bits for the ids of one list, which may be anything: their own where all are such.

    `are_plain` tells that every item has such an id.
    """

    def __init__(self, ids: Iterable[object]) -> None:
        keys = [key_of(one) for one in ids]
        known = list(dict.fromkeys(key for key in keys if key is not None))
        own = all(isinstance(key, int) and abs(key) <= _MOST for key in known)
        self._own = own
        self.are_plain = own and None not in keys
        self._numbers = {
            key: key if own and isinstance(key, int) else place for place, key in enumerate(known, start=1)
        }
        self._taken = set(self._numbers.values())
        self._next = max(self._taken, default=0) + 1

    def of(self, value: object, place: str) -> int:
        """Return the number of an id; one that is not in the list gets a number that none in it has."""
        key = key_of(value)
        if key is None:
            raise DataError(f"{place} must be a number or a text, found {fields.shown(value)}.")
        if key not in self._numbers:
            usable = self._own and isinstance(key, int) and abs(key) <= _MOST and key not in self._taken
            self._numbers[key] = key if usable and isinstance(key, int) else self.fresh()
            self._taken.add(self._numbers[key])
        return self._numbers[key]

    def fresh(self) -> int:
        """Return a number that no id has."""
        while self._next in self._taken:
            self._next += 1
        self._taken.add(self._next)
        return self._next


def key_of(value: object) -> Key | None:
    """Return an id as it is compared: 7, 7.0 and "7" are one; None for what is no id."""
    if isinstance(value, bool):
        return None
    if isinstance(value, float):
        return int(value) if value.is_integer() else None
    if isinstance(value, str):
        word = value.strip()
        try:
            whole = int(word)
        except ValueError:
            return word or None
        return whole if str(whole) == word else word
    return value if isinstance(value, int) else None


def read_image(item: object, numbers: Numbers, place: str) -> CocoImage:
    """Return one image record; sizes that it lacks are 0. Raises DataError where it names no file."""
    record = fields.mapping(item, place)
    name = next((value for key in _NAMES if _is_name(value := record.get(key))), None)
    if name is None:
        raise DataError(
            f"{place}: `file_name` must be a text that is not empty, found {fields.shown(record.get('file_name'))}."
        )
    number_ = numbers.fresh() if record.get("id") is None else numbers.of(record["id"], f"{place}: `id`")
    sides = [_side(record.get(key)) for key in ("width", "height")]
    width, height = sides if all(sides) else (0, 0)
    return CocoImage(number_, name, width, height, fields.others(record, _IMAGE_KEYS))


def read_category(item: object, classes: Numbers, place: str) -> CocoCategory:
    """Return one class, its name as it is written. Raises DataError naming the field."""
    record = fields.mapping(item, place)
    name = record.get("name")
    # A bare number is written in the file as JSON writes it here, true as true.
    written = json.dumps(name) if isinstance(name, bool | int | float) else name
    return CocoCategory(
        classes.of(record.get("id"), f"{place}: `id`"),
        fields.text({"name": written}, "name", place),
        str(record.get("supercategory") or ""),
        fields.others(record, _CATEGORY_KEYS),
    )


@dataclass(frozen=True)
class AnnotationReader:
    """Reads annotations; `sizes` are those of the images by their numbers, `tally` counts what was not taken."""

    numbers: Numbers
    images: Numbers
    classes: Numbers
    sizes: Mapping[int, tuple[int, int]]
    tally: Tally

    @property
    def ids_are_plain(self) -> bool:
        """Return whether every image, class and annotation has a whole number of its own."""
        return self.numbers.are_plain and self.images.are_plain and self.classes.are_plain

    def read(self, item: object, place: str) -> CocoAnnotation:
        """Return one annotation; its box from its segmentation where it has none. Raises DataError naming the field."""
        record = fields.mapping(item, place)
        image_id = self.images.of(record.get("image_id"), f"{place}: `image_id`")
        segmentation = _segmentation(record.get("segmentation"), place, self.tally)
        own = record.get("id")
        return CocoAnnotation(
            id=self.numbers.fresh() if own is None else self.numbers.of(own, f"{place}: `id`"),
            image_id=image_id,
            category_id=self.classes.of(record.get("category_id"), f"{place}: `category_id`"),
            bbox=_box(record.get("bbox"), segmentation, place, self.sizes.get(image_id)),
            area=_area(record.get("area")),
            iscrowd=_flag(record.get("iscrowd"), place),
            segmentation=segmentation,
            extra=fields.others(record, _ANNOTATION_KEYS),
        )


def _is_name(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip()) and "\0" not in value and _is_text(value)


def _is_text(value: str) -> bool:
    return not any("\ud800" <= one <= "\udfff" for one in value)


def _side(value: object) -> int:
    """Return the pixels of a side, also written as text or with a fraction; 0 for what is none."""
    try:
        found = round(number(value, ""))
    except DataError:
        return 0
    return found if 0 < found <= MOST_PIXELS else 0


def _area(value: object) -> float | None:
    try:
        return None if value is None else number(value, "")
    except DataError:
        return None


def _flag(value: object, place: str) -> int:
    """Return iscrowd, also written as true or as text."""
    found = _FLAGS.get(str("" if value is None else value).strip().lower())
    if found is None:
        raise DataError(f"{place}: `iscrowd` must be 0 or 1, found {fields.shown(value)}.")
    return found


def _segmentation(value: object, place: str, tally: Tally) -> Segmentation:
    """Return polygons or run lengths; what makes no sense is counted, and the box is kept without it."""
    if value is None or isinstance(value, dict):
        return value
    if isinstance(value, list):
        # A lone polygon is often written without the list around it.
        polygons = [value] if value and not any(isinstance(one, list | dict) for one in value) else value
        try:
            return [[number(one, place) for one in polygon] for polygon in polygons if polygon]
        except (DataError, TypeError):
            pass
    tally.note("segmentations that cannot be read (the boxes are kept)")
    return None


def _box(value: object, segmentation: Segmentation, place: str, size: tuple[int, int] | None) -> Box:
    if isinstance(value, list) and len(value) == 4 and any(one is not None for one in value):
        x, y, width, height = (number(one, f"{place}: `bbox`") for one in value)
        return x, y, width, height
    if value is not None and value != [] and value != [None] * 4:
        raise DataError(f"{place}: `bbox` must be [x, y, width, height], found {fields.shown(value)}.")
    if isinstance(segmentation, list) and segmentation:
        there = f"{place}: `segmentation`"
        return enclosing_box(point for polygon in segmentation for point in points(polygon, there))
    if isinstance(segmentation, dict) and size is not None and all(size):
        runs = read_runs(segmentation, width=size[0], height=size[1])
        if runs is not None and (extent := extent_of(runs, height=size[1])) is not None:
            left, top, right, bottom = extent
            return left, top, right - left, bottom - top
    raise DataError(f"{place}: has no `bbox`, and no segmentation that tells one.")
