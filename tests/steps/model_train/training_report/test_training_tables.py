"""Class names are written by strangers; the tables of a training show them as they are."""

from pathlib import Path

from sinara_lib.vision.coco import parse_coco
from sinara_lib.vision.coco_archive import FolderFiles, Split
from training_report.tables import data_table


def test_a_class_with_a_bar_in_its_name_breaks_no_table(tmp_path: Path) -> None:
    categories = [{"id": 1, "name": "a|b"}, {"id": 2, "name": "<i>c</i>"}]
    dataset = parse_coco({"images": [], "annotations": [], "categories": categories}, where="test")
    table = data_table(*(Split(name, str(tmp_path), FolderFiles(tmp_path), dataset) for name in ("train", "eval")))
    assert table.splitlines() == [
        "| objects of class | train | eval |",
        "| :-- | --: | --: |",
        r"| a\|b | 0 | 0 |",
        "| &lt;i>c&lt;/i> | 0 | 0 |",
        "| **images** | 0 | 0 |",
    ]
