"""The numbers of the report are right."""

import numpy as np
import pytest

from dataset_checks.findings import Ledger
from dataset_report.figures import aspect_histogram, crowd_histogram, heat_map, share_gap, size_histogram
from dataset_report.findings import findings_table, quiet_checks
from dataset_report.stats import frequent_classes, measure, measure_parts, size_counts, split_table
from dataset_split import Splits
from prep_cases import box, dataset_of, picture

DATASET = dataset_of(
    [picture(1), picture(2), picture(3, width=100, height=100)],
    [
        box(1, bbox=(0.0, 0.0, 32.0, 12.0)),
        box(2, category_id=1, bbox=(16.0, 12.0, 32.0, 24.0)),
        box(3, image=3, bbox=(90.0, 90.0, 10.0, 10.0), iscrowd=1),
    ],
)


def test_objects_images_and_crowds_are_counted() -> None:
    stats = measure(DATASET)
    assert (stats.images, stats.empty_images, stats.objects, stats.crowds) == (3, 1, 3, 1)
    assert stats.class_names == ("person", "car", "dog")
    assert stats.class_objects == (1, 2, 0)
    assert stats.class_images == (1, 2, 0)
    assert stats.objects_per_image.tolist() == [2, 0, 1]


def test_sides_aspects_and_centres_are_measured() -> None:
    stats = measure(DATASET)
    assert stats.box_sides == pytest.approx([np.sqrt(384), np.sqrt(768), 10])
    assert stats.box_aspects == pytest.approx([32 / 12, 32 / 24, 1])
    assert stats.centres == pytest.approx(np.array([[0.25, 0.125], [0.5, 0.5], [0.95, 0.95]]))


def test_a_dataset_without_objects_can_be_measured() -> None:
    stats = measure(dataset_of([picture(1)], []))
    assert (stats.objects, stats.empty_images) == (0, 1)
    assert stats.centres.shape == (0, 2)


def test_the_table_of_parts_gives_counts_shares_and_sums() -> None:
    empty = dataset_of([picture(4)], [])
    headers, rows = split_table(measure_parts(Splits(DATASET, empty, empty)))
    assert headers == ["", "train", "eval", "test", "all"]
    assert rows[0] == ["**images**", "3 (60%)", "1 (20%)", "1 (20%)", "5"]
    assert ["car: objects", "2 (100%)", "0 (0%)", "0 (0%)", "2"] in rows
    assert ["dog: images", "0", "0", "0", "0"] in rows
    assert ["small objects", "3 (100%)", "0 (0%)", "0 (0%)", "3"] in rows


def test_objects_are_small_medium_or_large_as_coco_divides_them() -> None:
    sides = (31.9, 32.0, 95.9, 96.0)
    boxes = [box(number, bbox=(0.0, 0.0, side, side)) for number, side in enumerate(sides, start=1)]
    assert size_counts(measure(dataset_of([picture(1, width=200, height=200)], boxes))).tolist() == [
        [0, 0, 0],
        [1, 2, 1],
        [0, 0, 0],
    ]


def test_the_gap_is_the_most_that_a_class_is_off_its_parts_share() -> None:
    train = dataset_of([picture(1), picture(2)], [box(1), box(2, image=2)])
    evaluation = dataset_of([picture(3)], [box(3, image=3, category_id=1)])
    test = dataset_of([picture(4)], [box(4, image=4)])
    parts = measure_parts(Splits(train, evaluation, test))
    assert share_gap(parts) == pytest.approx(0.75), "the only image with a person lies in a part of a quarter"
    assert share_gap(measure_parts(Splits(*[dataset_of([picture(1)], [])] * 3))) == 0


def test_histograms_hold_every_value_also_beyond_their_edges() -> None:
    boxes = [
        box(1, bbox=(0.0, 0.0, 0.5, 0.5)),
        box(2, bbox=(0.0, 0.0, 9000.0, 1.0)),
        box(3, bbox=(0.0, 0.0, 40.0, 40.0)),
    ]
    stats = measure(dataset_of([picture(1)], boxes))
    for histogram in (size_histogram(stats), aspect_histogram(stats)):
        assert histogram.counts.sum() == 3
        assert histogram.shares().sum() == pytest.approx(100)
    assert aspect_histogram(stats).counts[-1] == 1
    assert size_histogram(stats).counts[0] == 1
    assert crowd_histogram(stats, most=3).counts.tolist() == [0, 0, 0, 1]
    assert heat_map(stats, "car").sum() == 2, "the middle of one box lies outside the image"


def test_the_table_of_findings_names_check_count_action_and_examples() -> None:
    ledger = Ledger()
    for number in range(1200):
        ledger.note("box_outside", f"annotation {number}")
    _, rows = findings_table(ledger.findings())
    assert len(rows) == 1
    assert rows[0][:3] == ["`box_outside`", "**1,200**", "dropped"]
    assert rows[0][4] == "annotation 0<br>annotation 1<br>annotation 2"
    assert "`box_outside`" not in quiet_checks(ledger.findings())
    assert "`area`" in quiet_checks(ledger.findings())


def test_classes_without_objects_are_left_out_of_the_frequent_ones() -> None:
    assert frequent_classes(measure(DATASET)) == ["person", "car"]
    assert frequent_classes(measure(DATASET), most=1) == ["car"]
