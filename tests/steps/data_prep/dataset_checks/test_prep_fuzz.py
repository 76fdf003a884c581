"""A thousand damaged documents: each ends in a report or in a message, and what would be published is sound."""

import contextlib
import copy
import io
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pycocotools.coco import COCO

from dataset_checks.checks import check_dataset
from dataset_report.findings import findings_table
from dataset_split import split_dataset
from prep_cases import write_picture
from prep_params import CheckOptions
from sinara_lib.errors import DataError
from sinara_lib.tables import printable
from sinara_lib.vision.coco import load_coco, save_coco
from sinara_lib.vision.coco_archive import FolderFiles

FRACTIONS = {"train": 0.5, "eval": 0.25, "test": 0.25}
SIZE = (64, 48)
OPTIONS = CheckOptions(classes=[], min_object_size=1.0, empty_share=1.0)

_NUMBERS = st.integers(-3, 70) | st.floats() | st.sampled_from([2**53, 2**64, 10**400, 1e308, -1e308, 5e-324, -0.0])
_TEXTS = st.sampled_from(["", "0", "1", "001.jpg", "../001.jpg", "\ud800", "\0", "car", "<b>x</b>|", "é" * 400])
_LEAVES = st.none() | st.booleans() | _NUMBERS | _TEXTS | st.text(max_size=4)
_VALUES = st.recursive(
    _LEAVES,
    lambda inner: st.lists(inner, max_size=8) | st.dictionaries(_TEXTS, inner, max_size=3),
    max_leaves=10,
)
_HARM = st.none() | st.tuples(st.sampled_from(["cut", "flip", "deep", "twice", "latin"]), st.floats(0, 1))
_DEEP = "[" * 5000 + "]" * 5000

Change = tuple[str, int, Any]
_PLACES = st.integers(0, 10**9)
_WILD = st.tuples(st.sampled_from(["replace", "remove", "copy", "add"]), _PLACES, _VALUES)
_WHOLE = st.integers(-1, 8) | st.sampled_from([48, 64, 2**53 - 1])
_REAL = st.floats(-80, 160) | st.floats() | st.sampled_from([1e308, -1e308, 5e-324, -0.0, 64.0])
_MILD = st.tuples(st.just("number"), _PLACES, st.tuples(_WHOLE, _REAL)) | st.tuples(st.just("record"), _PLACES, _PLACES)
"""Changes that leave every type as it was, so that the checks have to deal with them."""
_CHANGES = st.lists(_MILD, max_size=8) | st.lists(_MILD | _WILD, max_size=3)


def valid_document() -> dict[str, Any]:
    """Six pictures with an object each, some with segmentations, a crowd and a group."""
    segmentation = [[5.0, 6.0, 25.0, 6.0, 25.0, 16.0, 5.0, 16.0]]
    runs = {"size": [48, 64], "counts": [294, 10, 38, 10, 2720]}
    annotations = [
        {"id": n, "image_id": n, "category_id": 1 + n % 2, "bbox": [5.0, 6.0, 20.0, 10.0], "area": 200.0, "iscrowd": 0}
        for n in range(1, 7)
    ]
    annotations[0]["segmentation"] = segmentation
    annotations[1] |= {"segmentation": runs, "iscrowd": 1, "bbox": [6.0, 6.0, 2.0, 10.0], "area": 20.0}
    return {
        "info": {"year": 2026},
        "licenses": [{"id": 1, "name": "CC BY 4.0"}],
        "images": [
            {"id": n, "file_name": f"{n:03}.jpg", "width": 64, "height": 48, "license": 1, "group": f"g{n // 2}"}
            for n in range(1, 7)
        ],
        "annotations": annotations,
        "categories": [{"id": 1, "name": "car"}, {"id": 2, "name": "person", "supercategory": "living"}],
    }


