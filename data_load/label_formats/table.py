"""A table with a row for each object: image, label and box; a row without label and box is an image without objects.

Columns are found by the names in COLUMN_NAMES, in either case, or by those given. A box is x, y, width, height, or
xmin, ymin, xmax, ymax; in pixels, or as shares of the image's sides.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from label_formats.labels import LabelledImage, LabelledObject, Labels, Unit
from label_formats.tally import Tally
from label_formats.values import number, side, text, whole
from sinara_lib.errors import DataError
from source_params import COLUMN_NAMES

Table = Mapping[str, Sequence[object]]
SIDES = ("x", "y", "width", "height")
CORNERS = ("xmin", "ymin", "xmax", "ymax")
NAMES = frozenset({"image", "label", "group"})
"""What is text, whatever it looks like."""


def find_columns(names: Sequence[str], given: Mapping[str, str], *, where: str) -> dict[str, str]:
    """Return which column holds what. Raises DataError when a given one or a needed one is missing."""
    if absent := [f"{key}: {name}" for key, name in given.items() if name not in names]:
        raise DataError(f"{where}: has no column for {', '.join(absent)}; its columns are {', '.join(names)}.")
    lowered: dict[str, str] = {}
    for name in names:
        lowered.setdefault(name.lower(), name)
    found = dict(given)
    for key, aliases in COLUMN_NAMES.items():
        if key not in given and (alias := next((one for one in aliases if one in lowered), None)) is not None:
            found[key] = lowered[alias]
    box = CORNERS if set(CORNERS) <= found.keys() and not set(SIDES) & given.keys() else SIDES
    if missing := [key for key in ("image", "label", *box) if key not in found]:
        raise DataError(
            f"{where}: has no column for {', '.join(missing)}; its columns are {', '.join(names)}. "
            f"Name them in the parameter columns."
        )
    unused = set(CORNERS if box == SIDES else SIDES)
    return {key: name for key, name in found.items() if key not in unused}


def parse_table(
    table: Table, columns: Mapping[str, str], *, unit: Unit, where: str, decimal_comma: bool = False
) -> Labels:
    """Read columns of equal length, found by `find_columns`. Raises DataError naming row (from 1) and column."""
    tally = Tally()
    rows: dict[str, list[LabelledObject]] = {}
    facts: dict[str, dict[str, Any]] = {}
    values = zip(*(table[name] for name in columns.values()), strict=True)
    for row_number, cells in enumerate(values, start=1):
        place = f"{where}: row {row_number}"
        row = dict(zip(columns, map(_present, cells), strict=True))
        if decimal_comma:
            row = {key: value if key in NAMES else _pointed(value) for key, value in row.items()}
        name = text(row["image"], f"{place}: image")
        _agree(facts.setdefault(name, {}), row, place)
        objects = rows.setdefault(name, [])
        if row["label"] is not None or any(row.get(key) is not None for key in (*SIDES, *CORNERS)):
            with tally.one_object():
                objects.append(_object(row, place))
    _refuse_doubtful_unit(rows, unit, where)
    images = tuple(_image(name, objects, facts[name], unit, where) for name, objects in rows.items())
    return Labels(images, tally=tally)


def _image(name: str, objects: list[LabelledObject], facts: dict[str, Any], unit: Unit, where: str) -> LabelledImage:
    return LabelledImage(
        name=name,
        beside=where,
        objects=tuple(objects),
        width=side(facts.get("image_width"), f"{where}: image_width of {name}"),
        height=side(facts.get("image_height"), f"{where}: image_height of {name}"),
        unit=unit,
        extra={"group": str(_spelled(facts["group"]))} if "group" in facts else {},
    )


def _agree(facts: dict[str, Any], row: dict[str, Any], place: str) -> None:
    """Note what a row says of its image; rows of one image must say the same."""
    for key in ("image_width", "image_height", "group"):
        value = row.get(key)
        if value is not None and key != "group":
            value = side(value, f"{place}: {key}")
        if value is not None and facts.setdefault(key, value) != value:
            raise DataError(f"{place}: {key} is {value!r}; an earlier row of this image says {facts[key]!r}.")


def _object(row: dict[str, Any], place: str) -> LabelledObject:
    keys = CORNERS if "xmin" in row else SIDES
    one, two, three, four = (number(row[key], f"{place}: {key}") for key in keys)
    return LabelledObject(
        label=text(_spelled(row["label"]), f"{place}: label"),
        box=(one, two, three - one, four - two) if keys == CORNERS else (one, two, three, four),
        crowd=_crowd(row.get("iscrowd"), f"{place}: iscrowd"),
        area=None if row.get("area") is None else number(row["area"], f"{place}: area"),
    )


def _spelled(label: object) -> object:
    """Return the text of a class that its column holds as a number: 7, also where empty cells made it 7.0."""
    if isinstance(label, float) and label.is_integer():
        return str(int(label))
    return str(label) if isinstance(label, int | float | Decimal) else label


def _crowd(value: object, place: str) -> bool:
    words = {"true": 1, "yes": 1, "false": 0, "no": 0}
    if isinstance(value, str):
        value = words.get(value.strip().lower(), value)
    return value is not None and whole(int(value) if isinstance(value, bool) else value, place) == 1


def _present(value: object) -> object:
    """Return None for what a table has instead of a value: nothing, an empty text, NaN."""
    blank = isinstance(value, str) and not value.strip()
    return None if value is None or blank or value != value else value


def _pointed(value: object) -> object:
    return value.replace(",", ".") if isinstance(value, str) else value


def _refuse_doubtful_unit(rows: Mapping[str, list[LabelledObject]], unit: Unit, where: str) -> None:
    """Refuse shares read as pixels, which would all be specks, and pixels read as shares, which all lie outside."""
    boxes = [one.box for objects in rows.values() for one in objects]
    highest = max((max(box) for box in boxes), default=None)
    if highest is None:
        return
    if unit == "pixels" and highest <= 1:
        raise DataError(f"{where}: no coordinate is above 1: these are shares, not pixels. Set relative_boxes to true.")
    if unit == "share" and highest > 2:
        raise DataError(f"{where}: a coordinate is {highest:g}: these are pixels. Set relative_boxes to false.")
