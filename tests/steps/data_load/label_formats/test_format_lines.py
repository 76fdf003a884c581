"""YOLO's lines, Open Images' CSV files and tables of any origin are read by stated rules, and refused with the line."""

import pytest

from label_formats.open_images import parse_open_images
from label_formats.reading import read_table
from label_formats.table import find_columns, parse_table
from label_formats.yolo import image_stem, parse_yolo
from odd_objects import refuse_odd
from sinara_lib.errors import DataError
from source_params import SourceFields, TableColumns

NAMES = ("data.yaml", b"train: ../train/images\nnc: 2\nnames: ['cat', 'dog']\n")


def yolo(lines: str, names: tuple[str, bytes] = NAMES) -> list[tuple[str, tuple[float, ...]]]:
    labels = parse_yolo({"labels/1.txt": lines.encode()}, names)
    refuse_odd(labels)
    (image,) = labels.images
    return [(one.label, one.box) for one in image.objects]


def test_a_yolo_line_is_a_centre_with_sides_or_a_polygon() -> None:
    found = yolo("1 0.5 0.5 0.2 0.4\n\n0 0.1 0.1 0.3 0.1 0.2 0.5\n")

    assert found == [("dog", pytest.approx((0.4, 0.3, 0.2, 0.4))), ("cat", pytest.approx((0.1, 0.1, 0.2, 0.4)))]


@pytest.mark.parametrize(
    ("names", "label"),
    [
        (("data.yaml", b"names:\n  0: cat\n  7: dog\n"), "dog"),
        (("classes.txt", b"a\nb\nc\nd\ne\nf\ng\nh\n"), "h"),
    ],
)
def test_classes_are_named_by_number_or_by_line(names: tuple[str, bytes], label: str) -> None:
    assert yolo("7 0.5 0.5 0.2 0.4", names) == [(label, pytest.approx((0.4, 0.3, 0.2, 0.4)))]


def test_keypoints_are_left_out_and_counted() -> None:
    labels = parse_yolo(
        {"labels/1.txt": b"0 0.5 0.5 0.2 0.4 0.1 0.1 2"}, ("data.yaml", b"kpt_shape: [1, 3]\nnames: [cat]")
    )

    assert labels.images[0].objects[0].box == pytest.approx((0.4, 0.3, 0.2, 0.4))
    assert labels.tally.notes == {"keypoints of objects (their boxes are kept)": 1}


@pytest.mark.parametrize(
    ("path", "stem"),
    [
        ("labels/train/1.txt", "images/train/1"),
        ("train/labels/1.txt", "train/images/1"),
        ("labels/labels/labels.txt", "labels/images/labels"),
        ("obj_train_data/1.txt", "obj_train_data/1"),
    ],
)
def test_the_image_of_a_label_file_lies_below_images(path: str, stem: str) -> None:
    assert image_stem(path) == stem


@pytest.mark.parametrize(
    ("lines", "names", "message"),
    [
        ("2 0.5 0.5 0.2 0.4", NAMES, r"labels/1\.txt: line 1: class 2 has no name"),
        ("0 0.5 0.5 0.2", NAMES, "a polygon needs at least three points, found 3 coordinates"),
        ("0 0.5 0.5 0.2 0.4 0.99", NAMES, "a line of predictions, with a score, is no label"),
        ("0 0.5 nan 0.2 0.4", NAMES, "line 1: coordinate must be a finite number, found 'nan'"),
        ("cat 0.5 0.5 0.2 0.4", NAMES, "line 1: class must be a finite number, found 'cat'"),
        ("", ("data.yaml", b"nc: 2"), r"data\.yaml: `names` must list the classes, found nothing"),
        ("", ("data.yaml", b"names: [a"), r"data\.yaml: is not a YAML document"),
        ("", ("data.yaml", b"a: &a [x, x]\nnames: [*a, *a]"), "holds YAML anchors"),
        ("", ("data.yaml", b"names: " + b"[" * 20000), "holds YAML anchors or deep nesting"),
        ("", ("data.yaml", b"names: !!python/object/apply:os.system ['id']"), "is not a YAML document"),
    ],
)
def test_wrong_yolo_files_are_refused(lines: str, names: tuple[str, bytes], message: str) -> None:
    with pytest.raises(DataError, match=message):
        yolo(lines, names)


