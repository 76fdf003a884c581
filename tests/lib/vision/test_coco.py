"""COCO documents: what is kept, what is refused, what is drawn."""

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools.coco import COCO

from sinara_lib.errors import DataError
from sinara_lib.vision.coco import (
    CocoDataset,
    draw_boxes,
    load_coco,
    parse_coco,
    save_coco,
    select_images,
)
from sinara_lib.vision.coco_drawing import PALETTE, class_colour

DOCUMENT: dict[str, Any] = {
    "info": {"description": "two streets", "year": 2026},
    "licenses": [{"id": 1, "name": "CC BY 4.0", "url": "https://creativecommons.org/licenses/by/4.0/"}],
    "images": [
        {"id": 7, "file_name": "a/left.jpg", "width": 64, "height": 48, "license": 1, "date_captured": "2026-11-21"},
        {"id": 3, "file_name": "right.jpg", "width": 640, "height": 480},
    ],
    "annotations": [
        {"id": 1, "image_id": 7, "category_id": 9, "bbox": [1, 2, 30.5, 40], "area": 1220, "iscrowd": 0,
         "segmentation": [[1, 2, 31.5, 2, 31.5, 42, 1, 42]], "score_by": "a person"},
        {"id": 2, "image_id": 7, "category_id": 4, "bbox": [0, 0, 10, 10], "area": 50, "iscrowd": 1,
         "segmentation": {"counts": [0, 3072], "size": [48, 64]}},
        {"id": 3, "image_id": 3, "category_id": 9, "bbox": [-5, 2, 3, 0]},
    ],
    "categories": [
        {"id": 9, "name": "car", "supercategory": "vehicle", "colour": "red"},
        {"id": 4, "name": "person", "supercategory": "person"},
    ],
    "made_by": "hand",
}  # fmt: skip


@pytest.fixture
def dataset() -> CocoDataset:
    return parse_coco(DOCUMENT, where="test")


def _without(place: list[Any], key: str) -> dict[str, Any]:
    return _with(place, key, None, remove=True)


def _with(place: list[Any], key: str, value: Any, *, remove: bool = False) -> dict[str, Any]:
    document = copy.deepcopy(DOCUMENT)
    target: Any = document
    for step in place:
        target = target[step]
    if remove:
        del target[key]
    else:
        target[key] = value
    return document


def test_a_saved_document_reads_back_equal_with_every_unknown_field(dataset: CocoDataset, tmp_path: Path) -> None:
    save_coco(dataset, tmp_path / "saved.json")
    again = load_coco(tmp_path / "saved.json")
    assert again == dataset
    assert again.extra == {"made_by": "hand"}
    assert again.images[0].extra == {"license": 1, "date_captured": "2026-11-21"}
    assert again.annotations[0].extra == {"score_by": "a person"}
    assert again.categories[0].extra == {"colour": "red"}


def test_the_same_dataset_gives_the_same_bytes(dataset: CocoDataset, tmp_path: Path) -> None:
    save_coco(dataset, tmp_path / "one.json")
    save_coco(load_coco(tmp_path / "one.json"), tmp_path / "two.json")
    assert (tmp_path / "one.json").read_bytes() == (tmp_path / "two.json").read_bytes()


def test_pycocotools_reads_what_is_saved(dataset: CocoDataset, tmp_path: Path) -> None:
    save_coco(dataset, tmp_path / "saved.json")
    oracle = COCO(str(tmp_path / "saved.json"))
    assert sorted(oracle.getImgIds()) == [3, 7]
    assert oracle.loadAnns([1])[0]["bbox"] == [1, 2, 30.5, 40]
    assert oracle.annToMask(oracle.loadAnns([1])[0]).shape == (48, 64)


def test_wrong_values_of_the_right_type_pass_the_door_for_data_prep_to_report(dataset: CocoDataset) -> None:
    assert dataset.annotations[2].bbox == (-5.0, 2.0, 3.0, 0.0)
    assert dataset.annotations[2].area is None
    assert dataset.annotations[2].segmentation is None


def test_class_names_follow_category_ids(dataset: CocoDataset) -> None:
    assert dataset.class_names == ("person", "car")
    assert dataset.category_ids == (4, 9)


