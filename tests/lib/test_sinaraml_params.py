"""SinaraML's params files of obj_detect_rest are taken by the steps of this repository."""

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from sinara_lib.step_models import ask_params, check_step_params

ROOT = Path(__file__).parents[2]
PLACE = {"env_name": "user", "pipeline_name": "obj_detect_rest", "zone_name": "test"}
TRAIN = {"MAX_SIZE": 416, "BATCH": 4, "WORKERS": 0, "SEED": 42, "EPOCH_COUNT": 2, "MODEL_NAME": "yolox_s"}
TRAIN |= {"OPTIMIZER_LR": 0.0003, "WEIGHT_DECAY": 0.0001, "MMCV_NORMALIZE": {"to_rgb": "TRUE"}}
LOAD = {"coco_datasets_images_url": "a.zip", "coco_datasets_annotations_url": "b.zip"}


@pytest.mark.parametrize(
    ("step", "step_params", "substeps", "expected", "left_out"),
    [
        (
            "data_load",
            {},
            {"data_load.ipynb": {**LOAD, "yolox_pth_pretrain_weights": "w.pth"}},
            {"data_load.ipynb": {"images_url": "a.zip", "annotations_url": "b.zip", "weights_url": "w.pth"}},
            [],
        ),
        (
            "data_prep",
            {},
            {"data_prep.ipynb": {"FILTER_EMPTY_GT": False, "MIN_OBJECT_SIZE": 5}},
            {"data_prep.ipynb": {"FILTER_EMPTY_GT": False, "MIN_OBJECT_SIZE": 5}},
            [],
        ),
        (
            "model_train",
            {"train_params": TRAIN},
            {"prepare_files_for_train_detector.ipynb": {}, "train.ipynb": {}},
            {"model_train.ipynb": {"input_size": [416, 416], "batch_size": 4, "epochs": 2, "learning_rate": 0.0003}},
            ["MMCV_NORMALIZE"],
        ),
        (
            "model_pack",
            {"export_params": {"iou_threshold": 0.5, "keep_top_k": 100}},
            {"model_pack.ipynb": {"save_best": False, "device": "cuda:0"}},
            {"model_pack.ipynb": {"save_best": False, "iou_threshold": 0.5, "keep_top_k": 100}},
            ["device"],
        ),
        (
            "model_eval",
            {},
            {"run_obj_detector.ipynb": {"min_score": 0.1}, "eval_obj_detector.ipynb": {"threshold_MAp05": 0.008}},
            {"predict.ipynb": {}, "score.ipynb": {"threshold_map05": 0.008}},
            ["min_score"],
        ),
    ],
)
def test_sinaramls_params_are_taken_with_a_warning_for_what_means_nothing(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    step: str,
    step_params: dict[str, Any],
    substeps: dict[str, dict[str, Any]],
    expected: dict[str, dict[str, Any]],
    left_out: list[str],
) -> None:
    listed = [{"substep_name": name, "substep_params": values} for name, values in substeps.items()]
    file = tmp_path / "theirs.json"
    file.write_text(json.dumps({"pipeline_params": PLACE, "step_params": step_params, "substeps_params": listed}))
    with caplog.at_level(logging.WARNING):
        params = ask_params(ROOT / step, file=file)
    check_step_params(ROOT / step, params)
    found = {one.substep_name: one.substep_params for one in params.substeps_params}
    assert list(found) == list(expected)
    assert all(found[name].items() >= values.items() for name, values in expected.items())
    assert [message.split()[0] for message in caplog.messages] == left_out
