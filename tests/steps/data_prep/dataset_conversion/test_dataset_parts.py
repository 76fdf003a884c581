"""Parts are published from archive to archive: unchanged files byte for byte, changed ones as their recipes say."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from dataset_conversion.parts import SplitPart, conversion_counts, make_parts, published
from dataset_split import Splits
from prep_cases import archive_of, box, dataset_of, new_run, picture, write_picture
from prep_params import Augment, ConvertOptions, Tiles
from sinara_lib.archive import ArchiveReader, open_archive
from sinara_lib.vision.coco import parse_coco, select_images
from sinara_lib.vision.letterbox import decode_image

AS_IT_IS = ConvertOptions(filter_empty_gt=False)
DATASET = dataset_of([picture(1), picture(2), picture(3)], [box(1), box(2, image=2), box(3, image=3)])
SPLITS = Splits(*(select_images(DATASET, [number]) for number in (1, 2, 3)))


@pytest.fixture
def files(tmp_path: Path) -> ArchiveReader:
    for number in (1, 2, 3, 4):
        write_picture(tmp_path / "pictures" / f"{number:03}.jpg")
    return archive_of({path.name: path.read_bytes() for path in (tmp_path / "pictures").iterdir()}, tmp_path / "load")


def _published(part: SplitPart, tmp_path: Path) -> ArchiveReader:
    url = f"{new_run(tmp_path / 'prep')}/coco_{part.name}_dataset"
    part.publish(url)
    return open_archive(url)


def test_unchanged_images_are_published_byte_for_byte_with_their_time_and_written_nowhere(
    files: ArchiveReader, tmp_path: Path
) -> None:
    parts = make_parts(SPLITS, files, tmp_path / "parts", options=AS_IT_IS)
    archive = _published(parts["train"], tmp_path)
    assert archive.names() == ["annotations.json", "images/001.jpg"]
    assert archive.read("images/001.jpg") == files.read("001.jpg")
    times = {archive.places(name)[0].mtime_us for name in archive.names()}
    assert times == {1_700_000_000_000_000}
    assert [path.name for path in (tmp_path / "parts" / "train").iterdir()] == ["annotations.json"]
    assert parse_coco(json.loads(archive.read("annotations.json")), where="train") == SPLITS.train


def test_a_part_without_images_is_a_document_without_records(files: ArchiveReader, tmp_path: Path) -> None:
    empty = dataset_of([], [])
    parts = make_parts(Splits(empty, empty, empty), files, tmp_path / "parts", options=AS_IT_IS)
    archive = _published(parts["test"], tmp_path)
    assert archive.names() == ["annotations.json"]
    assert json.loads(archive.read("annotations.json"))["images"] == []


def test_changed_pictures_are_those_of_the_source_and_only_training_gets_copies(
    files: ArchiveReader, tmp_path: Path
) -> None:
    tiles, augment = Tiles(width=40, height=48), Augment(copies=2, flip=True, rotate=5)
    options = ConvertOptions(longest_side=32, tiles=tiles, augment=augment, empty_share=1.0)
    parts = make_parts(SPLITS, files, tmp_path / "parts", options=options)
    assert [len(part.images) for _, part in published(parts).items()] == [3, 1, 1]
    assert parts["eval"].dataset.images[0].width == 32
    source = decode_image(files.read("002.jpg"))
    small = decode_image(_published(parts["eval"], tmp_path).read("images/002.jpg"))
    expected = cv2.resize(source, (32, 24), interpolation=cv2.INTER_AREA)
    assert np.corrcoef(small.ravel(), expected.ravel())[0, 1] > 0.9
    assert parts["eval"].read("002.jpg") != files.read("002.jpg")
    assert conversion_counts(parts).cut == 0
    for image in parts["train"].dataset.images:
        assert decode_image(parts["train"].read(image.file_name)).shape[:2] == (image.height, image.width)


def test_the_same_options_give_the_same_archive(files: ArchiveReader, tmp_path: Path) -> None:
    options = ConvertOptions(
        tiles=Tiles(width=40, height=40, overlap=8),
        augment=Augment(rotate=9),
        min_visible=0,
        min_object_size=0,
        filter_empty_gt=False,
        seed=7,
    )
    contents = set()
    for run in ("one", "two"):
        part = make_parts(SPLITS, files, tmp_path / run, options=options)["train"]
        contents.add(part.publish(f"{new_run(tmp_path / run)}/coco_train_dataset").content)
    assert len(contents) == 1