def test_annotations_of_an_image_come_in_document_order(dataset: CocoDataset) -> None:
    assert [one.id for one in dataset.annotations_of(7)] == [1, 2]
    assert dataset.annotations_of(99) == ()


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ([], r"here: a COCO document must be a JSON object, found \[\]"),
        (_without([], "images"), r"here needs a list `images`, found nothing; keys there are: annotations, categories"),
        (_with([], "annotations", {}), r"here needs a list `annotations`, found \{\}"),
        (_with(["images"], 1, 5), r"here: images\[1\] must be a JSON object, found 5"),
        (_with(["images", 0], "width", "64"), r"images\[0\]: `width` must be a whole number, found '64'"),
        (_with(["images", 0], "id", True), r"images\[0\]: `id` must be a whole number, found True"),
        (_with(["images", 0], "file_name", ""), r"images\[0\]: `file_name` must be a text that is not empty"),
        (_with(["images", 0], "file_name", "../x.jpg"), r"images\[0\]: `file_name` must stay inside the folder"),
        (_with(["images", 0], "file_name", "/x.jpg"), r"images\[0\]: `file_name` must stay inside the folder"),
        (_with(["annotations", 2], "bbox", [1, 2, 3]), r"annotations\[2\]: `bbox` must be \[x, y, width, height\]"),
        (_with(["annotations", 2], "bbox", [1, 2, 3, None]), r"annotations\[2\]: `bbox` must hold numbers, found noth"),
        (_with(["annotations", 2], "area", "big"), r"annotations\[2\]: `area` must hold numbers, found 'big'"),
        (_with(["annotations", 2], "bbox", [1, 2, 3, 10**400]), r"annotations\[2\]: `bbox` holds a number that is too"),
        (_without(["annotations", 0], "image_id"), r"annotations\[0\]: `image_id` must be a whole number, found noth"),
        (_with(["annotations", 0], "segmentation", "x"), r"annotations\[0\]: `segmentation` must be polygons or RLE"),
        (_with(["categories", 0], "name", 5), r"categories\[0\]: `name` must be a text that is not empty, found 5"),
        (_with(["categories", 0], "name", "person"), r"each category name must be given once.* person"),
        (_with(["categories", 0], "id", 4), r"each category id must be given once.* 4"),
        (
            _with(["images", 0], "id", 2**53),
            r"images\[0\]: `id` must be at most 9007199254740991, found 90",
        ),
        (_with(["images", 0], "width", 1e300), r"images\[0\]: `width` must be at most .*, found a number of over"),
        (
            _with(["images", 0], "file_name", "\ud800.jpg"),
            r"`file_name` must be a text that is not empty, found",
        ),
        (_with(["annotations", 0], "iscrowd", "0"), r"annotations\[0\]: `iscrowd` must be 0 or 1, found '0'"),
        (_with([], "info", "mine"), r"here: `info` must be a JSON object, found 'mine'"),
    ],
)
def test_wrong_structure_is_refused_with_its_place(document: object, expected: str) -> None:
    with pytest.raises(DataError, match=expected):
        parse_coco(document, where="here")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "is not a JSON document"),
        (b"<html>404</html>", "is not a JSON document"),
        (b"\xff\xfe\x00", "is not a JSON document"),
        (b"[" * 100_000, "is not a JSON document"),
        (b'{"images": [], "images": []}', "is not a JSON document: the key 'images' is given twice in one object"),
    ],
)
def test_a_file_that_is_not_json_is_named(tmp_path: Path, content: bytes, expected: str) -> None:
    path = tmp_path / "instances.json"
    path.write_bytes(content)
    with pytest.raises(DataError, match=f"instances.json: {expected}"):
        load_coco(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none.json: the COCO document cannot be read: No such file"):
        load_coco(tmp_path / "none.json")


@pytest.mark.parametrize(
    ("record", "key", "value"), [("annotations", "bbox", [1, 2, float("nan"), 4]), ("images", "license", "\ud800")]
)
def test_a_value_that_json_cannot_hold_is_not_written(tmp_path: Path, record: str, key: str, value: object) -> None:
    broken = parse_coco(_with([record, 0], key, value), where="test")
    with pytest.raises(DataError, match=rf"not a finite number or not whole text in {record}\[0\] \(id \d+\)"):
        save_coco(broken, tmp_path / "broken.json")
    assert not (tmp_path / "broken.json").exists()


_ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_a_mutated_document_is_read_or_refused_and_nothing_else(data: st.DataObject) -> None:
    document = copy.deepcopy(DOCUMENT)
    target: Any = document
    while True:
        keys = list(target) if isinstance(target, dict) else list(range(len(target)))
        key = data.draw(st.sampled_from(keys))
        if not isinstance(target[key], dict | list) or not target[key] or data.draw(st.booleans()):
            break
        target = target[key]
    target[key] = data.draw(_ANY_JSON)
    try:
        parsed = parse_coco(document, where="mutated")
    except DataError:
        return
    assert len(parsed.images) == len(document["images"])


def test_selected_images_bring_their_annotations(dataset: CocoDataset) -> None:
    selected = select_images(dataset, [3])
    assert [one.id for one in selected.images] == [3]
    assert [one.id for one in selected.annotations] == [3]
    assert json.dumps(selected.info) == json.dumps(dataset.info)


GREY = np.full((200, 300, 3), 128, dtype=np.uint8)


def test_drawing_leaves_the_image_as_it_is_and_keeps_its_size_when_told() -> None:
    image = GREY.copy()
    drawn = draw_boxes(image, [[20, 60, 100, 80]], labels=[0], class_names=["car"], min_long_side=0)
    assert drawn.shape == image.shape
    assert (image == GREY).all()
    assert (drawn != GREY).any()


def test_a_box_is_drawn_where_it_lies_in_the_colour_of_its_class() -> None:
    drawn = draw_boxes(GREY, [[20, 60, 100, 80]], labels=[1], class_names=["car", "bus"], min_long_side=0)
    for x, y in ((20, 100), (120, 100), (70, 140)):
        assert tuple(drawn[y, x, ::-1]) == class_colour(1)
    assert tuple(drawn[100, 70]) == (128, 128, 128)


def test_a_small_image_is_enlarged_and_its_boxes_with_it() -> None:
    drawn = draw_boxes(GREY, [[150, 100, 60, 60]], labels=[0], class_names=["car"], min_long_side=600)
    assert drawn.shape == (400, 600, 3)
    assert tuple(drawn[260, 300, ::-1]) == class_colour(0)


def test_a_label_with_its_score_is_written_on_a_tag_inside_the_image() -> None:
    plain = draw_boxes(GREY, [[0, 0, 50, 50]], labels=[0], class_names=["car"])
    scored = draw_boxes(GREY, [[0, 0, 50, 50]], labels=[0], class_names=["car"], scores=[0.87])
    tag = (scored != plain).any(axis=2)
    assert tag.sum() > 200
    assert (scored[:, :, ::-1] == class_colour(0)).all(axis=2).sum() > (plain[:, :, ::-1] == class_colour(0)).all(
        axis=2
    ).sum()


@pytest.mark.parametrize("boxes", [[], [[-50, -50, 20, 20]], [[290, 190, 500, 500]], [[10, 10, 0, 0]]])
def test_boxes_at_and_beyond_the_edge_do_not_stop_the_drawing(boxes: list[list[float]]) -> None:
    drawn = draw_boxes(GREY, boxes, labels=[0] * len(boxes), class_names=["чашка"])
    assert drawn.dtype == np.uint8


def test_the_first_classes_have_different_colours_and_later_ones_paler_ones() -> None:
    colours = [class_colour(index) for index in range(3 * len(PALETTE))]
    assert len(set(colours)) == len(colours)
    assert sum(class_colour(len(PALETTE))) > sum(class_colour(0))


def test_text_on_every_class_colour_has_the_contrast_that_wcag_asks_for() -> None:
    for index in range(21):
        drawn = draw_boxes(GREY, [[100, 100, 50, 50]], labels=[index], class_names=["X" * 3] * 21)
        pixels = drawn[:, :, ::-1].reshape(-1, 3)
        inks = [ink for ink in ((16, 16, 16), (255, 255, 255)) if (pixels == ink).all(axis=1).any()]
        assert max(_contrast(class_colour(index), ink) for ink in inks) >= 4.5


def _contrast(one: tuple[int, int, int], other: tuple[int, int, int]) -> float:
    bright, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


def _luminance(colour: tuple[int, int, int]) -> float:
    linear = [v / 12.92 if v <= 0.03928 else ((v + 0.055) / 1.055) ** 2.4 for v in (c / 255 for c in colour)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
