"""All checks together: what a cleaned dataset is, and when there is none."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from check_table import CHECKS, choose_actions
from dataset_checks.checks import check_dataset
from dataset_report.findings import draw_findings, findings_table
from prep_cases import CATEGORIES, box, dataset_of, picture, write_picture
from prep_params import CheckOptions
from sinara_lib.errors import DataError
from sinara_lib.vision.coco import CocoDataset, save_coco
from sinara_lib.vision.coco_archive import FolderFiles

CARS = CheckOptions(classes=["car"])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number in range(1, 13):
        write_picture(tmp_path / "source" / f"{number:03}.jpg")
    return tmp_path / "source"


def _faulty() -> CocoDataset:
    annotations = [
        box(1), box(1), box(2, image=2, bbox=(-3.0, 2.0, 20.0, 10.0)), box(3, image=3, bbox=(70.0, 2.0, 5.0, 5.0)),
        box(4, image=99), box(5, image=2, category_id=50), box(6, image=3, category_id=18), box(7, image=4, iscrowd=1),
        box(8, image=5, category_id=1), box(9, image=13),
    ]  # fmt: skip
    images = [picture(number) for number in range(1, 13)]
    images[6] = replace(images[6], width=1)
    return dataset_of([*images, picture(13)], annotations)


def _counts(options: CheckOptions, folder: Path) -> dict[str, int]:
    checked = check_dataset(_faulty(), FolderFiles(folder), options=options)
    return {finding.check.name: finding.count for finding in checked.findings if finding.count}


def test_every_fault_is_counted_once_under_its_name(folder: Path) -> None:
    assert _counts(CheckOptions(classes=["car", "person"], filter_empty_gt=False), folder) == {
        "image_missing": 1,
        "image_size": 1,
        "annotation_without_image": 1,
        "category_unknown": 1,
        "other_class": 1,
        "annotation_id": 1,
        "box_outside": 1,
        "box_over_edge": 1,
        "box_repeated": 1,
        "crowd": 1,
    }


def test_findings_list_every_check_in_order_also_those_that_found_nothing(folder: Path) -> None:
    checked = check_dataset(_faulty(), FolderFiles(folder), options=CARS)
    assert [finding.check for finding in checked.findings] == list(CHECKS)


def test_the_counts_of_an_action_sum_its_checks(folder: Path) -> None:
    checked = check_dataset(_faulty(), FolderFiles(folder), options=CARS)
    assert checked.count("fixed") == 3
    assert checked.count("dropped") == 5


def test_a_clean_dataset_passes_a_second_time_without_a_find(folder: Path) -> None:
    options = CheckOptions(classes=["car"], filter_empty_gt=False)
    once = check_dataset(_faulty(), FolderFiles(folder), options=options)
    twice = check_dataset(once.dataset, FolderFiles(folder), options=options)
    assert twice.dataset == once.dataset
    assert {f.check.name for f in twice.findings if f.count} <= {"crowd", "file_not_listed"}


def test_the_given_dataset_is_not_changed(folder: Path) -> None:
    dataset = _faulty()
    check_dataset(dataset, FolderFiles(folder), options=CARS)
    assert dataset == _faulty()


def test_images_without_the_wanted_classes_stay_as_the_asked_share(folder: Path) -> None:
    def kept(**options: object) -> int:
        dataset = check_dataset(_faulty(), FolderFiles(folder), options=CARS.model_copy(update=options)).dataset
        return sum(not dataset.annotations_of(image.id) for image in dataset.images)

    assert kept(filter_empty_gt=False) == 9
    assert kept(empty_share=0.0) == 0
    assert kept(empty_share=1.0) == 3
    assert kept(empty_share=50.0) == 9


def test_which_empty_images_stay_depends_on_the_seed_and_not_on_the_order(folder: Path) -> None:
    def kept(dataset: CocoDataset, seed: int) -> set[int]:
        options = CARS.model_copy(update={"empty_share": 1.0, "seed": seed})
        return {image.id for image in check_dataset(dataset, FolderFiles(folder), options=options).dataset.images}

    backwards = replace(_faulty(), images=_faulty().images[::-1])
    assert kept(_faulty(), 1) == kept(backwards, 1)
    assert len({frozenset(kept(_faulty(), seed)) for seed in range(6)}) > 1


def test_classes_are_renumbered_in_the_asked_order_and_all_kept_when_none_is_asked(folder: Path) -> None:
    asked = check_dataset(_faulty(), FolderFiles(folder), options=CheckOptions(classes=["car", "person"])).dataset
    assert [(one.id, one.name) for one in asked.categories] == [(1, "car"), (2, "person")]
    every = check_dataset(_faulty(), FolderFiles(folder), options=CheckOptions(classes=[])).dataset
    assert every.class_names == tuple(one.name for one in CATEGORIES)


def test_a_class_without_objects_is_reported_and_stays(folder: Path) -> None:
    dataset = dataset_of([picture(1)], [box(1)])
    checked = check_dataset(dataset, FolderFiles(folder), options=CheckOptions(classes=["dog", "car"]))
    finding = next(one for one in checked.findings if one.check.name == "class_without_objects")
    assert [example.text for example in finding.examples] == ["dog"]
    assert checked.dataset.class_names == ("dog", "car")


def test_an_unknown_class_stops_with_the_names_there_are(folder: Path) -> None:
    with pytest.raises(DataError, match="The dataset has: person, car, dog"):
        check_dataset(_faulty(), FolderFiles(folder), options=CheckOptions(classes=["tram"]))


@pytest.mark.parametrize("fault", ["empty document", "all unreadable", "all missing"])
def test_no_usable_image_stops_with_the_reason(folder: Path, fault: str) -> None:
    images = [] if fault == "empty document" else [picture(1), picture(2)]
    for path in folder.iterdir():
        path.write_bytes(b"") if fault == "all unreadable" else path.unlink()
    reason = {"empty document": "lists none", "all unreadable": "image_unreadable 2", "all missing": "image_missing 2"}
    with pytest.raises(DataError, match=f"No usable image: .*{reason[fault]}"):
        check_dataset(dataset_of(images, [box(1)] if images else []), FolderFiles(folder), options=CARS)


def test_no_object_of_the_wanted_classes_stops(folder: Path) -> None:
    with pytest.raises(DataError, match="No object of the selected classes is left: dog"):
        check_dataset(dataset_of([picture(1)], [box(1)]), FolderFiles(folder), options=CheckOptions(classes=["dog"]))


def test_pycocotools_loads_the_cleaned_document_and_scores_its_own_boxes_as_perfect(
    folder: Path, tmp_path: Path
) -> None:
    dataset = check_dataset(_faulty(), FolderFiles(folder), options=CheckOptions(classes=["car", "person"])).dataset
    save_coco(dataset, tmp_path / "annotations.json")
    oracle = COCO(str(tmp_path / "annotations.json"))
    results = [
        {"image_id": one.image_id, "category_id": one.category_id, "bbox": list(one.bbox), "score": 0.9}
        for one in dataset.annotations
        if not one.iscrowd
    ]
    evaluation = COCOeval(oracle, oracle.loadRes(results), "bbox")
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    assert np.isclose(evaluation.stats[0], 1.0)


def test_a_check_that_is_set_to_fail_stops_after_all_have_run(folder: Path) -> None:
    options = CheckOptions(classes=["car"], checks={"box_outside": "fail", "crowd": "fail", "image_size": "fail"})
    checked = check_dataset(_faulty(), FolderFiles(folder), options=options)
    assert checked.repairs()["fixed_box_over_edge"] == 1
    with pytest.raises(
        DataError, match=r"image_size 1 \(007.jpg: 1 x 48.*; box_outside 1 \(annotation 3.*; crowd 1 \("
    ):
        checked.stop_where_asked()
    check_dataset(_faulty(), FolderFiles(folder), options=CARS).stop_where_asked()


def test_what_a_check_is_set_to_drop_is_gone_and_passes_again(folder: Path) -> None:
    drop = {check.name: "drop" for check in CHECKS if "drop" in check.actions}
    options = CheckOptions(classes=["car"], checks=drop, filter_empty_gt=False)
    checked = check_dataset(_faulty(), FolderFiles(folder), options=options)
    assert {one.check.name: one.done for one in checked.findings if one.count and one.check.name in drop} == {
        "image_missing": "dropped",
        "image_size": "dropped",
        "annotation_without_image": "dropped",
        "category_unknown": "dropped",
        "box_outside": "dropped",
        "box_over_edge": "dropped",
        "box_repeated": "dropped",
        "crowd": "dropped",
    }
    assert [one.id for one in checked.dataset.annotations] == [1]
    assert 7 not in {image.id for image in checked.dataset.images}
    again = check_dataset(checked.dataset, FolderFiles(folder), options=options)
    assert again.dataset == checked.dataset


def test_every_example_that_names_a_file_can_be_drawn_and_names_are_no_markup(folder: Path) -> None:
    faulty = _faulty()
    odd = [picture(1, file_name="<b>gone</b>.jpg"), picture(14, file_name="cut.jpg"), picture(15, file_name="copy.jpg")]
    (folder / "cut.jpg").write_bytes((folder / "001.jpg").read_bytes()[:300])
    (folder / "copy.jpg").write_bytes((folder / "002.jpg").read_bytes())
    images = FolderFiles(folder)
    dataset = replace(faulty, images=(*faulty.images, *odd))
    findings = check_dataset(dataset, images, options=CARS).findings
    drawn = draw_findings(findings, images)
    assert drawn is not None
    assert len(drawn.data) > 10_000
    rows = {row[0]: row for row in findings_table(findings)[1]}
    assert rows["`image_id_repeated`"][2:] == [
        "dropped", "Another image has the same id. The first stays.", "id 1: &lt;b>gone&lt;/b>.jpg",
    ]  # fmt: skip
    assert rows["`image_repeated`"][4] == "copy.jpg and 002.jpg"


def test_every_action_of_every_check_can_be_asked_for_and_the_readme_lists_it() -> None:
    page = (Path(__file__).parents[4] / "data_prep" / "README.md").read_text(encoding="utf-8")
    for check in CHECKS:
        row = next(line for line in page.splitlines() if line.startswith(f"| `{check.name}` |"))
        assert check.fault in row
        settable = len(check.actions) > 1
        assert row.endswith(f"| {', '.join(f'`{one}`' for one in check.actions) if settable else 'left out'} |")
        for action in check.actions if settable else ():
            assert choose_actions({check.name: action})[check.name] == action
        assert bool(check.fix) == ("fix" in check.actions)
