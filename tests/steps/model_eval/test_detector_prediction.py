"""Every image goes through the service once, classes are matched by name, and a mismatch stops."""

import json
from pathlib import Path
from typing import Any

import pytest

from detector_prediction import (
    ground_truth_id,
    match_categories,
    predict_dataset,
    read_predictions,
    read_service_version,
    write_inference_result,
)
from scenes import SIDE, document, split_in
from sinara_lib.errors import DataError
from sinara_lib.vision.coco import CocoDataset, save_coco
from sinara_lib.vision.coco_archive import FolderFiles, read_document


class EchoService:
    """Finds one object in each image, whose score is the image's content."""

    def __init__(self, *, side: int = SIDE) -> None:
        self.side = side

    def categories(self) -> list[dict[str, Any]]:
        return [{"id": 7, "name": "car"}, {"id": 8, "name": "person"}, {"id": 9, "name": "bicycle"}]

    def predict(self, image: bytes, *, file_name: str, min_score: float) -> dict[str, Any]:
        if image == b"bad":
            raise ValueError("not a readable image")
        one = {"category_id": 7, "bbox": [1.0, 2.0, 3.0, 4.0], "score": float(image)}
        return {"width": self.side, "height": self.side, "annotations": [one] if one["score"] >= min_score else []}


@pytest.fixture
def dataset(tmp_path: Path) -> CocoDataset:
    made = document([], images=3)
    (tmp_path / "images").mkdir()
    for image in made.images:
        (tmp_path / "images" / image.file_name).write_text(f"0.{image.id}")
    save_coco(made, tmp_path / "annotations.json")
    return made


def test_each_image_gives_results_under_the_datasets_own_ids(dataset: CocoDataset, tmp_path: Path) -> None:
    results = predict_dataset(EchoService(), split_in(tmp_path, dataset))
    car = dict(zip(dataset.class_names, dataset.category_ids, strict=True))["car"]
    assert results == [
        {"image_id": i, "category_id": car, "bbox": [1.0, 2.0, 3.0, 4.0], "score": i / 10} for i in (1, 2, 3)
    ]


def test_an_unreadable_image_is_named(dataset: CocoDataset, tmp_path: Path) -> None:
    (tmp_path / "images" / "0002.jpg").write_bytes(b"bad")
    with pytest.raises(DataError, match=r"Image 0002\.jpg .*: not a readable image"):
        predict_dataset(EchoService(), split_in(tmp_path, dataset))


def test_a_missing_image_is_named(dataset: CocoDataset, tmp_path: Path) -> None:
    (tmp_path / "images" / "0003.jpg").unlink()
    with pytest.raises(DataError, match=r"test split .* lists 1 image file\(s\) that are not there: 0003\.jpg"):
        predict_dataset(EchoService(), split_in(tmp_path, dataset))


def test_an_image_of_another_size_is_named(dataset: CocoDataset, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=rf"sees 99 x 99 pixels, the test set says {SIDE} x {SIDE}"):
        predict_dataset(EchoService(side=99), split_in(tmp_path, dataset))


def test_other_classes_are_refused_with_both_lists(dataset: CocoDataset) -> None:
    with pytest.raises(DataError, match="knows the classes cat, the test set has person, bicycle, car"):
        match_categories([{"id": 1, "name": "cat"}], dataset)


def test_what_is_written_is_read_back(dataset: CocoDataset, tmp_path: Path) -> None:
    results = predict_dataset(EchoService(), split_in(tmp_path, dataset))
    out = tmp_path / "out"
    out.mkdir()
    write_inference_result(out, results, split=split_in(tmp_path, dataset), version={"model_run": "run-m"})
    assert read_predictions(FolderFiles(out)) == results
    assert read_service_version(FolderFiles(out)) == {"model_run": "run-m"}
    assert read_document(FolderFiles(out), place="out") == dataset


def test_a_broken_document_names_the_archive(tmp_path: Path) -> None:
    (tmp_path / "annotations.json").write_text(json.dumps({"images": []})[:-2])
    with pytest.raises(DataError, match=r"file:///store/x/annotations\.json: is not a JSON document"):
        read_document(FolderFiles(tmp_path), place="file:///store/x")


@pytest.mark.parametrize("at_once", [1, 2, 16])
def test_images_on_their_way_together_give_the_same_results_in_the_same_order(
    dataset: CocoDataset, tmp_path: Path, at_once: int
) -> None:
    results = predict_dataset(EchoService(), split_in(tmp_path, dataset), at_once=at_once)
    assert [one["score"] for one in results] == [0.1, 0.2, 0.3]


def test_the_same_ground_truth_has_the_same_id(dataset: CocoDataset, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    write_inference_result(out, [], split=split_in(tmp_path, dataset), version={})
    assert ground_truth_id(FolderFiles(out)) == ground_truth_id(FolderFiles(tmp_path))
    (out / "annotations.json").write_text("{}")
    assert ground_truth_id(FolderFiles(out)) != ground_truth_id(FolderFiles(tmp_path))
