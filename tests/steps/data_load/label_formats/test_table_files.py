"""CSV and parquet files as spreadsheets, databases and other tools write them are read like the plainest ones."""

import io
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from coco_fetch import Loaded, fetch_dataset
from fetch_params import FetchParams
from label_formats.csv_text import csv_header
from label_formats.table_reading import read_csv, read_parquet
from sinara_lib.errors import DataError

PLAIN = "image,label,x,y,width,height,image_width,image_height,iscrowd\n1.png,Straße,1.5,2,3,4,40,30,0\n"


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    (tmp_path / "pictures").mkdir()
    Image.new("L", (40, 30)).save(tmp_path / "pictures" / "1.png")
    return tmp_path / "pictures"


def load(data: bytes, pictures: Path, *, name: str = "table.csv") -> Loaded:
    (pictures.parent / name).write_bytes(data)
    params = FetchParams(images_url=str(pictures), annotations_url=str(pictures.parent / name))
    return fetch_dataset(params, pictures.parent / "work")


@pytest.mark.parametrize(
    "data",
    [
        PLAIN.encode(),
        PLAIN.encode("utf-8-sig"),
        PLAIN.encode("utf-16"),
        PLAIN.encode("utf-16-le"),
        PLAIN.encode("cp1252"),
        PLAIN.replace("\n", "\r\n").encode(),
        PLAIN.replace(",", ", ").encode(),
        PLAIN.replace(",", ";").encode(),
        PLAIN.replace(",", ";").replace("1.5", "1,5").encode(),
        PLAIN.replace(",", "\t").encode("utf-16"),
        PLAIN.replace(",", "|").encode(),
        ("sep=;\n" + PLAIN.replace(",", ";")).encode(),
        PLAIN.replace("1.png", '"1.png"').replace(",", ' ,"', 1).replace("label,", 'label",', 1).encode(),
        ("," + PLAIN.replace("\n1.", "\n0,1.")).encode(),
        ("notes," + PLAIN.replace("\n1.", f"\n{'x' * 200_000},1.")).encode(),
        PLAIN.replace("iscrowd\n", "iscrowd\n\n").encode(),
        PLAIN.replace(",40,30,0", ",40.0,30.00,False").encode(),
    ],
)
def test_a_csv_file_means_the_same_in_any_coding_with_any_separator(data: bytes, pictures: Path) -> None:
    loaded = load(data, pictures).dataset

    assert [(one.file_name, one.width, one.height) for one in loaded.images] == [("1.png", 40, 30)]
    assert [(one.bbox, one.iscrowd) for one in loaded.annotations] == [((1.5, 2, 3, 4), 0)]
    assert loaded.class_names == ("Straße",)


def test_a_table_with_tabs_may_end_in_tsv(pictures: Path) -> None:
    assert len(load(PLAIN.replace(",", "\t").encode(), pictures, name="table.tsv").dataset.annotations) == 1


@pytest.mark.parametrize("written", ["True", "true", "1", "1.0", "yes"])
def test_a_crowd_may_be_a_word_or_a_number(written: str, pictures: Path) -> None:
    assert load(PLAIN.replace("30,0", f"30,{written}").encode(), pictures).dataset.annotations[0].iscrowd == 1


def test_rows_of_an_image_agree_where_their_sizes_are_the_same_number(pictures: Path) -> None:
    more = "1.png,Straße,1,2,3,4,40.0,30.0,0\n"

    assert len(load((PLAIN + more).encode(), pictures).dataset.annotations) == 2


def test_decimals_of_parquet_are_numbers(pictures: Path) -> None:
    table = pa.table(
        {"image": ["1.png"], "label": ["a"], **{key: pa.array(["1.50"]).cast(pa.decimal128(8, 2)) for key in "xywh"}}
    )
    pq.write_table(table, sink := io.BytesIO())

    loaded = load(sink.getvalue(), pictures, name="table.parquet").dataset
    assert [one.bbox for one in loaded.annotations] == [(1.5, 1.5, 1.5, 1.5)]
    assert str(read_parquet(sink.getvalue(), "t.parquet").table["x"][0]) == "1.50"


def test_a_comma_within_a_name_stays_where_numbers_have_a_decimal_comma(pictures: Path) -> None:
    loaded = load(PLAIN.replace(",", ";").replace("Straße", "1,5").encode(), pictures).dataset

    assert loaded.class_names == ("1,5",)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"a,b\n\n1\n", r"t\.csv: line 3 has 1 columns, the header 2"),
        (b"a,a\n1,2\n", "columns have the same name: a"),
        (b"a,b\n\x81,\xff\n", "is not UTF-8 text"),
    ],
)
def test_a_broken_csv_file_is_refused_with_its_line(data: bytes, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_csv(data, "t.csv")


def test_the_first_bytes_tell_the_columns_also_in_utf_16_and_cut_within_a_sign() -> None:
    assert csv_header(PLAIN.replace(",", ";").encode("utf-16")[:201])[:3] == ["image", "label", "x"]
