"""The notebook as a step runs it: from runs of data_prep and data_load to inference files and a report."""

import json
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
import torch
from drawn_splits import draw_split
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from sinara_lib.archive import open_archive, pack
from sinara_lib.checkout import read_producer
from sinara_lib.errors import StepFailedError
from sinara_lib.layout import StepAddress
from sinara_lib.step import StepResult, run_step
from sinara_lib.store import ArtifactStore, fetch_folder, open_entity, store_at
from sinara_lib.store.manifest import RunRecord, RunStatus

STEP = Path(__file__).parents[3] / "model_train"
TINY = {"model_name": "yolox_nano", "input_size": [64, 64], "epochs": 1, "batch_size": 3}


def _publish(store: ArtifactStore, step: str, **folders: Path) -> str:
    now = datetime(2026, 11, 21, tzinfo=timezone.utc)
    record = RunRecord(run_id="", status=RunStatus.RUNNING, started=now, producer=read_producer(STEP))
    run = store.start_run(StepAddress("obj_detect_rest", "test", step), record, now=now)
    for entity, folder in folders.items():
        pack(folder, f"{store.url_of(run)}/{entity}")
    started = store.run_record(run)
    assert started is not None
    store.replace_record(run, started.model_copy(update={"status": RunStatus.SUCCESS}))
    return run.run_id


def _run(root: Path, tmp_path: Path, **changes: Any) -> StepResult:
    document = json.loads((STEP / "params" / "sample.json").read_text(encoding="utf-8"))
    document["substeps_params"][0]["substep_params"] |= {**TINY, **changes}
    params = tmp_path / "params.json"
    params.write_text(json.dumps(document), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SINARA_USER_ROOT", f"file://{root}")
        return run_step(STEP, mode="dev", params_file=params)


@pytest.fixture(scope="module")
def upstream(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A store with a run of data_prep and one of data_load without weights; returns its root and the dataset's run."""
    folder, root = tmp_path_factory.mktemp("upstream"), tmp_path_factory.mktemp("store")
    draw_split(folder / "train", "train", images=6, seed=1)
    draw_split(folder / "eval", "eval", images=3, seed=2)
    (folder / "weights").mkdir()
    (folder / "weights" / "weights.json").write_text('{"url": null, "file_name": null, "sha256": null, "bytes": 0}')
    store = store_at(f"file://{root}")
    _publish(store, "data_load", yolox_pth_pretrain_weights=folder / "weights")
    dataset_run = _publish(store, "data_prep", coco_train_dataset=folder / "train", coco_eval_dataset=folder / "eval")
    return root, dataset_run


@pytest.fixture(scope="module")
def result(upstream: tuple[Path, str], tmp_path_factory: pytest.TempPathFactory) -> StepResult:
    return _run(upstream[0], tmp_path_factory.mktemp("params"))


def test_the_inference_files_say_what_they_are_and_where_they_come_from(
    result: StepResult, upstream: tuple[Path, str], tmp_path: Path
) -> None:
    archive = open_archive(f"{result.run_url}/obj_detect_inference_files")
    model = json.loads(archive.read("model.json"))

    assert sorted(archive.names()) == ["best.pth", "config.py", "eval_image.png", "last.pth", "model.json"]
    assert (model["classes"], model["category_ids"], model["input_size"]) == (["person", "car"], [1, 2], [64, 64])
    assert (model["model_name"], model["dataset_run"]) == ("yolox_nano", upstream[1])
    assert result.run_url.endswith(model["run_id"])
    (tmp_path / "best.pth").write_bytes(archive.read("best.pth"))
    best = torch.load(tmp_path / "best.pth", weights_only=True)
    assert best["meta"]["dataset_meta"]["classes"] == ["person", "car"]
    assert best["state_dict"]["bbox_head.multi_level_conv_cls.0.weight"].shape[0] == 2


def test_metrics_and_curves_are_in_the_report(result: StepResult) -> None:
    report = open_entity(f"{result.run_url}/reports_model_train_ipynb")
    metrics = json.loads(report.read("metrics.json"))

    assert {"AP50_start", "AP50_best", "AP50_last", "best_is", "loss_last_epoch"} <= set(metrics)
    page = report.read("business_report.html").decode()
    # Examples, curves for light and for dark pages, two batches.
    assert page.count("data:image/") == 5
    assert "What came out" in page


def _event_steps(run_url: str, tag: str, folder: Path) -> list[int]:
    """Return the steps that TensorBoard reads in the published logs of a run."""
    fetch_folder(f"{run_url}/tensorboard_logs", folder / "logs")
    events = EventAccumulator(str(folder / "logs" / "model_train"))
    events.Reload()
    return [event.step for event in events.Scalars(tag)]


def test_tensorboards_event_files_are_published_with_the_run(result: StepResult, tmp_path: Path) -> None:
    assert _event_steps(result.run_url, "train/loss", tmp_path / "losses") == [1, 2]
    assert _event_steps(result.run_url, "eval/AP50", tmp_path / "scores") == [0, 2]
    assert "user.obj_detect_rest.test.model_train.tensorboard_logs" in result.outputs


def test_a_failed_training_publishes_its_report_and_no_weights(upstream: tuple[Path, str], tmp_path: Path) -> None:
    with pytest.raises(StepFailedError, match="The loss became"):
        _run(upstream[0], tmp_path, learning_rate=1e20, epochs=3)

    runs = sorted((upstream[0] / "obj_detect_rest" / "test" / "model_train").glob("run-*"))
    assert not (runs[-1] / "obj_detect_inference_files").exists()
    for name in ("report.html", "business_report.html"):
        page = (runs[-1] / "reports_model_train_ipynb" / name).read_text(encoding="utf-8")
        assert "The loss became" in page
        assert "Curves of the training loss" in page
        assert page.count("as the network saw it") > 0
    assert _event_steps(runs[-1].as_uri(), "train/loss", tmp_path) == [1]
