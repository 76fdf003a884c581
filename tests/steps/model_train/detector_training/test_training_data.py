"""training_data: splits that cannot be trained on are refused before training."""

from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

import pytest

from detector_training.data import check_splits, pick_example
from sinara_lib.archive import pack
from sinara_lib.errors import DataError
from sinara_lib.layout import StepAddress
from sinara_lib.store import store_at
from sinara_lib.store.manifest import Producer, RunRecord, RunStatus
from sinara_lib.vision.coco import CocoCategory
from sinara_lib.vision.coco_archive import Split, member, open_split


def _with(split: Split, **changes: object) -> Split:
    return replace(split, dataset=replace(split.dataset, **changes))  # type: ignore[arg-type]


def test_missing_images_are_counted_and_named(train: Split) -> None:
    Path(train.place, member(train.dataset.images[2])).unlink()

    with pytest.raises(DataError, match=r"1 image file\(s\) that are not there: 3\.png"):
        open_split(train.place, "train")


def test_an_archive_that_lacks_an_image_is_refused_before_training(train: Split, tmp_path: Path) -> None:
    Path(train.place, member(train.dataset.images[4])).unlink()
    now = datetime(2026, 11, 21, tzinfo=timezone.utc)
    record = RunRecord(run_id="", status=RunStatus.RUNNING, started=now, producer=Producer(library="test"))
    store = store_at(f"file://{tmp_path}/store")
    run = store.start_run(StepAddress("rest", "test", "data_prep"), record, now=now)
    pack(train.place, url := store.url_of(run.entity("coco_train_dataset")))

    with pytest.raises(DataError, match=r"train split .* lists 1 image file\(s\) that are not there: 5\.png"):
        open_split(url, "train")


def test_a_document_that_is_no_json_is_named(train: Split) -> None:
    Path(train.place, "annotations.json").write_text('{"images": [')

    with pytest.raises(DataError, match=r"annotations\.json: is not a JSON document: .* Run data_prep again"):
        open_split(train.place, "train")


def test_a_class_without_an_annotation_is_named_and_a_crowd_does_not_count(train: Split, evaluate: Split) -> None:
    crowd = tuple(replace(one, iscrowd=int(one.category_id == 2)) for one in train.dataset.annotations)

    with pytest.raises(DataError, match="no annotation of: car"):
        check_splits(_with(train, annotations=crowd), evaluate)


def test_splits_with_different_classes_are_refused(train: Split, evaluate: Split) -> None:
    other = _with(evaluate, categories=(CocoCategory(1, "person"), CocoCategory(2, "bus")))

    with pytest.raises(DataError, match="one run of data_prep"):
        check_splits(train, other)


def test_an_eval_split_without_objects_cannot_score(train: Split, evaluate: Split) -> None:
    with pytest.raises(DataError, match="eval split has no annotation"):
        check_splits(train, _with(evaluate, annotations=()))


def test_an_empty_split_is_refused(train: Split) -> None:
    Path(train.place, "annotations.json").write_text('{"images": [], "annotations": [], "categories": []}')

    with pytest.raises(DataError, match=r"train split .* has no images"):
        open_split(train.place, "train")


def test_the_example_shows_the_most_classes(train: Split) -> None:
    fewer = tuple(one for one in train.dataset.annotations if one.image_id == 4 or one.category_id == 1)

    assert pick_example(_with(train, annotations=fewer)).id == 4
