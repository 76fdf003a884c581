"""Real COCO images and annotations, written in each format and loaded again, are the same objects."""

import json
import zipfile
from pathlib import Path, PurePosixPath

import numpy as np
import pytest

from coco_fetch import fetch_dataset
from fetch_params import FetchParams
from format_writers import WRITERS
from sinara_lib.vision.coco import CocoDataset, parse_coco, select_images

IMAGES = 40


@pytest.fixture(scope="module")
def mini(real_data: Path) -> CocoDataset:
    """The first images of coco-mini with their annotations."""
    with zipfile.ZipFile(real_data / "coco-mini" / "annotations_trainval2017.zip") as archive:
        document = json.loads(archive.read("annotations/instances_val2017.json"))
    dataset = parse_coco(document, where="coco-mini")
    return select_images(dataset, [one.id for one in dataset.images[:IMAGES]])


@pytest.fixture(scope="module")
def photos(real_data: Path, mini: CocoDataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos") / "val2017"
    folder.mkdir()
    wanted = {one.file_name for one in mini.images}
    with zipfile.ZipFile(real_data / "coco-mini" / "val2017.zip") as archive:
        for name in archive.namelist():
            if PurePosixPath(name).name in wanted:
                (folder / PurePosixPath(name).name).write_bytes(archive.read(name))
    return folder


@pytest.mark.parametrize("format_name", WRITERS)
def test_real_annotations_come_back_from_each_format(
    format_name: str, mini: CocoDataset, photos: Path, tmp_path: Path
) -> None:
    for name, data in WRITERS[format_name](mini).items():
        (tmp_path / "labels" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "labels" / name).write_bytes(data)

    params = FetchParams(images_url=str(photos), annotations_url=str(tmp_path / "labels"))
    found = fetch_dataset(params, tmp_path / "work").dataset

    names = dict(zip(mini.category_ids, mini.class_names, strict=True))
    read_names = dict(zip(found.category_ids, found.class_names, strict=True))
    by_file = {one.file_name: one for one in found.images}
    assert by_file.keys() == {one.file_name for one in mini.images}
    for image in mini.images:
        read = by_file[image.file_name]
        expected, objects = mini.annotations_of(image.id), found.annotations_of(read.id)
        assert (read.width, read.height) == (image.width, image.height)
        assert [read_names[one.category_id] for one in objects] == [names[one.category_id] for one in expected]
        # COCO rounds its boxes to a hundredth, and its polygons reach past them by as much as half a pixel.
        near = 0.6 if format_name in {"cvat", "label_studio"} else 1e-6
        assert np.allclose([one.bbox for one in objects], [one.bbox for one in expected], rtol=0, atol=near)
    if format_name in {"coco", "open_images", "table", "table (parquet)"}:
        crowds = sum(one.iscrowd for one in mini.annotations)
        assert crowds > 0
        assert sum(one.iscrowd for one in found.annotations) == crowds
