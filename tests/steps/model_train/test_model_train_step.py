"""The notebook as a step runs it: from runs of data_prep and data_load to inference files and a report."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from published_splits import STEP, publish_upstream, write_params
from sinara_lib.archive import open_archive
from sinara_lib.errors import StepFailedError
from sinara_lib.step import StepResult, run_step
from sinara_lib.store import fetch_folder, open_entity

TINY = {"model_name": "yolox_nano", "input_size": [64, 64], "epochs": 1, "batch_size": 3}


def _run(root: Path, tmp_path: Path, **changes: Any) -> StepResult:
    params = write_params(tmp_path / "params.json", **{**TINY, **changes})
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SINARA_USER_ROOT", f"file://{root}")
        return run_step(STEP, mode="dev", params_file=params)


@pytest.fixture(scope="module")
def upstream(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A store with a run of data_prep and one of data_load without weights; returns its root and the dataset's run."""
    folder, root = tmp_path_factory.mktemp("upstream"), tmp_path_factory.mktemp("store")
    return root, publish_upstream(folder, root)


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
    # Examples, curves for light and for dark pages and for phones, two batches.
    assert page.count("data:image/") == 7
    assert "What came out" in page
    assert "OneDL" not in page


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
