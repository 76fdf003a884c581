"""Whatever a format, `taken + left out = found`: no object vanishes uncounted, and too many lost are an error."""

import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from format_writers import WRITERS
from label_formats.coco_document import ImageFiles, to_coco
from label_formats.coco_reading import read_coco
from label_formats.detection import detect
from label_formats.reading import heads, read_labels
from label_formats.tally import Tally
from sinara_lib.errors import DataError
from sinara_lib.vision.coco import CocoAnnotation, CocoCategory, CocoDataset, CocoImage
from source_params import SourceFields

SIDES = st.floats(2, 45, width=16)
BOXES = st.tuples(SIDES, SIDES, SIDES, SIDES)
ODD_BOXES = st.sampled_from([(math.nan, 1.0, 2.0, 3.0), (1.0, 2.0, math.inf, 4.0)])
CONVERTED = [name for name in WRITERS if name != "coco"]


@st.composite
def documents(draw: st.DrawFn) -> tuple[CocoDataset, int]:
    """Documents, some of whose boxes are no numbers; how many those are."""
    images = tuple(CocoImage(number, f"{number}.jpg", 100, 100) for number in range(1, draw(st.integers(2, 4))))
    boxes = draw(st.lists(BOXES | ODD_BOXES, max_size=8))
    annotations = tuple(
        CocoAnnotation(number, draw(st.sampled_from(images)).id, draw(st.integers(1, 2)), box, 1.0)
        for number, box in enumerate(boxes, start=1)
    )
    odd = sum(not all(map(math.isfinite, box)) for box in boxes)
    return CocoDataset(images, annotations, (CocoCategory(1, "cat"), CocoCategory(2, "dog"))), odd


def tally_of(dataset: CocoDataset, format_name: str, folder: Path, images: list[str]) -> tuple[CocoDataset, Tally]:
    """Write, detect and read, where only some of the image files are there."""
    files = {}
    for number, (path, data) in enumerate(WRITERS[format_name](dataset).items()):
        files[path] = folder / str(number)
        files[path].write_bytes(data)
    detected = detect(heads(files), where="it")
    if detected == "coco":
        read = read_coco(next(iter(files.values())), "it")
        return read.dataset, read.tally
    there = {name: Path(name) for name in images}
    labels = read_labels(detected, SourceFields(), files, there)
    return to_coco(labels, ImageFiles({name: name for name in images}, lambda _: (100, 100)), format_name="it")


@pytest.mark.parametrize("format_name", WRITERS)
def test_every_object_is_taken_or_left_out_by_name(format_name: str, tmp_path: Path) -> None:
    @settings(max_examples=25, deadline=None, database=None)
    @given(documents())
    def check(drawn: tuple[CocoDataset, int]) -> None:
        dataset, odd = drawn
        found, tally = tally_of(dataset, format_name, tmp_path, [one.file_name for one in dataset.images])

        assert tally.found == len(dataset.annotations)
        assert len(found.annotations) + tally.left_out.total() == tally.found
        assert tally.left_out.total() == odd

    check()


@pytest.mark.parametrize("format_name", CONVERTED)
def test_objects_of_images_that_are_not_there_are_counted_too(format_name: str, tmp_path: Path) -> None:
    images = tuple(CocoImage(number, f"{number}.jpg", 100, 100) for number in (1, 2))
    boxes = tuple(CocoAnnotation(number, 1 + number % 2, 1, (1.0, 2.0, 3.0, 4.0), 12.0) for number in range(5))
    dataset = CocoDataset(images, boxes, (CocoCategory(1, "cat"),))
    found, tally = tally_of(dataset, format_name, tmp_path, ["1.jpg"])

    wanted = 5 - tally.notes["boxes of images that are not among those given"]
    assert (tally.found, len(found.annotations) + tally.left_out.total()) == (wanted, wanted)


def counted(found: int, **left_out: int) -> Tally:
    tally = Tally(found=found)
    for reason, count in left_out.items():
        tally.leave_out(reason, count, example=f"a.json: the first {reason}", excusable=reason == "odd")
    return tally


def test_objects_lost_uncounted_are_an_error_of_their_own() -> None:
    counted(3, odd=1).ensure_sum(2)
    with pytest.raises(DataError, match=r"3 objects were found, 1 left out and 1 taken, which does not add up"):
        counted(3, odd=1).ensure_sum(1)


@pytest.mark.parametrize("tally", [counted(1000, brushes=10), counted(2, odd=1), counted(0), counted(200, odd=3)])
def test_a_share_that_is_allowed_and_a_single_odd_value_pass(tally: Tally) -> None:
    tally.ensure_most_taken(0.01)


@pytest.mark.parametrize(
    ("tally", "share", "message"),
    [
        (
            counted(1000, brushes=8, odd=4),
            0.01,
            r"12 of 1,000 objects were left out, most of them \(8\) as brushes, such as a\.json: the first brushes\. "
            r"max_left_out allows 0\.01 of them: .*set max_left_out to 0\.012 ",
        ),
        (counted(2, brushes=1), 0.01, "1 of 2 objects were left out"),
        (counted(3, odd=2), 0.0, "2 of 3 objects were left out"),
        (counted(1, odd=1), 1.0, "1 of 1 objects were left out.*Nothing is left to load"),
    ],
)
def test_more_than_the_parameter_allows_is_an_error_that_names_reason_and_parameter(
    tally: Tally, share: float, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        tally.ensure_most_taken(share)
