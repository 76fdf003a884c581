"""Each check of annotations finds its fault, does what it says, and leaves sound ones alone."""

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataset_checks.boxes import check_annotation_ids, check_boxes, check_references
from dataset_checks.findings import Finding, Ledger
from prep_cases import box, dataset_of, picture
from sinara_lib.vision.coco import CocoAnnotation


def _found(ledger: Ledger) -> dict[str, int]:
    return {finding.check.name: finding.count for finding in ledger.findings() if finding.count}


def _finding(ledger: Ledger, name: str) -> Finding:
    return next(finding for finding in ledger.findings() if finding.check.name == name)


def _checked(*annotations: CocoAnnotation, min_object_size: float = 1.0) -> tuple[list[CocoAnnotation], Ledger]:
    ledger = Ledger()
    dataset = dataset_of([picture(1)], list(annotations))
    checked = check_boxes(dataset, ledger, min_object_size=min_object_size, max_aspect_ratio=50.0)
    assert dataset.annotations == annotations
    return list(checked.annotations), ledger


def test_sound_annotations_pass_unchanged_and_nothing_is_found() -> None:
    sound = [box(1), box(2, category_id=1, bbox=(0.0, 0.0, 64.0, 48.0), area=3072.0)]
    kept, ledger = _checked(*sound)
    assert kept == sound
    assert _found(ledger) == {}


@pytest.mark.parametrize(
    ("name", "bad"),
    [
        ("box_not_finite", (math.nan, 1.0, 5.0, 5.0)),
        ("box_not_finite", (1.0, 1.0, math.inf, 5.0)),
        ("box_without_size", (1.0, 1.0, 0.0, 5.0)),
        ("box_without_size", (10.0, 1.0, 5.0, -3.0)),
        ("box_outside", (64.0, 1.0, 5.0, 5.0)),
        ("box_outside", (-6.0, 1.0, 6.0, 5.0)),
        ("box_outside", (1.0, 900.0, 5.0, 5.0)),
        ("box_too_small", (1.0, 1.0, 0.5, 5.0)),
    ],
)
def test_a_box_that_cannot_be_used_is_dropped(name: str, bad: tuple[float, float, float, float]) -> None:
    kept, ledger = _checked(box(1), box(2, bbox=bad))
    assert [one.id for one in kept] == [1]
    assert _found(ledger) == {name: 1}
    assert _finding(ledger, name).examples[0].file_name == "001.jpg"


def test_a_box_over_the_edge_is_clipped_and_its_area_follows() -> None:
    kept, ledger = _checked(box(1, bbox=(-4.0, 40.0, 14.0, 20.0), area=280.0))
    assert kept[0].bbox == (0.0, 40.0, 10.0, 8.0)
    assert kept[0].area == 80.0
    assert _found(ledger) == {"box_over_edge": 1}
    assert _finding(ledger, "box_over_edge").examples[0].box == (-4.0, 40.0, 14.0, 20.0)


def test_clipping_keeps_the_area_of_a_segmentation_that_still_fits() -> None:
    segmentation = [[0.0, 10.0, 10.0, 10.0, 0.0, 20.0]]
    kept, _ = _checked(box(1, bbox=(-0.5, 10.0, 10.5, 10.0), area=50.0, segmentation=segmentation))
    assert kept[0].area == 50.0
    assert kept[0].segmentation == segmentation


def test_noise_in_the_last_digit_is_not_called_over_the_edge() -> None:
    sound = box(1, bbox=(34.3, 0.0, 29.7 + 1e-9, 10.0), area=297.0)
    kept, ledger = _checked(sound)
    assert kept == [sound]
    assert _found(ledger) == {}


def test_a_sliver_left_by_clipping_counts_as_too_small() -> None:
    kept, ledger = _checked(box(1, bbox=(63.0, 1.0, 20.0, 20.0), area=400.0), min_object_size=2.0)
    assert kept == []
    assert _found(ledger) == {"box_over_edge": 1, "box_too_small": 1}


def test_the_same_box_of_the_same_class_is_kept_once() -> None:
    kept, ledger = _checked(box(1), box(2, bbox=box(1).bbox), box(3, bbox=box(1).bbox, category_id=1))
    assert [one.id for one in kept] == [1, 3]
    assert _found(ledger) == {"box_repeated": 1}


@pytest.mark.parametrize(
    "broken",
    [
        [[1.0, 2.0, 3.0, 4.0]],
        [[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]],
        [["a"] * 6],
        ["x"],
        {"counts": 5},
        [[math.nan] * 6],
    ],
)
def test_a_malformed_segmentation_is_removed_and_the_box_stays(broken: Any) -> None:
    kept, ledger = _checked(box(1, segmentation=broken))
    assert kept[0].segmentation is None
    assert kept[0].bbox == box(1).bbox
    assert _found(ledger)["segmentation_broken"] == 1


