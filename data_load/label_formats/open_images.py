"""Open Images: CSV files of boxes, of class descriptions, and of images with their licences.

Boxes are shares of the image's sides; IsGroupOf becomes iscrowd; the other flags are kept as attributes, unless they
are -1, unknown. Format: https://storage.googleapis.com/openimages/web/download_v7.html
"""

from collections.abc import Collection, Iterable, Iterator
from typing import Any

from label_formats.csv_text import open_csv
from label_formats.labels import LabelledImage, LabelledObject, Labels
from label_formats.tally import Tally
from label_formats.values import number, text, whole
from sinara_lib.errors import DataError

BOX_COLUMNS = frozenset({"ImageID", "LabelName", "XMin", "XMax", "YMin", "YMax"})
FLAGS = {"IsOccluded": "occluded", "IsTruncated": "truncated", "IsDepiction": "depiction", "IsInside": "inside"}


def parse_open_images(files: Iterable[tuple[str, bytes]], *, wanted: Collection[str] | None = None) -> Labels:
    """Read CSV files, given as path and content; of images that are not in `wanted` (ids) nothing is kept.

    Images are those of the list of images, where it is there, and else those with a box.
    Raises DataError naming file, line and field.
    """
    objects: dict[str, list[LabelledObject]] = {}
    listed: dict[str, dict[str, Any]] = {}
    names: dict[str, str] = {}
    tally = Tally()
    path = ""
    for path, data in files:
        rows = _rows(data, path)
        header = next(rows, [])
        if BOX_COLUMNS <= set(header):
            _read_boxes(rows, header, path, objects, wanted, tally)
        elif "ImageID" in header and "LabelName" not in header:
            _read_images(rows, header, listed, wanted)
        elif "LabelName" not in header or header == ["LabelName", "DisplayName"]:
            _read_names(header, rows, names)
    for image_id in objects:
        listed.setdefault(image_id, {})
    return Labels(
        images=tuple(
            LabelledImage(
                "", stem=one, beside=path, objects=_named(objects.get(one, ()), names), unit="share", extra=extra
            )
            for one, extra in listed.items()
        ),
        class_names=tuple(dict.fromkeys(names.values())),
        tally=tally,
        licenses=tuple({"id": place, "name": url, "url": url} for place, url in enumerate(_licenses(listed), start=1)),
    )


def _read_boxes(
    rows: Iterator[list[str]],
    header: list[str],
    path: str,
    objects: dict[str, list[LabelledObject]],
    wanted: Collection[str] | None,
    tally: Tally,
) -> None:
    for line, cells in enumerate(rows, start=2):
        if not cells:
            continue
        place = f"{path}: line {line}"
        row = dict(zip(header, cells, strict=False))
        if len(row) < len(header):
            raise DataError(f"{place}: has {len(cells)} columns, the header {len(header)}.")
        image_id = text(row["ImageID"], f"{place}: ImageID")
        if wanted is None or image_id in wanted:
            with tally.one_object():
                objects.setdefault(image_id, []).append(_object(row, place))
        else:
            tally.note("boxes of images that are not among those given")


def _object(row: dict[str, str], place: str) -> LabelledObject:
    left, right, top, bottom = (number(row[key], f"{place}: {key}") for key in ("XMin", "XMax", "YMin", "YMax"))
    flags = {key: whole(row[key], f"{place}: {key}") for key in (*FLAGS, "IsGroupOf") if row.get(key)}
    return LabelledObject(
        label=text(row["LabelName"], f"{place}: LabelName"),
        box=(left, top, right - left, bottom - top),
        crowd=flags.get("IsGroupOf") == 1,
        attributes={FLAGS[key]: value for key, value in flags.items() if key in FLAGS and value >= 0},
    )


def _read_images(
    rows: Iterator[list[str]], header: list[str], listed: dict[str, dict[str, Any]], wanted: Collection[str] | None
) -> None:
    for cells in rows:
        row = dict(zip(header, cells, strict=False))
        image_id = row.get("ImageID", "").strip()
        if image_id and (wanted is None or image_id in wanted):
            listed[image_id] = {key: value for key, value in _image_facts(row).items() if value}


def _image_facts(row: dict[str, str]) -> dict[str, str]:
    return {"source": row.get("OriginalURL", ""), "license": row.get("License", ""), "author": row.get("Author", "")}


def _licenses(listed: dict[str, dict[str, Any]]) -> list[str]:
    """Return the licences by their URLs, in order; in each image the URL is replaced by the number."""
    found = sorted({extra["license"] for extra in listed.values() if "license" in extra})
    for extra in listed.values():
        if "license" in extra:
            extra["license"] = found.index(extra["license"]) + 1
    return found


def _read_names(header: list[str], rows: Iterator[list[str]], names: dict[str, str]) -> None:
    first = [] if header[:1] == ["LabelName"] else [header]
    for cells in [*first, *rows]:
        if len(cells) == 2 and all(cell.strip() for cell in cells):
            names[cells[0].strip()] = cells[1].strip()


def _named(objects: Iterable[LabelledObject], names: dict[str, str]) -> tuple[LabelledObject, ...]:
    return tuple(_renamed(one, names.get(one.label, one.label)) for one in objects)


def _renamed(one: LabelledObject, label: str) -> LabelledObject:
    return LabelledObject(label, one.box, crowd=one.crowd, attributes=one.attributes)


def _rows(data: bytes, path: str) -> Iterator[list[str]]:
    text = open_csv(data, path, delimiters=",")
    yield text.header
    for _, row in text.rows:
        yield row
