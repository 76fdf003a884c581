"""data_prep on real COCO images."""

import zipfile
from pathlib import Path

import numpy as np
import pytest
from pycocotools.coco import COCO

from dataset_checks.checks import CheckedDataset, check_dataset
from dataset_conversion.parts import make_parts
from dataset_split import split_dataset
from prep_cases import archive_of
from prep_params import Augment, CheckOptions, ConvertOptions, Tiles
from sinara_lib.vision.coco import CocoDataset, load_coco, save_coco, select_images
from sinara_lib.vision.coco_archive import FolderFiles

ROAD = ["person", "bicycle", "car", "motorcycle", "bus", "truck"]
FRACTIONS = {"train": 0.7, "eval": 0.15, "test": 0.15}


@pytest.fixture(scope="module")
def folder(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("coco-mini")
    for name in ("val2017.zip", "annotations_trainval2017.zip"):
        with zipfile.ZipFile(real_data / "coco-mini" / name) as archive:
            archive.extractall(folder)
    return folder


@pytest.fixture(scope="module")
def source(folder: Path) -> CocoDataset:
    return load_coco(folder / "annotations" / "instances_val2017.json")


@pytest.fixture(scope="module")
def checked(source: CocoDataset, folder: Path) -> CheckedDataset:
    return check_dataset(source, FolderFiles(folder / "val2017"), options=CheckOptions(classes=ROAD))


def test_loading_agrees_with_pycocotools(source: CocoDataset, folder: Path) -> None:
    oracle = COCO(str(folder / "annotations" / "instances_val2017.json"))
    assert [one.id for one in source.images] == oracle.getImgIds()
    assert len(source.annotations) == len(oracle.anns) == 2326
    assert source.class_names == tuple(one["name"] for one in oracle.loadCats(sorted(oracle.getCatIds())))
    for one in source.annotations:
        assert list(one.bbox) == oracle.anns[one.id]["bbox"]
        assert one.iscrowd == oracle.anns[one.id]["iscrowd"]


def test_real_coco_needs_no_repair(checked: CheckedDataset) -> None:
    assert checked.count("fixed") == checked.count("dropped") == 0


def test_cleaning_all_classes_changes_no_annotation(source: CocoDataset, folder: Path) -> None:
    options = CheckOptions(classes=list(source.class_names), filter_empty_gt=False, min_object_size=0.0)
    kept = check_dataset(source, FolderFiles(folder / "val2017"), options=options).dataset
    assert kept.images == source.images
    assert [(one.id, one.bbox, one.area) for one in kept.annotations] == [
        (one.id, one.bbox, one.area) for one in source.annotations
    ]


def test_selected_objects_are_those_pycocotools_selects(checked: CheckedDataset, folder: Path) -> None:
    oracle = COCO(str(folder / "annotations" / "instances_val2017.json"))
    for number, name in enumerate(ROAD, start=1):
        expected = set(oracle.getAnnIds(catIds=oracle.getCatIds(catNms=[name])))
        assert {one.id for one in checked.dataset.annotations if one.category_id == number} == expected


def test_every_part_shows_every_class_and_pycocotools_reads_its_masks(
    checked: CheckedDataset, folder: Path, tmp_path: Path
) -> None:
    splits = split_dataset(checked.dataset, FRACTIONS, seed=1)
    for name, part in splits.items():
        save_coco(part, tmp_path / f"{name}.json")
        oracle = COCO(str(tmp_path / f"{name}.json"))
        assert {one["category_id"] for one in oracle.anns.values()} == {1, 2, 3, 4, 5, 6}
        areas = [(oracle.annToMask(one).sum(), one["area"]) for one in oracle.anns.values() if one["area"] > 500]
        ratios = np.array([mask / area for mask, area in areas])
        assert np.abs(ratios - 1).max() < 0.25


def test_tiles_and_copies_of_real_images_pass_every_check_again(
    checked: CheckedDataset, folder: Path, tmp_path: Path
) -> None:
    few = select_images(checked.dataset, [image.id for image in checked.dataset.images[:40]])
    names = [image.file_name for image in few.images]
    files = archive_of({name: (folder / "val2017" / name).read_bytes() for name in names}, tmp_path / "load")
    options = ConvertOptions(
        longest_side=600,
        tiles=Tiles(width=320, height=320, overlap=64),
        augment=Augment(rotate=15, scale=0.2, flip=True, colour=0.3),
        filter_empty_gt=False,
    )
    parts = make_parts(split_dataset(few, FRACTIONS, seed=1), files, tmp_path / "parts", options=options)
    for name, part in parts.items():
        again = check_dataset(
            part.dataset,
            FolderFiles(tmp_path / "parts" / name / "images"),
            options=CheckOptions(classes=[], filter_empty_gt=False),
        )
        assert len(part.dataset.annotations) > 20
        assert again.dataset == part.dataset
        assert {one.check.name for one in again.findings if one.count} <= {
            "crowd",
            "class_without_objects",
            "box_aspect",
        }