@pytest.mark.parametrize(
    ("area", "segmentation", "expected"),
    [
        (None, None, 200.0),
        (math.nan, None, 200.0),
        (-5.0, None, 200.0),
        (20.0, None, 200.0),
        (900.0, [[6.0, 6.0, 26.0, 6.0, 6.0, 16.0]], 100.0),
        (0.0, {"counts": [294, *[10, 38] * 19, 10, 1856], "size": [48, 64]}, 200.0),
    ],
)
def test_a_wrong_area_is_computed_from_segmentation_or_box(
    area: float | None, segmentation: Any, expected: float
) -> None:
    kept, ledger = _checked(box(1, area=area, segmentation=segmentation))
    assert kept[0].area == expected
    assert _found(ledger) == {"area": 1}


def test_the_area_of_a_segmentation_may_be_smaller_than_its_box() -> None:
    kept, ledger = _checked(box(1, area=101.0, segmentation=[[6.0, 6.0, 26.0, 6.0, 6.0, 16.0]]))
    assert kept[0].area == 101.0
    assert _found(ledger) == {}


def test_crowds_are_kept_as_crowds_and_reported() -> None:
    kept, ledger = _checked(box(1, iscrowd=1))
    assert kept[0].iscrowd == 1
    assert _found(ledger) == {"crowd": 1}


def test_annotations_of_unknown_images_and_categories_are_dropped() -> None:
    ledger = Ledger()
    dataset = dataset_of([picture(1)], [box(1), box(2, image=99), box(3, category_id=77)])
    assert [one.id for one in check_references(dataset, ledger).annotations] == [1]
    assert _found(ledger) == {"annotation_without_image": 1, "category_unknown": 1}


def test_annotation_ids_that_repeat_or_are_below_one_are_renewed() -> None:
    ledger = Ledger()
    dataset = dataset_of([picture(1)], [box(4), box(4, category_id=1), box(0), box(-3), box(5)])
    assert [one.id for one in check_annotation_ids(dataset, ledger).annotations] == [4, 6, 7, 8, 5]
    assert _found(ledger) == {"annotation_id": 3}


def test_a_coordinate_below_zero_is_never_kept_however_small() -> None:
    kept, ledger = _checked(box(1, bbox=(0.0, -3e-72, 1.0, 1.0)))
    assert [one.bbox for one in kept] == [(0.0, 0.0, 1.0, 1.0)]
    assert "box_over_edge" in _found(ledger)


def test_three_examples_are_kept_of_many() -> None:
    _, ledger = _checked(*(box(number, bbox=(1.0, 1.0, 0.0, float(number))) for number in range(1, 9)))
    finding = _finding(ledger, "box_without_size")
    assert finding.count == 8
    assert len(finding.examples) == 3
    assert finding.examples[0].text == "annotation 1: [1, 1, 0, 1] in 001.jpg, 64 x 48"


_SIDES = st.floats(-80, 160) | st.sampled_from([0.0, -0.0, 64.0, 48.0, 1e300, math.nan, math.inf, -math.inf, 5e-324])
_BOXES = st.builds(
    box,
    st.integers(-2, 6),
    bbox=st.tuples(_SIDES, _SIDES, _SIDES, _SIDES),
    area=st.none() | _SIDES,
    iscrowd=st.integers(0, 1),
    segmentation=st.none() | st.lists(st.lists(_SIDES, max_size=8), max_size=2),
)


@settings(max_examples=300, deadline=None)
@given(annotations=st.lists(_BOXES, max_size=8), min_object_size=st.floats(0, 10))
def test_whatever_comes_in_what_is_kept_is_sound_and_passes_again_unchanged(
    annotations: list[CocoAnnotation], min_object_size: float
) -> None:
    renewed = check_annotation_ids(dataset_of([picture(1)], annotations), Ledger())
    kept = check_boxes(renewed, Ledger(), min_object_size=min_object_size, max_aspect_ratio=50.0)
    ids = [one.id for one in kept.annotations]
    assert len(set(ids)) == len(ids)
    for one in kept.annotations:
        x, y, width, height = one.bbox
        assert min(x, y) >= 0
        assert min(width, height) >= min_object_size
        assert x + width <= 64 + 1e-6
        assert y + height <= 48 + 1e-6
        assert one.area is not None
        assert 0 < one.area <= width * height * 1.05 + 1
    assert check_boxes(kept, Ledger(), min_object_size=min_object_size, max_aspect_ratio=50.0) == kept
