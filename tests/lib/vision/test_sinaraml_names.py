"""What SinaraML's steps publish is read by ours, with the names of files that it has inside."""

import json
from pathlib import Path

import pytest

from sinara_lib.archive import pack
from sinara_lib.errors import DataError
from sinara_lib.vision.coco_archive import open_split
from sinara_lib.vision.sinaraml_names import find_annotations

DOCUMENT = {
    "images": [{"id": 1, "file_name": "a.jpg", "width": 4, "height": 3}],
    "annotations": [],
    "categories": [{"id": 1, "name": "car"}],
}


@pytest.mark.parametrize("names", [["instances.json"], ["captions_val2017.json", "instances_val2017.json"]])
def test_annotations_are_found_under_our_name_and_under_sinaramls(tmp_path: Path, names: list[str]) -> None:
    for name in names:
        (tmp_path / name).write_text("{}")
    assert find_annotations(tmp_path).name == names[-1]
    (tmp_path / names[-1]).unlink()
    with pytest.raises(DataError, match=r"holds neither instances\.json nor SinaraML's instances_val2017\.json"):
        find_annotations(tmp_path)


def test_a_split_with_sinaramls_names_is_read_as_one_of_ours(tmp_path: Path) -> None:
    folder = tmp_path / "train"
    folder.mkdir()
    (folder / "train_coco_annotations.json").write_text(json.dumps(DOCUMENT))
    (folder / "a.jpg").write_bytes(b"pixels")
    pack(folder, str(tmp_path / "archive"))
    for place in (str(folder), f"file://{tmp_path}/archive"):
        split = open_split(place, "train")
        assert split.classes == ("car",)
        assert [data for _, data in split.read_images()] == [b"pixels"]
        assert Path(split.place, "annotations.json").is_file()
