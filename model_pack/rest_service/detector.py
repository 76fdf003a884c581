"""The detector as it is served: image bytes in, COCO-style detections out.

Needs numpy, OpenCV, pydantic and onnxruntime only.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rest_service.letterbox import boxes_to_original, decode_image, letterbox, to_network_input
from rest_service.served_model import ServedModel

# onnxruntime decides at import whether it sends usage data; nothing here may leave the machine.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import onnxruntime as ort

PREFERRED_PROVIDERS = ("CUDAExecutionProvider", "CPUExecutionProvider")
Timed = Callable[[str], AbstractContextManager[object]]
"""Gives the block that a stage runs in: "decode", "prepare", "network" or "collect"."""

logger = logging.getLogger(__name__)


class Detector:
    """An ONNX detector with its preprocessing; safe to call from several threads."""

    def __init__(self, folder: str | Path, *, threads: int = 0, timed: Timed | None = None) -> None:
        """Load `model.onnx` and `model.json` of `folder`.

        `threads` 0 leaves the number to onnxruntime; `timed` may watch how long the stages of a prediction take.
        """
        folder = Path(folder)
        self.model = ServedModel.load(folder)
        self.timed = timed or _untimed
        self._session = _open_session(folder / "model.onnx", threads=threads)

    @property
    def execution_provider(self) -> str:
        """The provider that really runs the model, for example CPUExecutionProvider."""
        return str(self._session.get_providers()[0])

    @property
    def version(self) -> dict[str, str]:
        """Versions of service, model and dataset, and the execution provider in use."""
        return {
            "service_version": self.model.service_version,
            "model_name": self.model.model_name,
            "model_run": self.model.model_run,
            "dataset_run": self.model.dataset_run,
            "execution_provider": self.execution_provider,
        }

    @property
    def categories(self) -> list[dict[str, Any]]:
        """The classes as COCO categories."""
        return [{"id": i, "name": n} for i, n in zip(self.model.category_ids, self.model.classes, strict=True)]

    def predict(
        self,
        data: bytes,
        *,
        file_name: str = "image",
        min_score: float | None = None,
        max_detections: int | None = None,
        classes: Collection[int] | None = None,
    ) -> dict[str, Any]:
        """Detect objects in the bytes of an image file.

        Returns COCO-style `file_name`, `width`, `height`, `annotations` and `categories`, with `service_version` and
        `model_run`; a bbox is x, y, width, height in pixels of the image as uploaded, turned upright; best scores come
        first. `min_score` replaces the packed threshold, `max_detections` keeps the best, `classes` keeps category ids.
        Raises ValueError when the bytes are not a readable image.
        """
        with self.timed("decode"):
            image = decode_image(data)
        boxes, scores, labels = self._detect(image)
        with self.timed("collect"):
            height, width = image.shape[:2]
            # A box that lies wholly in the padding has no area left once it is clipped to the image.
            kept = (boxes[:, 2:] > boxes[:, :2]).all(axis=1)
            kept &= scores >= (self.model.min_score if min_score is None else min_score)
            if classes is not None:
                kept &= np.isin(labels, [place for place, i in enumerate(self.model.category_ids) if i in classes])
            places = np.flatnonzero(kept)[:max_detections]
            annotations = self._annotations(boxes[places], scores[places], labels[places])
        return {
            "file_name": file_name,
            "width": width,
            "height": height,
            "annotations": annotations,
            "categories": self.categories,
            "service_version": self.model.service_version,
            "model_run": self.model.model_run,
        }

    def _detect(self, image: NDArray[np.uint8]) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
        with self.timed("prepare"):
            padded, scale = letterbox(image, self.model.input_size)
            images = to_network_input(padded)[None]
        with self.timed("network"):
            dets, labels = self._session.run(["dets", "labels"], {"images": images})
        height, width = image.shape[:2]
        return boxes_to_original(dets[0, :, :4], scale, width, height), dets[0, :, 4], labels[0]

    def _annotations(self, boxes: NDArray[Any], scores: NDArray[Any], labels: NDArray[Any]) -> list[dict[str, Any]]:
        found = []
        for number, (box, score, label) in enumerate(
            zip(boxes.tolist(), scores.tolist(), labels.tolist(), strict=True)
        ):
            x1, y1, x2, y2 = box
            found.append(
                {
                    "id": number + 1,
                    "image_id": 1,
                    "category_id": self.model.category_ids[label],
                    "category_name": self.model.classes[label],
                    "bbox": [round(x1, 2), round(y1, 2), round(x2 - x1, 2), round(y2 - y1, 2)],
                    "score": round(score, 6),
                    "area": round((x2 - x1) * (y2 - y1), 2),
                }
            )
        return found


def _untimed(_stage: str) -> AbstractContextManager[object]:
    return nullcontext()


def _open_session(path: Path, *, threads: int) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    # A thread that waits by spinning takes the core from the image beside it, and from whoever shares the machine.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    wanted = [name for name in PREFERRED_PROVIDERS if name in ort.get_available_providers()]
    if wanted[0] == "CUDAExecutionProvider":
        ort.preload_dlls(directory="")  # CUDA's libraries may be Python packages, where no loader looks
    session = ort.InferenceSession(str(path), options, providers=wanted)
    used = session.get_providers()[0]
    if used != wanted[0]:
        logger.warning("onnxruntime offers %s but could not start it: the model runs on %s", wanted[0], used)
    return session
