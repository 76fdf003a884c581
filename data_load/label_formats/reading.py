"""From the label files of a source to its labels: which file is read as what."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath

from label_formats.createml import parse_createml
from label_formats.cvat import parse_cvat
from label_formats.detection import HEAD_BYTES, MOST_HEAD_BYTES, files_of, judge
from label_formats.hugging_face import parse_hugging_face
from label_formats.image_index import ImageIndex
from label_formats.joined_labels import join
from label_formats.kitti import parse_kitti
from label_formats.label_studio import parse_label_studio
from label_formats.labelme import parse_labelme
from label_formats.labelme_xml import parse_labelme_xml
from label_formats.labels import Labels, Unit
from label_formats.open_images import parse_open_images
from label_formats.supervisely import parse_supervisely
from label_formats.table import Table, find_columns, parse_table
from label_formats.table_reading import TableFile, column_names, read_csv, read_parquet
from label_formats.via_files import parse_via
from label_formats.voc import parse_voc
from label_formats.yolo_files import read_yolo
from sinara_lib.errors import DataError
from source_params import Format, SourceFields

_PLAIN: Mapping[Format, Callable[[Iterable[tuple[str, bytes]]], Labels]] = {
    "voc": parse_voc,
    "cvat": parse_cvat,
    "labelme_xml": parse_labelme_xml,
    "createml": parse_createml,
    "supervisely": parse_supervisely,
    "hugging_face": parse_hugging_face,
}
_BESIDE_IMAGES: Mapping[Format, Callable[..., Labels]] = {"labelme": parse_labelme, "kitti": parse_kitti}


def heads(files: Mapping[str, Path]) -> dict[str, bytes]:
    """Return the first bytes of each file: as many as tell its format."""
    return {path: _head(path, file) for path, file in files.items()}


def _head(path: str, file: Path) -> bytes:
    if path.lower().endswith(".parquet") and (columns := column_names(file)):
        return "\n".join(columns).encode()
    with file.open("rb") as opened:
        head, size = opened.read(HEAD_BYTES), HEAD_BYTES
        while len(head) == size and size < MOST_HEAD_BYTES and not judge(path, head).ended:
            size *= 8
            head += opened.read(size - len(head))
    return head


def read_labels(
    format_name: Format, source: SourceFields, files: Mapping[str, Path], images: Mapping[str, Path]
) -> Labels:
    """Read all files of a format but COCO. Raises DataError naming file and field.

    >>> labels = read_labels("voc", source, {"street.xml": Path("street.xml")}, images={})
    >>> [(image.name, image.objects[0].label, image.objects[0].box) for image in labels.images]
    [('street.jpg', 'car', (11.0, 21.0, 89.0, 59.0))]
    """
    chosen = files_of(format_name, heads(files))
    contents = _contents(files, chosen)
    if format_name in _PLAIN:
        return _PLAIN[format_name](contents)
    if format_name in _BESIDE_IMAGES:
        return _BESIDE_IMAGES[format_name](contents, index=ImageIndex(images))
    if format_name == "label_studio":
        image_key = source.given_columns.get("image")
        return parse_label_studio(contents, index=ImageIndex(images), image_key=image_key)
    if format_name == "via":
        return join([parse_via(contents, given=source.given_columns.get("label"))], ImageIndex(images))
    if format_name == "open_images":
        wanted = {PurePosixPath(path).stem for path in images} or None
        return parse_open_images(contents, wanted=wanted)
    if format_name == "yolo":
        return read_yolo(files, chosen, images)
    return join([_table_labels(source, path, one) for path, one in _tables(files, chosen)], ImageIndex(images))


def _table_labels(source: SourceFields, path: str, file: TableFile) -> Labels:
    labels = read_table(file.table, source, where=path, decimal_comma=file.decimal_comma)
    if file.coding:
        labels.tally.note(f"text read as {file.coding}, because it is not Unicode")
    return labels


def read_table(table: Table, source: SourceFields, *, where: str, decimal_comma: bool = False) -> Labels:
    """Read a table by the columns that the parameters name and those of the usual names."""
    columns = find_columns(list(table), source.given_columns, where=where)
    unit: Unit = "share" if source.relative_boxes else "pixels"
    return parse_table(table, columns, unit=unit, where=where, decimal_comma=decimal_comma)


def _contents(files: Mapping[str, Path], chosen: list[str]) -> Iterator[tuple[str, bytes]]:
    for path in chosen:
        yield path, files[path].read_bytes()


def _tables(files: Mapping[str, Path], chosen: list[str]) -> list[tuple[str, TableFile]]:
    found = [
        (path, (read_parquet if path.lower().endswith(".parquet") else read_csv)(data, path))
        for path, data in _contents(files, chosen)
    ]
    for path, one in found:
        if list(one.table) != list(found[0][1].table):
            raise DataError(f"{path}: has other columns than {chosen[0]}. Name one of them in annotations_member.")
    return found
