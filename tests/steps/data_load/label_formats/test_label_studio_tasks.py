"""Regions of Label Studio stand on their own picture, or are counted by name: several servers, pictures, controls."""

import json
from typing import Any

import pytest

from label_formats.coco_document import ImageFiles, to_coco
from label_formats.detection import detect
from label_formats.image_index import ImageIndex
from label_formats.label_studio import parse_label_studio
from label_formats.tally import ODD, Tally
from sinara_lib.errors import DataError

IMAGES = [f"{name}.jpg" for name in "abcd"]
SIDES = {"original_width": 100, "original_height": 100}
DAY = "2026-01-0{}T00:00:00Z"


def box(label: str | None, x: float = 10, **more: Any) -> dict[str, Any]:
    value = {"x": x, "y": 10, "width": 20, "height": 30, "rotation": 0}
    labels = {} if label is None else {"rectanglelabels": [label]}
    return {"type": "rectanglelabels", "to_name": "image", **SIDES, "value": {**value, **labels}, **more}


def polygon(label: str, **more: Any) -> dict[str, Any]:
    value = {"points": [[10, 10], [50, 10], [50, 50]], "polygonlabels": [label]}
    return {"type": "polygonlabels", "to_name": "image", **SIDES, "value": value, **more}


def task(data: dict[str, Any], *results: Any, id: int = 1, **annotation: Any) -> dict[str, Any]:
    return {"id": id, "data": data, "annotations": [{"id": 1, "result": list(results), **annotation}]}


def short(image: str, **controls: list[dict[str, Any]]) -> dict[str, Any]:
    """A row of JSON-MIN: what stands in `value` elsewhere stands beside the sides."""
    rows = {key: [{**one["value"], **SIDES} for one in found] for key, found in controls.items()}
    return {"image": image, "id": 1, **rows, "annotator": 1, "annotation_id": 1}


def read(*files: list[Any], key: str | None = None) -> tuple[dict[str, list[tuple[str, float]]], Tally]:
    """The labels of each image with the left edges of their boxes."""
    written = [(f"{number}.json", json.dumps(content).encode()) for number, content in enumerate(files)]
    assert detect(dict(written), where="it") == "label_studio"
    labels = parse_label_studio(written, index=ImageIndex(IMAGES), image_key=key)
    dataset, tally = to_coco(labels, ImageFiles({one: one for one in IMAGES}, lambda _: (100, 100)), format_name="it")
    names = {one.id: one.name for one in dataset.categories}
    assert len({one.id for one in dataset.images}) == len(dataset.images)
    return {
        image.file_name: [(names[one.category_id], round(one.bbox[0])) for one in dataset.annotations_of(image.id)]
        for image in dataset.images
    }, tally


def test_tasks_of_two_servers_with_one_number_stay_two() -> None:
    anna = [task({"image": "/data/upload/1/a.jpg"}, box("car"), updated_at=DAY.format(2))]
    ben = [task({"image": "/data/upload/1/b.jpg"}, box("bus"), updated_at=DAY.format(1))]

    assert read(anna, ben) == ({"a.jpg": [("car", 10)], "b.jpg": [("bus", 10)]}, Tally(found=2))


def test_single_annotations_of_one_task_are_joined_whatever_file_they_lie_in() -> None:
    stored = [
        {"id": number, "result": [box("car", number)], "task": {"id": 7, "data": {"image": "a.jpg"}}, "updated_at": day}
        for number, day in ((1, DAY.format(3)), (2, DAY.format(2)))
    ]
    found, tally = read(stored[:1], stored[1:])

    assert (found, tally.notes) == ({"a.jpg": [("car", 1)]}, {"annotations of images that have several": 1})


def test_the_short_export_gives_the_regions_of_every_control() -> None:
    found, tally = read(
        [
            short("a.jpg", box=[box("car")], poly=[polygon("sign")]),
            short("b.jpg", poly=[polygon("sign")]),
            short("c.jpg"),
            short("d.jpg", label=[box("car"), polygon("bus")]),
            {"image": "e.jpg", "id": 5},
        ]
    )

    assert found == {
        "a.jpg": [("car", 10), ("sign", 10)],
        "b.jpg": [("sign", 10)],
        "c.jpg": [],
        "d.jpg": [("car", 10), ("bus", 10)],
    }
    assert (tally.found, tally.left_out, tally.notes) == (5, {}, {"tasks that nobody has labelled": 1})


