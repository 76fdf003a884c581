"""Label Studio's tasks are read with one annotation each, in pixels, and what cannot be read is counted."""

import json
from typing import Any

import pytest

from label_formats.coco_document import ImageFiles, to_coco
from label_formats.label_studio import image_path, parse_label_studio
from label_formats.tally import Tally
from sinara_lib.errors import DataError
from sinara_lib.vision.coco import CocoDataset


def region(kind: str = "rectanglelabels", **value: Any) -> dict[str, Any]:
    box = {"x": 10, "y": 20, "width": 30, "height": 40, "rotation": 0}
    return {
        "type": kind,
        "original_width": 640,
        "original_height": 480,
        "image_rotation": 0,
        "value": {**box, kind: ["dog"], **value},
    }


def task(*results: list[dict[str, Any]], **annotation: Any) -> dict[str, Any]:
    annotations = [{"id": number, "result": result, **annotation} for number, result in enumerate(results)]
    return {"id": 4, "data": {"image": "http://host/a/1.jpg"}, "annotations": annotations}


def read(*tasks: Any) -> tuple[CocoDataset, Tally]:
    labels = parse_label_studio([("export.json", json.dumps(list(tasks)).encode())])
    return to_coco(labels, ImageFiles({"a/1.jpg": "1.jpg"}, lambda _: (640, 480)), format_name="it")


def test_a_rectangle_in_percent_becomes_pixels() -> None:
    dataset, tally = read(task([region()]))

    assert [one.bbox for one in dataset.annotations] == [pytest.approx((64, 96, 192, 192))]
    assert [(one.id, one.file_name, one.width) for one in dataset.images] == [(4, "1.jpg", 640)]
    assert (tally.found, tally.left_out, tally.notes) == (1, {}, {})


def test_a_turned_rectangle_becomes_the_box_around_its_corners_in_pixels() -> None:
    # 25 % x 10 % of 640 x 480 is 160 x 48 pixels; a right angle clockwise around (320, 240) puts it at its left.
    dataset, _ = read(task([region(x=50, y=50, width=25, height=10, rotation=90)]))

    (found,) = dataset.annotations
    assert found.bbox == pytest.approx((320 - 48, 240, 48, 160))
    assert found.area == pytest.approx(160 * 48)
    assert found.segmentation == [pytest.approx([320, 240, 320, 400, 272, 400, 272, 240])]


@pytest.mark.parametrize(
    ("x", "y", "width", "height", "degrees", "expected"),
    [
        (50, 40, 20, 10, 30, (296.0, 192.0, 134.85125168, 105.56921938)),
        (10, 80, 20, 10, 200, (-56.28065546, 295.11617586, 136.69762234, 88.88382414)),
    ],
)
def test_turned_rectangles_are_those_of_label_studios_own_oriented_boxes(
    x: float, y: float, width: float, height: float, degrees: float, expected: tuple[float, ...]
) -> None:
    # Expected: around the corners from convert_annotation_to_yolo_obb of label-studio-sdk 2.1.2. Its COCO export turns
    # percent instead of pixels and gives other boxes: https://github.com/HumanSignal/label-studio/issues/2293
    dataset, _ = read(task([region(x=x, y=y, width=width, height=height, rotation=degrees)]))

    assert dataset.annotations[0].bbox == pytest.approx(expected)


def test_polygons_ellipses_and_several_labels_are_read() -> None:
    polygon = region("polygonlabels", points=[[0, 0], [50, 0], [0, 50]])
    ellipse = region("ellipselabels", x=50, y=50, radiusX=10, radiusY=5)
    double = region(rectanglelabels=["dog", "puppy"])
    dataset, _ = read(task([polygon, ellipse, double]))

    names = dict(zip(dataset.category_ids, dataset.class_names, strict=True))
    assert [(names[one.category_id], one.bbox) for one in dataset.annotations] == [
        ("dog", pytest.approx((0, 0, 320, 240))),
        ("dog", pytest.approx((256, 216, 128, 48))),
        ("dog", pytest.approx((64, 96, 192, 192))),
        ("puppy", pytest.approx((64, 96, 192, 192))),
    ]


def test_of_several_annotators_the_ground_truth_counts_and_else_the_newest() -> None:
    old, new, cancelled = ([region(x=number)] for number in (1, 2, 3))
    several = task(old, new, cancelled)
    for one, changed in zip(several["annotations"], ("2026-01-02", "2026-01-03", "2026-01-04"), strict=True):
        one["updated_at"] = f"{changed}T00:00:00Z"
    several["annotations"][2]["was_cancelled"] = True
    newest, tally = read(several)
    several["annotations"][0]["ground_truth"] = True
    truth, _ = read(several)

    assert [one.bbox[0] for one in newest.annotations] == [pytest.approx(12.8)]
    assert [one.bbox[0] for one in truth.annotations] == [pytest.approx(6.4)]
    assert tally.notes == {"annotations of images that have several": 1}


def test_the_short_export_and_single_annotations_of_a_storage_are_read_too() -> None:
    box = region()["value"]
    short = {"id": 4, "image": "a/1.jpg", "label": [{**box, "original_width": 640, "original_height": 480}]}
    stored = {"id": 9, "result": [region()], "task": {"id": 4, "data": {"image": "s3://bucket/a/1.jpg"}}}

    assert read(short)[0].annotations == read(stored)[0].annotations == read(task([region()]))[0].annotations


def test_what_has_no_box_or_no_annotation_is_left_out_and_counted() -> None:
    brush = {"type": "brushlabels", "value": {"format": "rle", "rle": [1], "brushlabels": ["dog"]}}
    relation = {"type": "relation", "from_id": "a", "to_id": "b"}
    other = {"id": 5, "data": {"image": "2.jpg"}, "annotations": []}
    dataset, tally = read(task([brush, relation, {**region(), "image_rotation": 90}]), other)

    assert (len(dataset.images), dataset.annotations) == (1, ())
    assert tally.left_out == {
        "regions of the kind brushlabels": 1,
        "regions on an image that was rotated in the tool": 1,
    }
    assert tally.notes == {
        "results of the kind relation, which mark no object": 1,
        "tasks that nobody has labelled": 1,
    }


@pytest.mark.parametrize(
    ("reference", "path"),
    [
        ("/data/local-files/?d=day/a%20b+c.jpg", "day/a b+c.jpg"),
        ("http://host:8080/data/local-files/?d=/day/1.jpg", "day/1.jpg"),
        ("/data/upload/3/0a1b2c3d-1.jpg", "3/0a1b2c3d-1.jpg"),
        ("s3://bucket/1.jpg", "s3://bucket/1.jpg"),
    ],
)
def test_label_studios_own_addresses_are_files(reference: str, path: str) -> None:
    assert image_path(reference) == path


def test_an_uploaded_image_is_found_under_the_name_it_had() -> None:
    uploaded = {**task([region()]), "data": {"photo": "/data/upload/3/0a1b2c3d-1.jpg"}}

    assert [one.file_name for one in read(uploaded)[0].images] == ["1.jpg"]


@pytest.mark.parametrize(
    ("item", "message"),
    [
        (task([region(x="left")]), r"export\.json: task 0: region 0: x must be a finite number, found 'left'"),
        (task([region(rectanglelabels="dog")]), "rectanglelabels must be a list"),
        ({"id": 1, "data": {"text": "words"}, "annotations": [{"result": []}]}, "no value of `data` names an image"),
        ({"id": 1, "data": {"image": "1.jpg"}, "annotations": 3}, "`annotations` must be a list, found 3"),
        (7, "task 0 must be a JSON object, found 7"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(item: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read(item)[1].ensure_most_taken()
