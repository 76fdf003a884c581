"""A dataset's layout is read and written in one place: the same from an archive and from a folder."""

import os
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

import pytest

from sinara_lib.archive import open_archive, pack
from sinara_lib.errors import DataError
from sinara_lib.layout import StepAddress
from sinara_lib.store import store_at
from sinara_lib.store.manifest import Producer, RunRecord, RunStatus
from sinara_lib.vision.coco import CocoAnnotation, CocoCategory, CocoDataset, CocoImage, save_coco
from sinara_lib.vision.coco_archive import FolderFiles, Split, open_split, publish_split, read_document

NAMES = ("b.jpg", "a.jpg", "c/d.jpg")
DATASET = CocoDataset(
    tuple(CocoImage(number, name, 4, 3) for number, name in enumerate(NAMES, start=1)),
    (
        CocoAnnotation(1, 1, 7, (0.0, 0.0, 2.0, 2.0)),
        CocoAnnotation(2, 2, 7, (0.0, 0.0, 2.0, 2.0)),
        CocoAnnotation(3, 2, 3, (0.0, 0.0, 2.0, 2.0), iscrowd=1),
    ),
    (CocoCategory(7, "car"), CocoCategory(3, "a|b")),
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in NAMES:
        path = tmp_path / "split" / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    save_coco(DATASET, tmp_path / "split" / "annotations.json")
    return tmp_path / "split"


@pytest.fixture
def new_url(tmp_path: Path) -> Callable[[str], str]:
    now = datetime(2026, 11, 21, tzinfo=timezone.utc)
    record = RunRecord(run_id="", status=RunStatus.RUNNING, started=now, producer=Producer(library="test"))
    store = store_at(f"file://{tmp_path}/store")
    run = store.start_run(StepAddress("rest", "test", "data_prep"), record, now=now)
    return lambda name: store.url_of(run.entity(name))


def test_a_split_is_the_same_in_an_archive_and_in_a_folder(folder: Path, new_url: Callable[[str], str]) -> None:
    pack(folder, url := new_url("coco_eval_dataset"))
    for source in (url, folder):
        split = open_split(source, "eval")
        assert split.dataset == DATASET
        assert split.classes == ("a|b", "car")
        assert split.objects_per_class() == {"a|b": 0, "car": 2}
        assert split.read_image(DATASET.images[2]) == b"c/d.jpg"
        assert [(image.id, data) for image, data in split.read_images()] == [
            (2, b"a.jpg"),
            (1, b"b.jpg"),
            (3, b"c/d.jpg"),
        ]
        assert [image.id for image, _ in split.read_images(DATASET.images[:1])] == [1]


def test_images_that_are_not_there_are_counted_and_named(folder: Path, new_url: Callable[[str], str]) -> None:
    (folder / "images" / "a.jpg").unlink()
    pack(folder, url := new_url("coco_eval_dataset"))
    for source in (url, folder):
        with pytest.raises(DataError, match=r"eval split .* lists 1 image file\(s\) that are not there: a\.jpg"):
            open_split(source, "eval")
    split = Split("eval", str(folder), FolderFiles(folder), DATASET)
    with pytest.raises(DataError, match=r"that are not there: a\.jpg\. Run data_prep again"):
        list(split.read_images())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"images": [', "is not a JSON document"),
        ('{"images": {}}', "needs a list"),
        ('{"images": [], "annotations": [], "categories": []}', "has no images"),
    ],
)
def test_a_document_that_cannot_be_used_is_named_with_what_to_do(folder: Path, text: str, words: str) -> None:
    (folder / "annotations.json").write_text(text)
    with pytest.raises(DataError, match=words) as caught:
        open_split(folder, "train")
    assert str(folder) in str(caught.value)
    assert "data_prep" in str(caught.value)


def test_a_published_split_has_copied_and_changed_images_and_the_time_of_the_newest(
    folder: Path, new_url: Callable[[str], str], tmp_path: Path
) -> None:
    flat, changed = tmp_path / "flat", tmp_path / "changed"
    (changed / "images").mkdir(parents=True)
    flat.mkdir()
    for name, seconds in (("a.jpg", 10), ("b.jpg", 20)):
        (flat / name).write_bytes(name.encode())
        os.utime(flat / name, (seconds, seconds))
    (changed / "images" / "new.jpg").write_bytes(b"new")
    os.utime(changed / "images" / "new.jpg", (15, 15))
    pack(flat, source_url := new_url("coco_datasets_images"))
    dataset = replace(DATASET, images=(*DATASET.images[:2], CocoImage(3, "new.jpg", 4, 3)))

    url = new_url("coco_train_dataset")
    publish_split(dataset, url, folder=changed, source=open_archive(source_url), copied={"a.jpg", "b.jpg"})

    split = open_split(url, "train")
    assert {image.file_name: data for image, data in split.read_images()} == {
        "a.jpg": b"a.jpg",
        "b.jpg": b"b.jpg",
        "new.jpg": b"new",
    }
    assert open_archive(url).places("annotations.json")[0].mtime_us == 20_000_000


def test_files_of_a_folder_are_read_in_batches_as_those_of_an_archive(
    folder: Path, new_url: Callable[[str], str]
) -> None:
    pack(folder, url := new_url("coco_eval_dataset"))
    wanted = {"images/b.jpg", "images/a.jpg", "images/none.jpg"}
    for files in (open_archive(url), FolderFiles(folder)):
        assert files.batches(wanted) == [["images/a.jpg", "images/b.jpg"]]
        assert files.batches(set()) == []
        assert read_document(files, place="x") == DATASET


def test_a_file_that_the_disk_refuses_is_named(folder: Path) -> None:
    files = FolderFiles(folder)
    (folder / "images" / "a.jpg").unlink()
    with pytest.raises(DataError, match=r"images/a\.jpg: the file cannot be read: No such file"):
        files.read("images/a.jpg")
