"""Class names are text: they come out as the file spells them, whatever they look like, in every format."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from coco_fetch import fetch_dataset
from fetch_params import FetchParams
from format_writers import WRITERS
from label_formats.coco_reading import read_coco
from label_formats.yolo import parse_yolo
from sinara_lib.errors import DataError
from sinara_lib.vision.coco import CocoAnnotation, CocoCategory, CocoDataset, CocoImage

ODD_NAMES = ["02146", "no", "yes", "010", "007", "12:30", "1_000", "1.10", "1.1", "null", "=", "a,b", "$x|y", "人行道"]


def yolo_names(text: str) -> tuple[str, ...]:
    return parse_yolo({}, ("data.yaml", text.encode())).class_names


def test_names_in_yaml_are_text_and_no_numbers_truth_values_or_times() -> None:
    assert yolo_names("names: [02146, no, yes, 010, 007, 12:30, 1_000, 2001-12-14, =, .inf]") == (
        *("02146", "no", "yes", "010", "007", "12:30", "1_000", "2001-12-14", "=", ".inf"),
    )


def test_names_that_differ_only_as_text_stay_two_classes() -> None:
    labels = parse_yolo({"1.txt": b"0 .5 .5 .1 .1\n1 .5 .5 .1 .1"}, ("data.yaml", b"names:\n  0: 1.10\n  1: 1.1\n"))

    assert labels.class_names == ("1.10", "1.1")
    assert [one.label for one in labels.images[0].objects] == ["1.10", "1.1"]


@pytest.mark.parametrize("text", ["names: [car, null]", "names: [car, ~]", "names:\n  0: car\n  1:\n"])
def test_null_is_no_name_and_is_refused_unless_it_is_quoted(text: str) -> None:
    with pytest.raises(DataError, match=r"names: class 1 is null, which is no name\. Put quotes around it"):
        yolo_names(text)

    assert yolo_names("names: [car, 'null']") == ("car", "null")


def test_a_list_of_classes_is_read_line_by_line_whatever_the_lines_hold() -> None:
    assert parse_yolo({}, ("classes.txt", "02146\r\na\u2028b\r\n\r\n1.10\n".encode())).class_names == (
        *("02146", "a\u2028b", "1.10"),
    )


@pytest.mark.parametrize("format_name", WRITERS)
def test_every_format_brings_names_back_as_they_were_written(format_name: str, tmp_path: Path) -> None:
    dataset = CocoDataset(
        (CocoImage(1, "1.png", 40, 30),),
        tuple(
            CocoAnnotation(place, 1, place, (1.0, 2.0, 3.0 + place, 4.0), 4.0 * (3 + place))
            for place in range(1, len(ODD_NAMES) + 1)
        ),
        tuple(CocoCategory(place, name) for place, name in enumerate(ODD_NAMES, start=1)),
    )
    Image.new("L", (40, 30)).save(tmp_path / "1.png")
    for name, data in WRITERS[format_name](dataset).items():
        (tmp_path / "labels" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "labels" / name).write_bytes(data)
    params = FetchParams(images_url=str(tmp_path / "1.png"), annotations_url=str(tmp_path / "labels"))

    loaded = fetch_dataset(params, tmp_path / "work").dataset

    names = {one.id: one.name for one in loaded.categories}
    assert [names[one.category_id] for one in sorted(loaded.annotations, key=lambda one: one.bbox[2])] == ODD_NAMES


@pytest.mark.parametrize(
    ("values", "names"),
    [
        (pa.array([7, 12]), ["7", "12"]),
        (pa.array([7.0, 12.0]), ["7", "12"]),
        (pa.array(["01", "1"]), ["01", "1"]),
        (pa.array(["1.10", "1.1"]).dictionary_encode(), ["1.10", "1.1"]),
        (pa.array(["1.10", "7.00"]).cast(pa.decimal128(8, 2)), ["1.10", "7.00"]),
    ],
)
def test_a_class_column_of_parquet_becomes_its_text(values: Any, names: list[str], tmp_path: Path) -> None:
    boxes = {key: [1, 2] for key in ("x", "y", "width", "height")}
    pq.write_table(pa.table({"image": ["1.png", "1.png"], "label": values, **boxes}), tmp_path / "t.parquet")
    Image.new("L", (40, 30)).save(tmp_path / "1.png")
    params = FetchParams(images_url=str(tmp_path / "1.png"), annotations_url=str(tmp_path / "t.parquet"))

    loaded = fetch_dataset(params, tmp_path / "work").dataset

    assert [loaded.class_names[one.category_id - 1] for one in loaded.annotations] == names


def test_names_in_coco_stay_as_they_are_written(tmp_path: Path) -> None:
    names = ["02146", "no", "12:30", "1.10", " a ", 7, True]
    categories = [{"id": str(number), "name": name} for number, name in enumerate(names)]
    (tmp_path / "i.json").write_text(json.dumps({"images": [], "annotations": [], "categories": categories}))
    found = read_coco(tmp_path / "i.json", "i.json").dataset.class_names
    assert found == ("02146", "no", "12:30", "1.10", " a ", "7", "true")
