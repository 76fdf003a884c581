"""The service folder holds what it needs, pinned, and nothing that is not asked for."""

import hashlib
import json
from importlib import metadata
from pathlib import Path

import cv2
import numpy as np
import pytest

import service_packing
from pack_params import PackParams
from service_packing import draw_result, find_test_image, service_labels, write_expected_result
from sinara_lib.errors import DataError, ParamsError
from sinara_lib.params import parse_params
from sinara_lib.vision.model_pages import ModelCard
from small_network import MIN_SCORE


def test_the_folder_holds_modules_model_image_and_result(service_folder: Path) -> None:
    found = {path.relative_to(service_folder).as_posix() for path in service_folder.rglob("*") if path.is_file()}
    here = Path(service_packing.__file__).parent
    assert {name for name in found if "__pycache__" not in name} == {
        "service.py",
        *(f"rest_service/{path.name}" for path in (here / "rest_service").iterdir() if path.is_file()),
        "requirements.txt",
        "artifacts/model.onnx",
        "artifacts/model.json",
        "artifacts/test_image.png",
        "artifacts/test_result.json",
    }


def test_requirements_are_pinned_to_what_is_installed(service_folder: Path) -> None:
    pins = dict(line.split("==") for line in (service_folder / "requirements.txt").read_text().split())
    assert {"bentoml", "numpy", "onnxruntime", "opencv-python-headless", "starlette"} <= pins.keys()
    assert pins == {name: metadata.version(name) for name in pins}


def test_the_expected_result_is_the_same_each_time(service_folder: Path) -> None:
    first = write_expected_result(service_folder)
    assert first == write_expected_result(service_folder)
    assert len(first["annotations"]) > 5
    assert (first["width"], first["height"]) == (200, 120)


def test_boxes_lie_inside_the_image_and_keep_the_order_of_scores(service_folder: Path) -> None:
    annotations = write_expected_result(service_folder)["annotations"]
    for one in annotations:
        x, y, width, height = one["bbox"]
        assert 0 <= x <= x + width <= 200.01
        assert 0 <= y <= y + height <= 120.01
        assert one["area"] == pytest.approx(width * height, abs=2)
    scores = [one["score"] for one in annotations]
    assert scores == sorted(scores, reverse=True)
    assert min(scores) >= MIN_SCORE


def test_the_drawn_result_is_a_picture_that_differs_from_the_image(service_folder: Path) -> None:
    image = service_folder / "artifacts" / "test_image.png"
    drawn = cv2.imdecode(np.frombuffer(draw_result(image, write_expected_result(service_folder)), np.uint8), 1)
    plain = cv2.resize(cv2.imread(str(image)), drawn.shape[1::-1])
    assert np.abs(drawn.astype(int) - plain).mean() > 3


def test_no_test_image_or_two_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="found none"):
        find_test_image(tmp_path)
    for name in ("eval_image.jpg", "eval_image.png"):
        (tmp_path / name).touch()
    with pytest.raises(DataError, match=r"found eval_image\.jpg, eval_image\.png"):
        find_test_image(tmp_path)


def test_labels_name_the_runs_and_the_model(card: ModelCard, tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"weights")
    labels = service_labels(card, folder=tmp_path, run_id="run-1", model=tmp_path / "model.onnx", precision="int8")
    assert labels == {
        "run_id": "run-1",
        "model_run": card.run_id,
        "dataset_run": card.dataset_run,
        "model_sha256": hashlib.sha256(b"weights").hexdigest(),
        "precision": "int8",
    }


def test_upper_case_names_of_sinaraml_are_understood() -> None:
    params = parse_params(PackParams, {"SAVE_BEST": False, "IOU_THRESHOLD": 0.5})
    assert (params.weights, params.iou_threshold) == ("last.pth", 0.5)


def test_the_train_split_is_an_input_only_where_int8_is_calibrated_on_it() -> None:
    assert PackParams().splits == ("coco_eval_dataset",)
    assert parse_params(PackParams, {"precision": "int8"}).splits == ("coco_eval_dataset", "coco_train_dataset")


@pytest.mark.parametrize("wrong", [{"precision": "int4"}, {"max_ap_loss": -0.1}, {"torchscript": "yes"}])
def test_a_wrong_value_is_refused_by_name(wrong: dict[str, object]) -> None:
    with pytest.raises(ParamsError, match=next(iter(wrong))):
        parse_params(PackParams, wrong)


def test_the_full_job_lists_every_parameter_with_its_default() -> None:
    path = Path(service_packing.__file__).parent / "params" / "step_params.json"
    (substep,) = json.loads(path.read_text(encoding="utf-8"))["substeps_params"]
    assert substep["substep_params"] == PackParams().model_dump()


def test_a_test_image_beyond_the_services_own_limit_is_packed_smaller(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service_packing, "MAX_PIXELS", 5_000)
    image = tmp_path / "eval_image.jpg"
    cv2.imwrite(str(image), np.full((100, 200, 3), 90, np.uint8))
    service_packing._copy_test_image(image, tmp_path)
    height, width = cv2.imread(str(tmp_path / "test_image.png")).shape[:2]
    assert (width, height) == (100, 50)
