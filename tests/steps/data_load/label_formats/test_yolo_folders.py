"""YOLO folders as people have them: other YAML files beside data.yaml, lists of images, polygons and rotated boxes."""

from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from coco_fetch import Loaded, fetch_dataset
from fetch_params import FetchParams
from sinara_lib.errors import DataError

FILES = {
    "data.yaml": "path: ../elsewhere\ntrain: images/train\nval: [images/val, more]\nnc: 2\nnames: [cat, dog]\n",
    "labels/1.txt": "1 0.5 0.5 0.2 0.4\n",
}
OTHERS = {
    "args.yaml": "task: detect\nmode: train\nmodel: yolov8n.pt\n",
    "conda.yml": "name: detector\ndependencies: [python, pip]\n",
    "mkdocs.yml": "site_name: it\nextra: {names: no}\nx: !!python/name:a.b\n",
    "dvc.yaml": "stages: {train: {cmd: python train.py}}\n",
    "aaa/hyp.yaml": "lr0: 0.01\n",
    "train.txt": "./images/1.png\n",
    "notes.txt": "words\n",
}


def load(folder: Path, files: dict[str, str], **values: Any) -> Loaded:
    (folder / "in" / "images").mkdir(parents=True)
    Image.new("L", (40, 30)).save(folder / "in" / "images" / "1.png")
    for name, text in files.items():
        (folder / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "in" / name).write_text(text)
    return fetch_dataset(FetchParams(images_url=str(folder / "in"), **values), folder / "work")


def objects(loaded: Loaded) -> list[tuple[str, tuple[float, ...]]]:
    return [
        (loaded.dataset.class_names[one.category_id - 1], pytest.approx(one.bbox)) for one in loaded.dataset.annotations
    ]


def test_the_yaml_file_with_names_is_the_one_whatever_other_files_lie_beside_it(tmp_path: Path) -> None:
    loaded = load(tmp_path, {**FILES, **OTHERS})

    assert objects(loaded) == [("dog", (16, 9, 8, 12))]
    assert loaded.sources[0].tally.notes == {"lists of images": 1, "text files that belong to no image": 1}


@pytest.mark.parametrize("member", ["data.yaml", "./data.yaml"])
def test_naming_the_yaml_file_as_member_takes_the_labels_with_it(member: str, tmp_path: Path) -> None:
    other = {"coco8.yaml": "names: [person, car]\n", "instances.json": '{"images": [], "annotations": []}'}

    assert objects(load(tmp_path, {**FILES, **other}, annotations_member=member)) == [("dog", (16, 9, 8, 12))]


def test_two_files_that_name_other_classes_are_refused_with_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"coco8\.yaml and data\.yaml name other classes.*annotations_member"):
        load(tmp_path, {**FILES, "coco8.yaml": "names: [person, car]\n"})


def test_a_copy_of_the_names_and_lists_below_are_in_nobodys_way(tmp_path: Path) -> None:
    more = {"dataset.yaml": FILES["data.yaml"], "old/data.yaml": "names: [x]\n", "classes.txt": "a\nb\n"}

    assert objects(load(tmp_path, {**FILES, **more})) == [("dog", (16, 9, 8, 12))]


@pytest.mark.parametrize("names", ['"names": [cat, dog]\n', "{names: [cat, dog], nc: 2}\n", "'names':\n- cat\n- dog\n"])
def test_the_key_may_be_written_in_any_way_of_yaml(names: str, tmp_path: Path) -> None:
    assert objects(load(tmp_path, {**FILES, "data.yaml": names})) == [("dog", (16, 9, 8, 12))]


def test_polygons_and_rotated_boxes_become_the_box_around_them_and_stay_as_segmentation(tmp_path: Path) -> None:
    polygon = "0 0.1 0.1 0.3 0.1 0.2 0.5\n"
    rotated = "1 0.5 0.2 0.7 0.4 0.5 0.6 0.3 0.4\n"
    found = load(tmp_path, {**FILES, "labels/1.txt": polygon + rotated})

    assert objects(found) == [("cat", (4, 3, 8, 12)), ("dog", (12, 6, 16, 12))]
    assert [len(one.segmentation[0]) for one in found.dataset.annotations] == [6, 8]


def test_two_classes_of_one_name_become_one_and_that_is_said(tmp_path: Path) -> None:
    loaded = load(tmp_path, {**FILES, "data.yaml": "names: [dog, dog]\n"})

    assert loaded.dataset.class_names == ("dog",)
    assert loaded.sources[0].tally.notes == {"names of classes given twice, which became one class": 1}