BOXES = (
    b"ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsOccluded,IsTruncated,IsGroupOf,IsDepiction,IsInside\n"
    b"000026e7ee790996,xclick,/m/07j7r,1,0.071875,0.1453125,0.20625,0.391667,0,1,0,0,-1\n"
    b"000062a39995e348,activemil,/m/015p6,1,0.2,0.8,0.1,0.9,1,0,1,0,0\n"
)
CLASSES = b"/m/07j7r,Tree\n/m/015p6,Bird\n/m/0zzz,Car\n"
IMAGES = (
    b"ImageID,Subset,OriginalURL,OriginalLandingURL,License,AuthorProfileURL,Author,Title\n"
    b"000026e7ee790996,validation,https://host/a.jpg,,https://creativecommons.org/licenses/by/2.0/,,Ann,\n"
    b"0000ffffffffffff,validation,https://host/b.jpg,,,,,\n"
)


def test_open_images_keep_groups_flags_names_and_licences() -> None:
    labels = parse_open_images([("boxes.csv", BOXES), ("names.csv", CLASSES), ("images.csv", IMAGES)])

    assert labels.class_names == ("Tree", "Bird", "Car")
    tree, empty, bird = labels.images
    assert tree.extra == {"source": "https://host/a.jpg", "license": 1, "author": "Ann"}
    assert [one["url"] for one in labels.licenses] == ["https://creativecommons.org/licenses/by/2.0/"]
    assert tree.objects[0].box == pytest.approx((0.071875, 0.20625, 0.0734375, 0.185417))
    assert tree.objects[0].attributes == {"occluded": 0, "truncated": 1, "depiction": 0}
    assert empty.objects == ()
    assert (bird.stem, bird.objects[0].label, bird.objects[0].crowd) == ("000062a39995e348", "Bird", True)


def test_open_images_of_other_images_are_passed_over() -> None:
    labels = parse_open_images([("boxes.csv", BOXES)], wanted={"000062a39995e348"})

    assert labels.tally.notes == {"boxes of images that are not among those given": 1}
    assert [(one.stem, one.objects[0].label) for one in labels.images] == [("000062a39995e348", "/m/015p6")]


def test_a_wrong_row_of_open_images_is_named() -> None:
    with pytest.raises(DataError, match=r"boxes\.csv: line 3: XMax must be a finite number, found 'wide'"):
        refuse_odd(parse_open_images([("boxes.csv", BOXES.replace(b"0.8", b"wide"))]))


TABLE = {
    "File_Name": ["1.jpg", "1.jpg", "2.jpg"],
    "class": ["cat", "dog", None],
    "x1": [1.0, 2.0, None],
    "y1": [1.0, 2.0, None],
    "x2": [5.0, 6.0, None],
    "y2": [9.0, 6.0, None],
    "group": ["shot", "shot", None],
}


def test_a_table_is_read_by_the_usual_names_of_columns() -> None:
    columns = find_columns(list(TABLE), {}, where="it")
    first, second = parse_table(TABLE, columns, unit="pixels", where="it").images

    assert [(one.label, one.box) for one in first.objects] == [("cat", (1, 1, 4, 8)), ("dog", (2, 2, 4, 4))]
    assert (first.extra, second.objects) == ({"group": "shot"}, ())


def test_named_columns_come_before_the_usual_ones() -> None:
    table = {"image": ["a.jpg"], "photo": ["b.jpg"], "label": ["cat"], "x": [1], "y": [2], "w": [3], "h": [4]}
    columns = find_columns(list(table), {"image": "photo"}, where="it")

    assert [one.name for one in parse_table(table, columns, unit="pixels", where="it").images] == ["b.jpg"]


@pytest.mark.parametrize(
    ("table", "given", "relative", "message"),
    [
        (TABLE, {"label": "kind"}, False, r"no column for label: kind; its columns are File_Name, class"),
        (
            {"a": ["1.jpg"], "b": ["cat"]},
            {},
            False,
            "no column for image, label, x, y, width, height.*parameter columns",
        ),
        ({**TABLE, "class": ["cat", None, None]}, {}, False, "row 2: label must be a text"),
        ({**TABLE, "group": ["shot", "other", None]}, {}, False, "row 2: group is 'other'; an earlier row"),
        ({**TABLE, "x1": ["1", "?", None]}, {}, False, r"row 2: xmin must be a finite number, found '\?'"),
        (TABLE, {}, True, "a coordinate is 8: these are pixels. Set relative_boxes to false"),
        (
            {**TABLE, "x1": [0, 0, None], "y1": [0, 0, None], "x2": [1, 0.5, None], "y2": [1, 0.5, None]},
            {},
            False,
            "these are shares, not pixels. Set relative_boxes to true",
        ),
    ],
)
def test_wrong_tables_are_refused(
    table: dict[str, list[object]], given: dict[str, str], relative: bool, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        refuse_odd(read_table(table, SourceFields(columns=TableColumns(**given), relative_boxes=relative), where="it"))
