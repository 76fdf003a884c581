"""The notebook as a step runs it: from a run of data_load to three datasets and a report."""

import csv
import json
import os
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from prep_cases import box, dataset_of, picture, write_picture
from prep_params import Fractions, SplitOptions
from sinara_lib.archive import open_archive, pack
from sinara_lib.errors import StepFailedError
from sinara_lib.layout import StepAddress
from sinara_lib.params import PipelineParams
from sinara_lib.runs.checkout import read_producer
from sinara_lib.step import StepResult, run_step
from sinara_lib.store import open_entity, store_at
from sinara_lib.store.manifest import RunRecord, RunStatus
from sinara_lib.substep import RUN_ID
from sinara_lib.vision.coco import CocoDataset, parse_coco, save_coco
from sinara_lib.vision.letterbox import decode_image
from split_memory import earlier_inputs

STEP = Path(__file__).parents[3] / "data_prep"
ENTITIES = ("coco_train_dataset", "coco_eval_dataset", "coco_test_dataset")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with one run of data_load: twenty images with cars and people, one unreadable, one box outside."""
    root = tmp_path_factory.mktemp("store")
    _load(root, tmp_path_factory.mktemp("data_load"), images=20)
    return root


def _load(root: Path, folder: Path, *, images: int) -> None:
    """Add a run of data_load."""
    for number in range(1, images + 1):
        write_picture(folder / "images" / f"{number:03}.jpg")
        os.utime(folder / "images" / f"{number:03}.jpg", (1_700_000_000, 1_700_000_000))
    (folder / "images" / "020.jpg").write_bytes(b"not an image")
    annotations = [box(number, image=number, category_id=1 + number % 2 * 2) for number in range(1, images + 1)]
    annotations = [replace(one, bbox=(5.0, 6.0, 20.0, 10.0)) for one in annotations]
    annotations.append(box(images + 1, image=1, bbox=(500.0, 5.0, 9.0, 9.0)))
    (folder / "annotations").mkdir()
    records = [picture(number) for number in range(1, images + 1)]
    save_coco(dataset_of(records, annotations), folder / "annotations" / "instances.json")

    store, now = store_at(f"file://{root}"), datetime(2026, 11, images - 10, tzinfo=timezone.utc)
    record = RunRecord(run_id="", status=RunStatus.RUNNING, started=now, producer=read_producer(STEP))
    run = store.start_run(StepAddress("obj_detect_rest", "test", "data_load"), record, now=now)
    pack(folder / "images", f"{store.url_of(run)}/coco_datasets_images")
    pack(folder / "annotations", f"{store.url_of(run)}/coco_datasets_annotations")
    started = store.run_record(run)
    assert started is not None
    store.replace_record(run, started.model_copy(update={"status": RunStatus.SUCCESS}))


def _run(root: Path, tmp_path: Path, **changes: Any) -> StepResult:
    document = json.loads((STEP / "params" / "sample.json").read_text(encoding="utf-8"))
    document["substeps_params"][0]["substep_params"] |= {"classes": ["car", "person"], **changes}
    params = tmp_path / "params.json"
    params.write_text(json.dumps(document), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SINARA_USER_ROOT", f"file://{root}")
        return run_step(STEP, mode="dev", params_file=params)


@pytest.fixture(scope="module")
def result(root: Path, tmp_path_factory: pytest.TempPathFactory) -> StepResult:
    return _run(root, tmp_path_factory.mktemp("params"))


def _part(result: StepResult, entity: str) -> CocoDataset:
    archive = open_archive(f"{result.run_url}/{entity}")
    part = parse_coco(json.loads(archive.read("annotations.json")), where=entity)
    assert sorted(archive.names()) == ["annotations.json", *sorted(f"images/{one.file_name}" for one in part.images)]
    return part


def test_three_datasets_are_published_that_share_no_image_and_hold_every_usable_one(result: StepResult) -> None:
    parts = [_part(result, entity) for entity in ENTITIES]
    assert sorted(image.id for part in parts for image in part.images) == list(range(1, 20))
    assert [len(part.images) for part in parts] == [13, 3, 3]
    for part in parts:
        assert [(one.id, one.name) for one in part.categories] == [(1, "car"), (2, "person")]


def test_metrics_count_images_annotations_and_repairs(result: StepResult) -> None:
    assert result.metrics["images"] == result.metrics["annotations"] == 19
    assert result.metrics["dropped"] == 2
    assert result.metrics["fixed"] == 0
    assert [result.metrics[f"{name}_images"] for name in ("train", "eval", "test")] == [13, 3, 3]


def test_the_managers_page_has_the_table_of_findings_and_every_picture(result: StepResult) -> None:
    page = open_entity(f"{result.run_url}/reports_data_prep_ipynb").read("business_report.html").decode()
    assert "box_outside" in page
    assert "image_unreadable" in page
    assert page.count("<img") == 6


def test_every_picture_says_in_words_what_it_shows(result: StepResult) -> None:
    report = json.loads(open_entity(f"{result.run_url}/reports_data_prep_ipynb").read("report.ipynb"))
    pictures = [
        (kind, output["metadata"])
        for cell in report["cells"]
        for output in cell.get("outputs", [])
        for kind in output.get("data", {})
        if kind.startswith("image/")
    ]
    assert len(pictures) == 6
    assert all(len(metadata[kind]["alt"]) > 20 for kind, metadata in pictures)


def test_the_same_data_and_parameters_publish_the_same_content(result: StepResult, root: Path, tmp_path: Path) -> None:
    again = _run(root, tmp_path)
    for entity in ENTITIES:
        first, second = (open_entity(f"{url}/{entity}").manifest for url in (result.run_url, again.run_url))
        assert first.content == second.content


def test_a_second_run_reads_the_split_where_it_was_made_and_another_seed_makes_its_own(result: StepResult) -> None:
    summary = open_entity(f"{result.run_url}/dataset_summary")
    split = json.loads(summary.read("split.json"))
    assert split["seed"] == 1
    assert sorted(name for part in split["parts"].values() for name in part) == [f"{n:03}.jpg" for n in range(1, 20)]
    fractions = split["fractions"]
    assert _earlier(result, fractions) == result.run_id
    assert _earlier(result, fractions, seed=2) is None
    assert _earlier(result, {"train": 0.8, "eval": 0.1, "test": 0.1}) is None
    assert _earlier(result, fractions, keep=False) is None


def _earlier(result: StepResult, fractions: dict[str, float], *, seed: int = 1, keep: bool = True) -> str | None:
    """The run whose split the next run would read."""
    pipeline = PipelineParams(env_name="user", pipeline_name="obj_detect_rest", zone_name="test")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SINARA_USER_ROOT", result.run_url.partition("/obj_detect_rest/")[0])
        entries = earlier_inputs(
            pipeline, "data_prep", SplitOptions(fractions=Fractions(**fractions), seed=seed, keep_split=keep)
        )
    return entries[0][RUN_ID] if entries else None


def test_figures_are_published_as_data_that_agree_with_the_datasets(result: StepResult) -> None:
    summary = open_entity(f"{result.run_url}/dataset_summary")
    figures = json.loads(summary.read("figures.json"))
    lines = list(csv.DictReader(summary.read("parts.csv").decode().splitlines()))
    for name, entity in zip(("train", "eval", "test"), ENTITIES, strict=True):
        part, found = _part(result, entity), figures["parts"][name]
        assert (found["images"], found["objects"]) == (len(part.images), len(part.annotations))
        assert {sum(one["counts"]) for one in found["histograms"].values()} == {len(part.images)}
        assert sum(map(sum, found["centres"])) == sum(map(sum, found["class_sizes"])) == len(part.annotations)
        assert [int(one["objects"]) for one in lines if one["part"] == name] == found["class_objects"]


def test_added_images_move_none_and_tiles_and_copies_are_published_with_their_boxes(
    result: StepResult, root: Path, tmp_path: Path
) -> None:
    _load(root, tmp_path / "more", images=35)
    changes = {"tiles": {"width": 40, "height": 48}, "augment": {"flip": True, "colour": 0.2}}
    grown = _run(root, tmp_path, classes={"thing": ["car", "person"]}, **changes)
    splits = [json.loads(open_entity(f"{one.run_url}/dataset_summary").read("split.json")) for one in (result, grown)]
    for name in ("train", "eval", "test"):
        assert set(splits[0]["parts"][name]) <= set(splits[1]["parts"][name])
    read = [url for url in open_entity(f"{grown.run_url}/dataset_summary").manifest.inputs if "/data_prep/" in url]
    assert read == [f"{result.run_url}/dataset_summary"], "the run in between had the same split"
    assert _earlier(grown, splits[1]["fractions"]) == grown.run_id
    train, evaluation, test = (_part(grown, entity) for entity in ENTITIES)
    assert {one.name for one in train.categories} == {"thing"}
    assert [bool(one.extra.get("augmented")) for one in train.images].count(True) == len(train.images) / 2
    assert not any(one.extra.get("augmented") for one in (*evaluation.images, *test.images))
    groups = [{one.extra["group"] for one in part.images} for part in (train, evaluation, test)]
    assert sum(map(len, groups)) == len(set.union(*groups))
    archive = open_archive(f"{grown.run_url}/coco_train_dataset")
    for image in train.images:
        assert decode_image(archive.read(f"images/{image.file_name}")).shape[:2] == (image.height, image.width)
    page = open_entity(f"{grown.run_url}/reports_data_prep_ipynb").read("business_report.html").decode()
    assert page.count("<img") == 7, "two galleries less for one class, before and after twice"


def test_an_unknown_class_fails_the_step_with_the_names_there_are_and_publishes_nothing(
    root: Path, tmp_path: Path
) -> None:
    with pytest.raises(StepFailedError, match=r"Unknown classes \['tram'\]. The dataset has: person, car, dog"):
        _run(root, tmp_path, classes=["tram"])
    newest = max((root / "obj_detect_rest" / "test" / "data_prep").iterdir())
    assert not any((newest / entity).exists() for entity in ENTITIES)


def test_a_check_that_is_set_to_fail_fails_the_step_after_its_table_and_publishes_nothing(
    root: Path, tmp_path: Path
) -> None:
    with pytest.raises(StepFailedError, match=r"set to `fail`: box_outside 1 \(annotation \d+: \[500, 5, 9, 9\]"):
        _run(root, tmp_path, checks={"box_outside": "fail", "image_unreadable": "drop"})
    newest = max((root / "obj_detect_rest" / "test" / "data_prep").iterdir())
    assert not any((newest / entity).exists() for entity in ENTITIES)
    page = open_entity(f"file://{newest}/reports_data_prep_ipynb").read("business_report.html").decode()
    assert "stops the step" in page
    assert "<img" in page
