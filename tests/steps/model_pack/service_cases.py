"""A service in this process, and the requests that tests send to it."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from starlette.testclient import TestClient

from rest_service.detector import Detector
from rest_service.prediction import Prediction
from rest_service.settings import ServiceSettings
from rest_service.worker import Worker

FORM = "multipart/form-data; boundary=cut"
END = b"\r\n--cut--\r\n"


def open_service(folder: Path, settings: ServiceSettings | None = None) -> TestClient:
    """A client of the warmed-up service in `folder`, in this process; `client.app` is its Worker."""
    settings = settings or ServiceSettings()
    prediction = Prediction(Detector(folder / "artifacts", threads=1), max_pixels=settings.max_pixels)
    front = Worker(prediction, settings=settings, folder=folder)
    asyncio.run(front.warm_up())
    assert front.readiness.reason == ""
    return TestClient(front, raise_server_exceptions=False)


def form(content: bytes, *, field: str = "image", file_name: str | None = "test_image.png", kind: str = "") -> bytes:
    """A multipart body with one part: a file, or text when `file_name` is None."""
    name = f'; filename="{file_name}"' if file_name is not None else ""
    head = f'--cut\r\nContent-Disposition: form-data; name="{field}"{name}\r\n'
    head += f"Content-Type: {kind}\r\n" if kind else ""
    return head.encode() + b"\r\n" + content + END


def joined(*forms: bytes) -> bytes:
    """One multipart body with the parts of several."""
    return b"\r\n".join(one[: -len(END)] for one in forms) + END


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    """The file that Pillow writes of a picture."""
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def odd_images(picture: Image.Image) -> dict[str, bytes]:
    """A picture in the kinds of files that strangers send."""
    frames = {"save_all": True, "append_images": [picture.rotate(180), picture]}
    modes: dict[str, Callable[[], bytes]] = {
        "grey jpeg": lambda: encoded(picture.convert("L"), "JPEG"),
        "grey png with alpha": lambda: encoded(picture.convert("LA"), "PNG"),
        "black and white png": lambda: encoded(picture.convert("1"), "PNG"),
        "rgba png": lambda: encoded(picture.convert("RGBA"), "PNG"),
        "rgba webp": lambda: encoded(picture.convert("RGBA"), "WEBP"),
        "palette png": lambda: encoded(picture.convert("P"), "PNG"),
        "cmyk jpeg": lambda: encoded(picture.convert("CMYK"), "JPEG"),
        "cmyk tiff": lambda: encoded(picture.convert("CMYK"), "TIFF"),
        "16-bit png": lambda: encoded(_sixteen_bits(picture), "PNG"),
        "16-bit tiff": lambda: encoded(_sixteen_bits(picture), "TIFF"),
        "progressive jpeg": lambda: encoded(picture, "JPEG", progressive=True),
        "gif": lambda: encoded(picture, "GIF"),
        "animated gif": lambda: encoded(picture, "GIF", **frames),
        "animated webp": lambda: encoded(picture, "WEBP", **frames),
        "animated png": lambda: encoded(picture, "PNG", **frames),
        "tiff of three pages": lambda: encoded(picture, "TIFF", **frames),
        "lossless webp": lambda: encoded(picture, "WEBP", lossless=True),
        "webp": lambda: encoded(picture, "WEBP"),
        "bmp": lambda: encoded(picture, "BMP"),
        "tiff": lambda: encoded(picture, "TIFF", compression="tiff_lzw"),
    }
    return {name: make() for name, make in modes.items()}


def _sixteen_bits(picture: Image.Image) -> Image.Image:
    return Image.fromarray(np.asarray(picture.convert("L")).astype(np.uint16) * 257)
