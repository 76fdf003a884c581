"""COCO written in each format and read back loses nothing that the format can hold."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from format_writers import WRITERS
from label_formats.coco_document import ImageFiles, to_coco
from label_formats.detection import HEAD_BYTES, detect
from label_formats.reading import read_labels
from sinara_lib.vision.coco import CocoAnnotation, CocoCategory, CocoDataset, CocoImage, parse_coco
from source_params import SourceFields

WORDS = st.text("abzÄж漢 ,;'\"<&>-_.#?%0", min_size=1, max_size=8).map(str.strip).filter(bool)
STEMS = WORDS.filter(lambda word: not word.startswith(".") and not word.endswith("."))
HOLDS = {
    "voc": {"attributes"},
    "yolo": set(),
    "cvat": {"id", "attributes", "polygon"},
    "label_studio": {"id", "polygon"},
    "open_images": {"iscrowd", "attributes"},
    "labelme": {"polygon"},
    "labelme_xml": {"polygon"},
    "createml": set(),
    "via": {"polygon"},
    "via (csv)": {"polygon"},
    "supervisely": {"polygon"},
    "hugging_face": {"iscrowd", "area"},
    "table": {"iscrowd", "area"},
    "table (parquet)": {"iscrowd", "area"},
}
"""What each format holds besides names, sizes, classes and boxes. KITTI is not among them: blanks part its names."""


@st.composite
def datasets(draw: st.DrawFn, holds: set[str]) -> CocoDataset:
    """A document that uses nothing the format cannot hold."""
    names = draw(st.lists(WORDS, min_size=1, max_size=3, unique=True))
    stems = draw(st.lists(STEMS, min_size=1, max_size=3, unique=True))
    first = draw(st.integers(0, 50)) if "id" in holds else 1
    images = tuple(
        CocoImage(first + place, f"{stem}.jpg", draw(st.integers(1, 4000)), draw(st.integers(1, 4000)))
        for place, stem in enumerate(stems)
    )
    annotations: list[CocoAnnotation] = []
    for image in images:
        for _ in range(draw(st.integers(0, 3))):
            annotations.append(draw(_annotation(image, len(annotations) + 1, len(names), holds)))
    categories = tuple(CocoCategory(number, name) for number, name in enumerate(names, start=1))
    return CocoDataset(images, tuple(annotations), categories)


@st.composite
def _annotation(draw: st.DrawFn, image: CocoImage, number: int, classes: int, holds: set[str]) -> CocoAnnotation:
    shares = [draw(st.integers(0, 1000)) / 1000 for _ in range(4)]
    x, y = shares[0] * image.width, shares[1] * image.height
    width, height = shares[2] * (image.width - x) + 1.5, shares[3] * (image.height - y) + 1.5
    flags = draw(st.dictionaries(st.sampled_from(["occluded", "truncated"]), st.integers(0, 1)))
    if "polygon" in holds:
        flags = {key: value for key, value in flags.items() if key == "occluded"}
    polygon = [x, y, x + width, y, x, y + height] if "polygon" in holds and draw(st.booleans()) else None
    return CocoAnnotation(
        id=number,
        image_id=image.id,
        category_id=draw(st.integers(1, classes)),
        bbox=(x, y, width, height),
        area=width * height / 2 if polygon else width * height,
        iscrowd=draw(st.integers(0, 1)) if "iscrowd" in holds else 0,
        segmentation=[polygon] if polygon else None,
        extra={"attributes": flags} if flags and "attributes" in holds else {},
    )


def read_back(dataset: CocoDataset, format_name: str, folder: Path) -> CocoDataset:
    """Write, detect, read."""
    files: dict[str, Path] = {}
    written = WRITERS[format_name](dataset)
    for number, (path, data) in enumerate(written.items()):
        files[path] = folder / str(number)
        files[path].write_bytes(data)
    detected = detect({path: data[:HEAD_BYTES] for path, data in written.items()}, where="it")
    assert detected == format_name.split(" ")[0]
    images = {f"images/{one.file_name}": Path(one.file_name) for one in dataset.images}
    sizes = {f"images/{one.file_name}": (one.width, one.height) for one in dataset.images}
    labels = read_labels(detected, SourceFields(), files, images)
    found, tally = to_coco(labels, ImageFiles({path: path[7:] for path in images}, sizes.get), format_name="it")
    assert (tally.left_out, tally.notes, tally.found) == ({}, {}, len(dataset.annotations))
    return found


def comparable(dataset: CocoDataset, holds: set[str]) -> list[Any]:
    """Images by name with their objects in order; numbers to a thousandth of a pixel."""
    names = dict(zip(dataset.category_ids, dataset.class_names, strict=True))
    return sorted(
        (
            image.file_name,
            image.id if "id" in holds else 0,
            (image.width, image.height),
            [
                (
                    names[one.category_id],
                    pytest.approx(one.bbox, abs=1e-3),
                    one.iscrowd,
                    pytest.approx(one.area, rel=1e-6, abs=1e-2),
                    one.segmentation and [pytest.approx(polygon, abs=1e-3) for polygon in one.segmentation],
                    one.extra,
                )
                for one in dataset.annotations_of(image.id)
            ],
        )
        for image in dataset.images
    )


@pytest.mark.parametrize("format_name", HOLDS)
def test_what_a_format_holds_comes_back(format_name: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("files")

    @settings(max_examples=40, deadline=None, database=None)
    @given(datasets(HOLDS[format_name]))
    def check(dataset: CocoDataset) -> None:
        found = read_back(dataset, format_name, folder)

        assert _plain(found, HOLDS[format_name]) == comparable(dataset, HOLDS[format_name])
        declared = format_name in {"yolo", "cvat", "open_images", "supervisely"}
        assert (set(dataset.class_names) == set(found.class_names)) or not declared
        assert len({one.id for one in found.annotations}) == len(dataset.annotations)

    check()


def _plain(dataset: CocoDataset, holds: set[str]) -> list[Any]:
    """As `comparable`, with the numbers themselves."""
    names = dict(zip(dataset.category_ids, dataset.class_names, strict=True))
    return sorted(
        (
            image.file_name,
            image.id if "id" in holds else 0,
            (image.width, image.height),
            [
                (names[one.category_id], one.bbox, one.iscrowd, one.area, one.segmentation, one.extra)
                for one in dataset.annotations_of(image.id)
            ],
        )
        for image in dataset.images
    )


@settings(max_examples=40, deadline=None)
@given(datasets({"id", "iscrowd", "polygon"}))
def test_coco_itself_is_read_as_it_is(dataset: CocoDataset) -> None:
    from json import loads

    assert parse_coco(loads(WRITERS["coco"](dataset)["annotations/instances.json"]), where="it") == dataset