def places_in(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every container with every key of it."""
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        yield value, key
        yield from places_in(value[key])


def damage(document: dict[str, Any], changes: list[Change]) -> dict[str, Any]:
    """The document with each change made at the place that its number points to."""
    document = copy.deepcopy(document)
    for kind, number, value in changes:
        if kind == "record":
            records = document[("images", "annotations")[number % 2]]
            records.insert(number % len(records), copy.deepcopy(records[value % len(records)]))
            continue
        whole = {key: document[key] for key in ("images", "annotations")} if kind == "number" else document
        places = [place for place in places_in(whole) if kind != "number" or _is_number(*place)]
        if not places:
            continue
        box, key = places[number % len(places)]
        if kind == "number":
            box[key] = value[isinstance(box[key], float)]
        elif kind == "replace":
            box[key] = value
        elif kind == "remove":
            del box[key]
        elif isinstance(box, list):
            box.append(copy.deepcopy(box[key]) if kind == "copy" else value)
        else:
            box["extra" if kind == "add" else "copied"] = value
    return document


def _is_number(box: Any, key: Any) -> bool:
    return type(box[key]) in (int, float)


def as_bytes(document: dict[str, Any], harm: tuple[str, float] | None) -> bytes:
    """The document as a file, whose bytes may be damaged too."""
    text = json.dumps(document)
    kind, share = harm or ("", 0.0)
    at = int(share * len(text))
    if kind == "cut":
        text = text[:at]
    elif kind == "flip":
        text = text[:at] + chr(33 + at % 90) + text[at + 1 :]
    elif kind == "deep":
        text = text[:-1] + f', "deep": {_DEEP}}}'
    elif kind == "twice":
        text = text[:-1] + f', "images": {json.dumps(document.get("images"))}}}'
    elif kind == "latin":
        return text[:at].encode() + b"\xe9" + text[at:].encode()
    return text.encode()


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> FolderFiles:
    folder = tmp_path_factory.mktemp("pictures")
    for number in range(1, 7):
        write_picture(folder / f"{number:03}.jpg")
    return FolderFiles(folder)


def assert_sound(document: dict[str, Any], files: FolderFiles) -> None:
    """What every published document promises."""
    images = {one["id"]: one for one in document["images"]}
    categories = {one["id"] for one in document["categories"]}
    ids = [one["id"] for one in document["annotations"]]
    assert len(images) == len(document["images"]) == len({one["file_name"] for one in document["images"]})
    assert len(set(ids)) == len(ids)
    assert min(ids, default=1) >= 1
    assert all(one["file_name"] in files.names() for one in images.values())
    assert all((one["width"], one["height"]) == SIZE for one in images.values())
    for one in document["annotations"]:
        assert one["image_id"] in images
        assert one["category_id"] in categories
        assert one["iscrowd"] in (0, 1)
        x, y, width, height = one["bbox"]
        assert min(x, y) >= 0
        assert min(width, height) >= OPTIONS.min_object_size
        assert x + width <= SIZE[0] + 1e-6
        assert y + height <= SIZE[1] + 1e-6
        assert 0 < one["area"] < math.inf
    oracle = COCO()
    oracle.dataset = document
    with contextlib.redirect_stdout(io.StringIO()):
        oracle.createIndex()
    assert sorted(oracle.getAnnIds()) == sorted(ids)
    assert sorted(oracle.getImgIds()) == sorted(images)
    for one in oracle.loadAnns(ids):
        assert not one.get("segmentation") or oracle.annToMask(one).shape == (SIZE[1], SIZE[0])


def test_the_document_that_is_damaged_is_sound_at_first(files: FolderFiles, tmp_path: Path) -> None:
    (tmp_path / "instances.json").write_bytes(as_bytes(valid_document(), None))
    dataset = load_coco(tmp_path / "instances.json")
    checked = check_dataset(dataset, files, options=OPTIONS)
    assert [one.check.name for one in checked.findings if one.count] == ["crowd"]
    assert checked.repairs() == {}
    assert (len(checked.dataset.images), len(checked.dataset.annotations)) == (6, 6)


def pass_through(document: bytes, files: FolderFiles, folder: Path) -> None:
    """Check, split and write a document; what comes of it must be sound and pass again without a find.

    Raises DataError.
    """
    (folder / "instances.json").write_bytes(document)
    checked = check_dataset(load_coco(folder / "instances.json"), files, options=OPTIONS)
    parts = split_dataset(checked.dataset, FRACTIONS, seed=1)
    for _, part in parts.items():
        save_coco(part, folder / "annotations.json")
        assert_sound(json.loads((folder / "annotations.json").read_bytes()), files)
    split = sorted(image.id for _, part in parts.items() for image in part.images)
    assert split == sorted(image.id for image in checked.dataset.images)
    assert all(row[4] == printable(row[4]) for row in findings_table(checked.findings)[1])
    again = check_dataset(checked.dataset, files, options=OPTIONS)
    assert again.dataset == checked.dataset
    assert not [one.check.name for one in again.findings if one.count and one.action != "keep"]


@settings(max_examples=600, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=st.lists(_MILD, max_size=8))
def test_wrong_values_end_in_a_message_or_in_sound_parts_that_pass_again(
    changes: list[Change], files: FolderFiles, tmp_path: Path
) -> None:
    with contextlib.suppress(DataError):
        pass_through(as_bytes(damage(valid_document(), changes), None), files, tmp_path)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(mild=st.lists(_MILD, max_size=2), wild=st.lists(_WILD, max_size=2), harm=_HARM)
def test_wrong_types_keys_and_bytes_end_in_a_message_or_in_sound_parts(
    mild: list[Change], wild: list[Change], harm: tuple[str, float] | None, files: FolderFiles, tmp_path: Path
) -> None:
    with contextlib.suppress(DataError):
        pass_through(as_bytes(damage(valid_document(), mild + wild), harm), files, tmp_path)
