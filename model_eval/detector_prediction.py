"""Predicts every image of a test set through the packed service."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from service_access import Service
from sinara_lib.archive import Readable
from sinara_lib.errors import DataError, SinaraError
from sinara_lib.progress import progress
from sinara_lib.vision.coco import CocoDataset, CocoImage
from sinara_lib.vision.coco_archive import ANNOTATIONS, Split

PREDICTIONS_NAME = "predictions.json"
SERVICE_NAME = "service_version.json"


def predict_dataset(service: Service, split: Split, *, at_once: int = 1) -> list[dict[str, Any]]:
    """Send every image of a split through the service, `at_once` at a time, and return COCO results.

    Each result has `image_id`, `category_id` (of the dataset, matched by class name), `bbox` (x, y, width, height in
    pixels) and `score`; every detection the model gives counts, whatever the service's threshold for answers.
    Raises DataError when the classes differ, an image is missing or cannot be read.
    """
    ids = match_categories(service.categories(), split.dataset)
    results: list[dict[str, Any]] = []
    with contextlib.closing(split.read_images()) as images:
        answers = _answers(service, images, at_once=at_once)
        for image, answer in progress(answers, label="predict", total=len(split.dataset.images), unit="image"):
            for one in answer["annotations"]:
                category = ids[one["category_id"]]
                results.append(
                    {"image_id": image.id, "category_id": category, "bbox": one["bbox"], "score": one["score"]}
                )
    return results


def match_categories(served: Sequence[Mapping[str, Any]], dataset: CocoDataset) -> dict[int, int]:
    """Return the dataset's category id of each category id of the service; classes are matched by name."""
    wanted = {category.name: category.id for category in dataset.categories}
    known = {category["name"]: category["id"] for category in served}
    if wanted.keys() != known.keys():
        raise DataError(
            f"The service knows the classes {', '.join(known)}, the test set has {', '.join(wanted)}: "
            "run model_train and model_pack on the data of this data_prep run."
        )
    return {known[name]: wanted[name] for name in wanted}


def write_inference_result(
    folder: str | Path, predictions: Sequence[Mapping[str, Any]], *, split: Split, version: Mapping[str, Any]
) -> None:
    """Write predictions, ground truth and the service's version side by side into `folder`."""
    folder = Path(folder)
    (folder / ANNOTATIONS).write_bytes(split.files.read(ANNOTATIONS))
    (folder / PREDICTIONS_NAME).write_text(json.dumps(list(predictions)), encoding="utf-8")
    (folder / SERVICE_NAME).write_text(json.dumps(dict(version), indent=1), encoding="utf-8")


def read_predictions(archive: Readable) -> list[dict[str, Any]]:
    """Read the COCO results that `write_inference_result` wrote."""
    results: list[dict[str, Any]] = json.loads(archive.read(PREDICTIONS_NAME))
    return results


def ground_truth_id(archive: Readable) -> str:
    """Return a sha256 that is the same for the same ground truth, whatever the run."""
    return hashlib.sha256(archive.read(ANNOTATIONS)).hexdigest()


def read_service_version(archive: Readable) -> dict[str, str]:
    """Read which service predicted, as `write_inference_result` wrote it."""
    version: dict[str, str] = json.loads(archive.read(SERVICE_NAME))
    return version


def _answers(
    service: Service, images: Iterable[tuple[CocoImage, bytes]], *, at_once: int
) -> Iterator[tuple[CocoImage, Mapping[str, Any]]]:
    """Yield images and answers in order; no more images are read than are on their way."""
    waiting: deque[tuple[CocoImage, Future[Mapping[str, Any]]]] = deque()
    with ThreadPoolExecutor(at_once, thread_name_prefix="predict") as pool:
        for image, data in images:
            waiting.append((image, pool.submit(_predict_image, service, image, data)))
            if len(waiting) >= at_once:
                image, answer = waiting.popleft()
                yield image, answer.result()
        for image, answer in waiting:
            yield image, answer.result()


def _predict_image(service: Service, image: CocoImage, data: bytes) -> Mapping[str, Any]:
    try:
        answer = service.predict(data, file_name=image.file_name, min_score=0.0)
    except Exception as error:
        if isinstance(error, SinaraError) and not isinstance(error, DataError):
            raise  # the service is gone, which no image is to blame for
        # Whatever else the service raises, the reader needs to know at which image.
        raise DataError(f"Image {image.file_name} of the test set: the service refused it: {error}") from error
    if (answer["width"], answer["height"]) != (image.width, image.height):
        raise DataError(
            f"Image {image.file_name}: the service sees {answer['width']} x {answer['height']} pixels, the test set "
            f"says {image.width} x {image.height}, so boxes cannot be compared; run data_prep again."
        )
    return answer
