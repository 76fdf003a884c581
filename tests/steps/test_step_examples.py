"""The examples of the steps' front doors work as they stand."""

from pathlib import Path

import pytest

from docstring_examples import run_examples
from sinara_lib.vision.coco import CocoAnnotation, CocoCategory, CocoDataset, CocoImage


def _cars(count: int, *, width: int = 64) -> CocoDataset:
    """As many images, 64 x 48, each with one car."""
    images = [CocoImage(number, f"{number:03}.jpg", width, 48) for number in range(1, count + 1)]
    boxes = [CocoAnnotation(n, n, 1, (10.0, 10.0, 30.0, 20.0), 600.0) for n in range(1, count + 1)]
    return CocoDataset(tuple(images), tuple(boxes), (CocoCategory(1, "car"),))


def test_the_example_of_telling_a_label_format() -> None:
    from label_formats.detection import detect

    run_examples(detect)


def test_the_example_of_reading_labels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from label_formats.reading import read_labels
    from source_params import SourceFields

    monkeypatch.chdir(tmp_path)
    box = "<xmin>11</xmin><ymin>21</ymin><xmax>100</xmax><ymax>80</ymax>"
    labelled = f"<object><name>car</name><bndbox>{box}</bndbox></object>"
    Path("street.xml").write_text(f"<annotation><filename>street.jpg</filename>{labelled}</annotation>")
    run_examples(read_labels, source=SourceFields(images_url="images", annotations_url="labels"))


def test_the_example_of_making_a_coco_document_of_labels() -> None:
    from label_formats.coco_document import to_coco
    from label_formats.labels import LabelledImage, LabelledObject, Labels
    from label_formats.tally import Tally

    car = LabelledObject("car", (10.0, 20.0, 90.0, 60.0))
    labels = Labels((LabelledImage("street.jpg", objects=(car,)),), tally=Tally(found=1))
    run_examples(to_coco, labels=labels)


def test_the_example_of_checking_a_dataset(tmp_path: Path) -> None:
    from dataset_checks.checks import check_dataset
    from prep_cases import archive_of, write_picture

    write_picture(tmp_path / "001.jpg")
    images = archive_of({"001.jpg": (tmp_path / "001.jpg").read_bytes()}, tmp_path)
    run_examples(check_dataset, dataset=_cars(1, width=65), images=images)


def test_the_example_of_splitting_a_dataset() -> None:
    from dataset_split import split_dataset

    run_examples(split_dataset, dataset=_cars(10))


def test_the_example_of_scoring_detections() -> None:
    from detection_scores.scoring import score_detections

    run_examples(score_detections, truth=_cars(1))
