"""Lays out the folder that becomes the bento: the service's modules, the model, a test image and its result."""

from __future__ import annotations

import hashlib
import json
import math
import shutil
from importlib import metadata
from pathlib import Path
from typing import Any

import cv2

import sinara_lib.vision.image_size
import sinara_lib.vision.letterbox
from pack_params import PrecisionName
from rest_service.served_model import ServedModel
from sinara_lib.container.package_pins import (
    ONNXRUNTIME_PACKAGES,
    OnnxruntimePackage,
    choose_onnxruntime,
    pin_installed,
)
from sinara_lib.errors import DataError
from sinara_lib.isolation import isolated_modules
from sinara_lib.runs.checkout import read_producer
from sinara_lib.vision.coco import draw_boxes
from sinara_lib.vision.image_size import MAX_PIXELS, stated_size
from sinara_lib.vision.letterbox import decode_image
from sinara_lib.vision.model_pages import ModelCard

_HERE = Path(__file__).parent
_REQUIREMENTS = ("bentoml", "numpy", "opencv-python-headless", "pydantic", "starlette", "uvicorn", "python-multipart")


def find_test_image(inference_files: str | Path) -> Path:
    """Return the one `eval_image.*` of model_train. Raises DataError when there is none, or more than one."""
    images = sorted(Path(inference_files).glob("eval_image.*"))
    if len(images) != 1:
        found = ", ".join(path.name for path in images) or "none"
        raise DataError(f"{inference_files}: expected one eval_image.*, found {found}. Run model_train again.")
    return images[0]


def lay_out_service(
    folder: str | Path, *, model: Path, card: ModelCard, test_image: Path, version: str, min_score: float
) -> Path:
    """Fill `folder` with service.py, its modules and `artifacts/` without the expected result; returns it."""
    folder = Path(folder)
    artifacts = folder / "artifacts"
    artifacts.mkdir(parents=True)
    shutil.copyfile(_HERE / "service.py", folder / "service.py")
    room = shutil.copytree(
        _HERE / "rest_service", folder / "rest_service", ignore=shutil.ignore_patterns("__pycache__")
    )
    for module in (sinara_lib.vision.image_size, sinara_lib.vision.letterbox):
        shutil.copyfile(str(module.__file__), Path(room) / Path(str(module.__file__)).name)
    shutil.copy(model, artifacts / "model.onnx")
    _copy_test_image(test_image, artifacts)
    ServedModel(
        service_version=version,
        model_name=card.model_name,
        model_run=card.run_id,
        dataset_run=card.dataset_run,
        input_size=card.input_size,
        classes=card.classes,
        category_ids=card.category_ids,
        min_score=min_score,
    ).write(artifacts)
    return folder


def write_requirements(folder: str | Path, *, onnxruntime_package: OnnxruntimePackage) -> list[str]:
    """Write requirements.txt and return its lines: every package of the service with all it needs, as installed here.

    So the image runs what was tested. The build of ONNX Runtime that is not installed here is looked up with pip.
    """
    installed = next((name for name in ONNXRUNTIME_PACKAGES if _is_installed(name)), "onnxruntime")
    pins = choose_onnxruntime(pin_installed([*_REQUIREMENTS, installed]), onnxruntime_package)
    (Path(folder) / "requirements.txt").write_text("\n".join(pins) + "\n", encoding="utf-8")
    return pins


def write_expected_result(folder: str | Path) -> dict[str, Any]:
    """Answer the packed test image with the packed detector, keep that as `test_result.json`, and return it."""
    folder = Path(folder)
    (image,) = (folder / "artifacts").glob("test_image.*")
    with isolated_modules(folder):
        from rest_service.detector import Detector

        result: dict[str, Any] = Detector(folder / "artifacts").predict(image.read_bytes(), file_name=image.name)
    _write_json(folder / "artifacts" / "test_result.json", result)
    return result


def service_labels(
    card: ModelCard, *, folder: Path, run_id: str, model: Path, precision: PrecisionName
) -> dict[str, str]:
    """Return what the bento says about itself: this run, its commit, the runs of model and dataset, the precision.

    `model_sha256` is that of the ONNX file: the same model packed twice carries the same one.
    """
    commit = read_producer(folder).commit
    checksum = hashlib.sha256(model.read_bytes()).hexdigest()
    runs = {"run_id": run_id, "model_run": card.run_id, "dataset_run": card.dataset_run}
    labels = {**runs, "model_sha256": checksum, "precision": precision}
    return labels | ({"git_commit": commit} if commit else {})


def draw_result(image: Path, result: dict[str, Any]) -> bytes:
    """Return the picture of an image with the detections of `result` drawn, as JPEG bytes."""
    found = result["annotations"]
    names = [category["name"] for category in result["categories"]]
    drawn = draw_boxes(
        decode_image(image.read_bytes()),
        [one["bbox"] for one in found],
        labels=[names.index(one["category_name"]) for one in found],
        scores=[one["score"] for one in found],
        class_names=names,
    )
    return cv2.imencode(".jpg", drawn)[1].tobytes()


def _copy_test_image(image: Path, artifacts: Path) -> None:
    """Copy the test image; one of more pixels than the service takes by default is made smaller, as PNG."""
    data = image.read_bytes()
    width, height = stated_size(data)
    if width * height <= MAX_PIXELS:
        shutil.copy(image, artifacts / f"test_image{image.suffix.lower()}")
        return
    scale = math.sqrt(MAX_PIXELS / (width * height))
    pixels = decode_image(data)
    size = (max(1, int(pixels.shape[1] * scale)), max(1, int(pixels.shape[0] * scale)))
    cv2.imwrite(str(artifacts / "test_image.png"), cv2.resize(pixels, size, interpolation=cv2.INTER_AREA))


def _is_installed(name: str) -> bool:
    try:
        metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def _write_json(path: Path, document: Any) -> None:
    path.write_text(json.dumps(document, indent=1, ensure_ascii=False), encoding="utf-8")