def test_of_several_rows_of_the_short_export_the_newest_counts() -> None:
    rows = [
        {**short("a.jpg", box=[box("car", x)]), "updated_at": DAY.format(day)} for x, day in ((1, 2), (2, 3), (3, 1))
    ]

    assert read(rows)[0] == {"a.jpg": [("car", 2)]}


@pytest.mark.parametrize(
    ("data", "names"),
    [
        ({"image1": "a.jpg", "image2": "b.jpg"}, ("img1", "img2")),
        ({"left": "a.jpg", "right": "b.jpg"}, ("left", "right")),
        ({"url_left": "a.jpg", "url_right": "b.jpg"}, ("viewLeft", "viewRight")),
        ({"image": "a.jpg", "image2": "b.jpg"}, ("photo", "photo2")),
        ({"image2": "b.jpg", "image": "a.jpg"}, ("image", "image2")),
    ],
)
def test_each_box_stands_on_its_own_picture_of_a_task(data: dict[str, str], names: tuple[str, str]) -> None:
    one, two = names
    tasks = [task(data, box("car", to_name=one), box("bus", 50, to_name=two))]

    assert read(tasks) == ({"a.jpg": [("car", 10)], "b.jpg": [("bus", 50)]}, Tally(found=2))


def test_the_second_picture_of_a_task_is_an_image_also_without_objects() -> None:
    first = task({"image1": "a.jpg", "image2": "b.jpg"}, box("car", to_name="img1"), box("bus", to_name="img2"))
    second = task({"image1": "c.jpg", "image2": "d.jpg"}, box("car", to_name="img1"), id=2)

    assert read([first, second])[0] == {
        "a.jpg": [("car", 10)],
        "b.jpg": [("bus", 10)],
        "c.jpg": [("car", 10)],
        "d.jpg": [],
    }


def test_pictures_of_a_list_are_told_by_their_place() -> None:
    tasks = [task({"pages": ["a.jpg", "b.jpg", "c.jpg"]}, box("car", item_index=0), box("bus", item_index=1))]

    assert read(tasks)[0] == {"a.jpg": [("car", 10)], "b.jpg": [("bus", 10)], "c.jpg": []}


def test_regions_of_which_nobody_knows_the_picture_are_counted_and_a_column_decides() -> None:
    tasks = [task({"photo": "a.jpg", "sketch": "b.jpg"}, box("car", to_name="x"), box("bus", to_name="y"))]
    _, tally = read(tasks)

    assert (tally.found, tally.taken) == (2, 0)
    with pytest.raises(DataError, match=r"0\.json: task 0 \(id 1\): `to_name` .* which of photo, sketch is meant"):
        tally.ensure_most_taken()
    assert read(tasks, key="photo")[0] == {"a.jpg": [("car", 10), ("bus", 10)]}


def test_a_task_that_names_no_image_is_counted_beside_those_that_do() -> None:
    found, tally = read([task({"image": "a.jpg"}, box("car")), task({"image": None}, box("bus"), id=2)])

    assert found == {"a.jpg": [("car", 10)]}
    assert (tally.left_out, tally.notes) == (
        {"regions of tasks that name no image": 1},
        {"tasks that name no image": 1},
    )


@pytest.mark.parametrize("bare", [box(None), {**box(None), "value": {**box(None)["value"], "rectanglelabels": []}}])
def test_regions_without_a_label_are_counted(bare: dict[str, Any]) -> None:
    found, tally = read([task({"image": "a.jpg"}, box("car"), {**bare, "value": {**bare["value"], "x": 50}})])

    assert (found, tally.left_out) == ({"a.jpg": [("car", 10)]}, {"regions without a label": 1})


def test_one_region_told_by_two_controls_is_one_object() -> None:
    shape = {"type": "rectangle", "id": "r", **SIDES, "value": box(None)["value"]}
    label = {"type": "labels", "id": "r", **SIDES, "value": {**box(None)["value"], "labels": ["car"]}}
    choice = {"type": "choices", "id": "r", "value": {**box(None)["value"], "choices": ["dirty"]}}
    whole = {"type": "choices", "id": "w", "value": {"choices": ["night"]}}
    found, tally = read([task({"image": "a.jpg"}, shape, label, choice, whole)])

    assert (found, tally.found, tally.left_out) == ({"a.jpg": [("car", 10)]}, 1, {})
    assert tally.notes == {"results of the kind choices, which mark no object": 1}
    rows = [{**short("a.jpg"), "rect": [{**shape["value"], **SIDES}], "label": [{**label["value"], **SIDES}]}]
    assert read(rows) == ({"a.jpg": [("car", 10)]}, Tally(found=1))


