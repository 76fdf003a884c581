"""One image to one answer: checked by its header, decoded, detected; whoever asks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from detector import Detector
from letterbox import decode_image
from service_drawing import draw_answer
from service_errors import RequestError
from service_image import bad_image, check_image
from service_options import PredictOptions


class Prediction:
    """The detector behind the checks of strangers' images; safe to call from several threads."""

    def __init__(self, detector: Detector, *, max_pixels: int) -> None:
        self.detector = detector
        self._max_pixels = max_pixels
        self.category_ids = dict(zip(detector.model.classes, detector.model.category_ids, strict=True))

    def check(self, data: bytes) -> None:
        """Raise RequestError when the header says that `data` is no image that may be decoded; quick."""
        check_image(data, max_pixels=self._max_pixels)

    def answer(self, data: bytes, options: PredictOptions, *, file_name: str) -> dict[str, Any]:
        """Detect the objects of a checked image. Raises RequestError when it cannot be decoded after all."""
        try:
            return self.detector.predict(
                data,
                file_name=options.file_name or file_name,
                min_score=options.min_score,
                max_detections=options.max_detections,
                classes=options.classes,
            )
        except ValueError as error:
            raise bad_image("its content is cut off or broken") from error

    def answer_or_say(self, data: bytes, options: PredictOptions, *, file_name: str) -> dict[str, Any]:
        """Check and answer one image of several; what is wrong with it becomes its answer."""
        try:
            self.check(data)
            return self.answer(data, options, file_name=file_name)
        except RequestError as error:
            return {"file_name": file_name, **error.document}

    def draw(self, data: bytes, options: PredictOptions) -> tuple[bytes, str]:
        """Return the picture of a checked image with its detections drawn, and its media type."""
        answer = self.answer(data, options, file_name="image")
        return draw_answer(decode_image(data), answer)


def packed_image(folder: Path) -> Path:
    """Return the packed image of the service in `folder`."""
    (path,) = (folder / "artifacts").glob("test_image.*")
    return path


def packed_result(folder: Path) -> dict[str, Any]:
    """Return what the packed image must be answered."""
    result: dict[str, Any] = json.loads((folder / "artifacts" / "test_result.json").read_text(encoding="utf-8"))
    return result
