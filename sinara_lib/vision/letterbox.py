"""The one image preprocessing: training, export check, service and evaluation all call it.

Needs numpy and OpenCV only, because this file is copied beside the packed service.
"""

from __future__ import annotations

from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

PAD_VALUE = 114

_ORIENTATION = 0x0112
_REFUSED = {b"avif": "AVIF", b"avis": "AVIF"} | dict.fromkeys((b"heic", b"heix", b"hevc", b"mif1", b"msf1"), "HEIC")

Image = NDArray[np.uint8]


class UnreadFormatError(ValueError):
    """The file is an image, of a kind that is not read; the message says which, and what to do."""


def decode_image(data: bytes) -> Image:
    """Decode the bytes of an image file into uint8 BGR, H x W x 3, turned upright by its EXIF orientation.

    Grey, palette, CMYK and 16-bit files become 8-bit BGR; an alpha channel is dropped. OpenCV turns JPEG, PNG and TIFF
    files itself; WebP files are rotated here, which mmdet's loader does not do. AVIF and HEIC are refused, because
    whether OpenCV reads them, and how they are rotated, depends on how it was built.
    Raises ValueError when the bytes are not an image that OpenCV can read.
    """
    if not data:
        raise ValueError("the image is empty: 0 bytes")
    if data[4:8] == b"ftyp" and data[8:12] in _REFUSED:
        raise UnreadFormatError(f"{_REFUSED[data[8:12]]} is not read; convert the image to JPEG, PNG, WebP or TIFF")
    webp = data[:4] == b"RIFF" and data[8:12] == b"WEBP"
    flags = cv2.IMREAD_COLOR | (cv2.IMREAD_IGNORE_ORIENTATION if webp else 0)
    try:
        image = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), flags)
    except cv2.error as error:
        raise ValueError(f"the image of {len(data)} bytes cannot be decoded: {error.err}") from error
    if image is None:
        raise _unread(data)
    return _upright(np.asarray(image, dtype=np.uint8), webp_orientation(data) if webp else 1)


def webp_orientation(data: bytes) -> int:
    """Return the EXIF orientation, 1 to 8, that the bytes of a WebP file ask for; upright is 1."""
    at = 12
    while at + 8 <= len(data):
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        if data[at : at + 4] == b"EXIF":
            return _exif_orientation(data[at + 8 : at + 8 + size].removeprefix(b"Exif\0\0"))
        at += 8 + size + size % 2
    return 1


def letterbox(image: Image, size: tuple[int, int]) -> tuple[Image, float]:
    """Shrink or enlarge `image` to fit `size` with its aspect kept, and pad right and below with grey 114.

    image: uint8 BGR, H x W x 3. size: (height, width) of the result in pixels.
    Returns the padded uint8 image, size x 3, and the scale (network pixels per original pixel).
    For a square size the array equals that of mmdet's Resize(keep_ratio=True) followed by Pad(114).
    """
    _check_image(image)
    height, width = size
    if height < 1 or width < 1:
        raise ValueError(f"the input size must be positive, found (height, width) = {size}")
    scale = min(height / image.shape[0], width / image.shape[1])
    new_height, new_width = _scaled(image.shape[0], scale), _scaled(image.shape[1], scale)
    resized = cv2.resize(image, (new_width, new_height), interpolation=cv2.INTER_LINEAR)
    padded = np.full((height, width, 3), PAD_VALUE, dtype=np.uint8)
    padded[:new_height, :new_width] = resized
    return padded, scale


def to_network_input(padded: Image) -> NDArray[np.float32]:
    """Lay a padded BGR image out as the network takes it: float32, 3 x H x W, values 0 to 255, not normalised."""
    return np.ascontiguousarray(padded.transpose(2, 0, 1), dtype=np.float32)


def boxes_to_original(boxes_xyxy: NDArray[Any], scale: float, width: int, height: int) -> NDArray[np.float32]:
    """Take boxes from network pixels back to the original image, clipped to it.

    boxes_xyxy: N x 4, corners in network pixels. scale: as `letterbox` returned it.
    width, height: of the original image in pixels. The exact ratio of each side is used, so that rounding of
    the resized size does not shift a box on a very narrow image.
    """
    boxes = np.array(boxes_xyxy, dtype=np.float32).reshape(-1, 4)
    boxes[:, 0::2] = np.clip(boxes[:, 0::2] * (width / _scaled(width, scale)), 0, width)
    boxes[:, 1::2] = np.clip(boxes[:, 1::2] * (height / _scaled(height, scale)), 0, height)
    return boxes


def _unread(data: bytes) -> ValueError:
    try:
        image = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        image = None
    if image is None or image.dtype in (np.uint8, np.uint16):
        return ValueError(
            f"not a readable image: {len(data)} bytes starting with {data[:8]!r}; "
            "expected a whole JPEG, PNG, BMP, WebP or TIFF file"
        )
    return UnreadFormatError(
        f"its samples are {image.dtype}, {8 * image.dtype.itemsize} bits each, which are not read; "
        "convert the image to 8 or 16 bits a channel"
    )


def _scaled(side: int, scale: float) -> int:
    return max(1, int(side * scale + 0.5))


def _exif_orientation(tiff: bytes) -> int:
    """Read the orientation from the first directory of a TIFF header, as EXIF has it."""
    order: Literal["little", "big"] = "little" if tiff[:2] == b"II" else "big"
    start = int.from_bytes(tiff[4:8], order)
    count = int.from_bytes(tiff[start : start + 2], order)
    for at in range(start + 2, min(start + 2 + 12 * count, len(tiff) - 11), 12):
        if int.from_bytes(tiff[at : at + 2], order) == _ORIENTATION:
            value = int.from_bytes(tiff[at + 8 : at + 10], order)
            return value if 1 <= value <= 8 else 1
    return 1


def _upright(image: Image, orientation: int) -> Image:
    """Turn and mirror an image as its EXIF orientation, 1 to 8, asks for."""
    if orientation >= 5:
        image = image.transpose(1, 0, 2)
    if orientation in {2, 3, 6, 7}:
        image = image[:, ::-1]
    if orientation in {3, 4, 7, 8}:
        image = image[::-1]
    return np.ascontiguousarray(image)


def _check_image(image: Image) -> None:
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or 0 in image.shape:
        raise ValueError(f"expected a uint8 image of shape H x W x 3, found {image.dtype} of shape {image.shape}")