def test_kinds_that_are_not_taken_are_counted_by_name() -> None:
    brush = {"type": "brushlabels", "value": {"format": "rle", "rle": [1], "brushlabels": ["a"]}}
    point = {"type": "keypointlabels", "value": {"x": 1, "y": 2, "width": 0.3, "keypointlabels": ["nose"]}}
    through_labels = {"type": "labels", "value": {"format": "rle", "rle": [1], "labels": ["a"]}}
    _, tally = read([task({"image": "a.jpg"}, box("car"), brush, point, through_labels)])

    assert (tally.found, tally.taken) == (4, 1)
    assert tally.left_out == {f"regions of the kind {kind}": 1 for kind in ("brushlabels", "keypointlabels", "labels")}


@pytest.mark.parametrize(
    "value", [{"points": [[1, 2], [3, 4]]}, {"points": [[1, 2], [3, 4], [5, "x"]]}, {"x": None, "height": 3}]
)
def test_one_odd_region_is_counted_named_and_left_out(value: dict[str, Any]) -> None:
    odd = {**box("car"), "value": {"rectanglelabels": ["bus"], **value}}
    found, tally = read([task({"image": "a.jpg"}, box("car"), odd)])

    assert (found, tally.left_out) == ({"a.jpg": [("car", 10)]}, {ODD: 1})
    assert tally.examples[ODD].startswith("0.json: task 0: region 1")


def test_one_picture_in_two_tasks_is_joined_when_they_agree_or_one_is_newer() -> None:
    same = [task({"image": name}, box("car"), id=number) for number, name in enumerate(("a.jpg", "x/a.jpg"))]
    older, newer = (
        task({"image": "a.jpg"}, box(label), updated_at=day)
        for label, day in (("car", "2026-01-01T23:00:00-05:00"), ("bus", "2026-01-02T03:00:00Z"))
    )

    assert read(same)[0] == {"a.jpg": [("car", 10)]}
    assert read([older, newer])[0] == {"a.jpg": [("car", 10)]}


def test_two_tasks_that_disagree_about_one_picture_are_both_named() -> None:
    tasks = [task({"image": "a.jpg"}, box(label), id=number) for number, label in ((4, "car"), (9, "bus"))]

    with pytest.raises(
        DataError, match=r"0\.json: task 0 \(id 4\) and 0\.json: task 1 \(id 9\) are two tasks of one image"
    ):
        read(tasks)


def test_tasks_that_were_skipped_are_told_from_those_that_wait() -> None:
    tasks = [task({"image": "a.jpg"}, box("car"), was_cancelled=True), {"data": {"image": "b.jpg"}, "annotations": []}]
    _, tally = read([*tasks, task({"image": "c.jpg"})])

    assert tally.notes == {"tasks that were skipped": 1, "tasks that nobody has labelled": 1}


def test_a_name_that_looks_like_an_upload_is_the_file_that_has_it() -> None:
    index = ImageIndex(["1.jpg", "deadbeef-1.jpg"])
    tasks = [
        task({"image": f"/data/upload/2/{name}"}, box("car"), id=number)
        for number, name in enumerate(("deadbeef-1.jpg", "0a1b2c3d-1.jpg"))
    ]
    labels = parse_label_studio([("e.json", json.dumps(tasks).encode())], index=index)

    files = ImageFiles({"1.jpg": "1.jpg", "deadbeef-1.jpg": "deadbeef-1.jpg"}, lambda _: (100, 100))
    assert [one.file_name for one in to_coco(labels, files, format_name="it")[0].images] == ["deadbeef-1.jpg", "1.jpg"]


def test_nothing_labelled_is_no_dataset() -> None:
    with pytest.raises(DataError, match="no value of `data` names an image"):
        read([task({"words": "yes"}, box("car"))])
    assert read([{"id": 1, "data": {"image": "a.jpg"}, "annotations": []}])[0] == {}
