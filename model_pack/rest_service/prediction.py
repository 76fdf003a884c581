"""One image to one answer: checked by its header, decoded, detected; whoever asks."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from rest_service.decoding_cost import check_cost
from rest_service.detector import Detector
from rest_service.errors import RequestError
from rest_service.image_header import bad_image, check_image
from rest_service.letterbox import UnreadFormatError, decode_image
from rest_service.options import PredictOptions


class Prediction:
    """The detector behind the checks of strangers' images; safe to call from several threads."""

    def __init__(self, detector: Detector, *, max_pixels: int) -> None:
        self.detector = detector
        self._max_pixels = max_pixels
        self.category_ids = dict(zip(detector.model.classes, detector.model.category_ids, strict=True))

    def check(self, data: bytes) -> None:
        """Raise RequestError when `data` is no image that may be decoded, or one that would take too long."""
        check_cost(data, check_image(data, max_pixels=self._max_pixels))

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
        except UnreadFormatError as error:
            raise bad_image(str(error)) from error
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


_COLOURS = ((0, 159, 230), (233, 180, 86), (115, 158, 0), (66, 228, 240), (0, 94, 213), (167, 121, 204), (178, 114, 0))
"""Blue, green, red: hues that colour-blind readers tell apart, by Okabe and Ito."""
_FONT = cv2.FONT_HERSHEY_SIMPLEX
MEDIA_TYPE = "image/jpeg"
_QUALITY = 92
_LONGEST_SIDE = 65500
"""What JPEG files can hold, in pixels."""


def draw_answer(image: NDArray[np.uint8], answer: Mapping[str, Any]) -> tuple[bytes, str]:
    """Draw the annotations of an answer on `image` (uint8 BGR, H x W x 3); lowest score first.

    Returns the file and its media type: JPEG, or PNG where the image is too long for it.
    """
    canvas = image.copy()
    places = {category["id"]: place for place, category in enumerate(answer["categories"])}
    scale = max(canvas.shape[:2]) / 1000
    for one in sorted(answer["annotations"], key=lambda one: one["score"]):
        colour = _COLOURS[places[one["category_id"]] % len(_COLOURS)]
        _draw_box(canvas, one["bbox"], text=f"{one['category_name']} {one['score']:.2f}", colour=colour, scale=scale)
    kind = MEDIA_TYPE if max(canvas.shape[:2]) <= _LONGEST_SIDE else "image/png"
    options = [cv2.IMWRITE_JPEG_QUALITY, _QUALITY]
    return cv2.imencode(f".{kind.removeprefix('image/')}", canvas, options)[1].tobytes(), kind


def _draw_box(
    canvas: NDArray[np.uint8], bbox: Sequence[float], *, text: str, colour: tuple[int, int, int], scale: float
) -> None:
    x, y, right, bottom = (round(value) for value in (bbox[0], bbox[1], bbox[0] + bbox[2], bbox[1] + bbox[3]))
    cv2.rectangle(canvas, (x, y), (right, bottom), colour, max(2, round(3 * scale)), cv2.LINE_AA)
    size, thick = max(0.4, 0.7 * scale), max(1, round(1.5 * scale))
    (width, height), base = cv2.getTextSize(text, _FONT, size, thick)
    tall = height + base + thick
    top = y - tall if y >= tall else y
    left = max(0, min(x, canvas.shape[1] - width))
    cv2.rectangle(canvas, (left, top), (left + width, top + tall), colour, cv2.FILLED)
    dark = 0.114 * colour[0] + 0.587 * colour[1] + 0.299 * colour[2] > 120
    ink = (16, 16, 16) if dark else (255, 255, 255)
    cv2.putText(canvas, text, (left, top + height + thick), _FONT, size, ink, thick, cv2.LINE_AA)
