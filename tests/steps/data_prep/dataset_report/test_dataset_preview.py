"""Pictures of the report show something, whatever the dataset."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from IPython.display import Image

from dataset_checks.findings import Ledger
from dataset_report.charts import draw_class_histogram, draw_heat_maps, draw_size_histograms
from dataset_report.examples import choose_examples, draw_gallery
from dataset_report.findings import draw_findings
from dataset_report.stats import PartStats, measure, measure_parts
from dataset_split import Splits
from prep_cases import box, dataset_of, picture, write_picture
from sinara_lib.vision.coco import CocoDataset
from sinara_lib.vision.coco_archive import FolderFiles


def _pixels(image: Image) -> np.ndarray:
    decoded = cv2.imdecode(np.frombuffer(image.data, dtype=np.uint8), cv2.IMREAD_COLOR)
    assert decoded is not None
    return decoded


def _cars(images: int) -> CocoDataset:
    return dataset_of([picture(n) for n in range(1, images + 1)], [box(n, image=n) for n in range(1, images + 1)])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number in range(1, 9):
        write_picture(tmp_path / f"{number:03}.jpg")
    return tmp_path


EMPTY = dataset_of([picture(1)], [])


@pytest.mark.parametrize("draw", [draw_class_histogram, draw_size_histograms])
@pytest.mark.parametrize("dataset", [_cars(6), EMPTY], ids=["cars", "no object"])
def test_histograms_are_drawn_with_and_without_objects(
    draw: Callable[[PartStats], Image], dataset: CocoDataset
) -> None:
    drawn = draw(measure_parts(Splits(dataset, EMPTY, EMPTY)))
    assert _pixels(drawn).std() > 5
    assert drawn.alt


@pytest.mark.parametrize("dataset", [_cars(6), _cars(150), EMPTY], ids=["few", "many", "none"])
def test_heat_maps_are_drawn_of_few_many_and_no_objects(dataset: CocoDataset) -> None:
    assert _pixels(draw_heat_maps(measure(dataset))).std() > 5


def test_a_bar_is_as_long_as_its_class_is_frequent() -> None:
    many = _pixels(draw_class_histogram(measure_parts(Splits(_cars(8), EMPTY, EMPTY))))
    blue = (np.abs(many.astype(int) - (0xB2, 0x72, 0x00)) < 12).all(axis=2)
    rows = blue.sum(axis=1)
    assert (rows > 300).any()


def test_a_gallery_has_a_tile_for_each_example_in_rows_of_three(folder: Path) -> None:
    five = _pixels(draw_gallery(_cars(8), FolderFiles(folder).read, class_name="car", count=5))
    two = _pixels(draw_gallery(_cars(8), FolderFiles(folder).read, class_name="car", count=2))
    assert five.shape[1] == two.shape[1] == 3 * 420 + 2 * 10
    assert five.shape[0] == 2 * two.shape[0] + 10
    assert (two[:, 900:] > 250).all()


def test_a_class_without_examples_gives_a_blank_gallery_and_no_error(folder: Path) -> None:
    assert (_pixels(draw_gallery(_cars(2), FolderFiles(folder).read, class_name="dog", count=3)) > 250).all()


def test_examples_show_the_class_with_well_visible_objects_first() -> None:
    dataset = dataset_of(
        [picture(1), picture(2), picture(3)],
        [
            box(1, bbox=(0.0, 0.0, 2.0, 2.0)),
            box(2, image=2, bbox=(0.0, 0.0, 30.0, 30.0)),
            box(3, image=3, category_id=1),
        ],
    )
    chosen = choose_examples(dataset, class_name="car", count=5, seed=1)
    assert [image.id for image in chosen] == [2, 1]


def test_findings_with_boxes_are_drawn_also_outside_their_image(folder: Path) -> None:
    ledger = Ledger()
    ledger.note("box_outside", "x", file_name="001.jpg", box=(100.0, -50.0, 20.0, 20.0))
    ledger.note("box_not_finite", "x", file_name="002.jpg", box=(float("nan"), 0.0, 1.0, 1.0))
    ledger.note("box_over_edge", "x", file_name="003.jpg", box=(-1e9, 0.0, 2e9, 1.0))
    ledger.note("image_missing", "no picture of this")
    drawn = draw_findings(ledger.findings(), FolderFiles(folder))
    assert drawn is not None
    assert _pixels(drawn).std() > 5


def test_without_findings_there_is_nothing_to_draw(folder: Path) -> None:
    assert draw_findings(Ledger().findings(), FolderFiles(folder)) is None
