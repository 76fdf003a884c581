"""Thousands of classes make no larger report than a hundred: the rest is one row, and files hold all."""

from dataclasses import replace

import pytest

from dataset_report.charts import draw_class_histogram
from dataset_report.examples import mapping_table
from dataset_report.figures import classes_csv, parts_csv
from dataset_report.stats import PartStats, measure_parts, split_table
from dataset_split import split_dataset
from prep_cases import box, dataset_of, picture
from sinara_lib.tables import markdown_table
from sinara_lib.vision.coco import CocoCategory, CocoDataset

_CLASSES = 3000


@pytest.fixture(scope="module")
def dataset() -> CocoDataset:
    """Forty images with one object of each class, and a second one of the last two hundred."""
    categories = tuple(CocoCategory(number, f"class {number}") for number in range(1, _CLASSES + 1))
    shown = [*range(1, _CLASSES + 1), *range(_CLASSES - 199, _CLASSES + 1)]
    boxes = [box(n, image=n % 40 + 1, category_id=one, bbox=(5.0, 5.0, 20.0, 20.0)) for n, one in enumerate(shown, 1)]
    return replace(dataset_of([picture(n) for n in range(1, 41)], boxes), categories=categories)


@pytest.fixture(scope="module")
def parts(dataset: CocoDataset) -> PartStats:
    return measure_parts(split_dataset(dataset, {"train": 0.7, "eval": 0.15, "test": 0.15}, seed=1))


def test_tables_show_the_forty_classes_with_most_objects_and_the_rest_in_one_row(
    dataset: CocoDataset, parts: PartStats
) -> None:
    headers, rows = mapping_table(dataset, dataset, [])
    assert (len(headers), len(rows)) == (5, 41)
    assert rows[0] == ["2801", "class 2801", "class 2801 (2)", "2", "2"]
    assert rows[-1] == ["", "2,960 further classes", "listed in classes.csv", "3,120", "3,120"]
    table = split_table(parts)
    assert table[1][-1][0] == "2,960 further classes (parts.csv): objects"
    assert table[1][-1][-1] == "3,120"
    assert len(markdown_table(*table)) < 20_000


def test_files_hold_every_class(dataset: CocoDataset, parts: PartStats) -> None:
    lines = classes_csv(mapping_table(dataset, dataset, [], whole=True)).splitlines()
    assert lines[:2] == ["id,class,made of,objects before,objects kept", "1,class 1,class 1 (1),1,1"]
    assert len(lines) == 1 + _CLASSES
    assert len(parts_csv(parts).splitlines()) == 1 + 3 * _CLASSES


def test_the_chart_of_thousands_of_classes_is_no_larger_than_that_of_forty(parts: PartStats) -> None:
    assert len(draw_class_histogram(parts).data) < 300_000
