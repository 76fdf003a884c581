"""Decodes image files, each once and all cores at work, and keeps of each a few hundred bytes."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from dataset_checks.darkness import why_dark
from dataset_checks.likeness import GREY_SIDE, Look, describe
from dataset_checks.picture_end import is_cut_short
from sinara_lib.archive import Readable
from sinara_lib.parallel import Check, core_count, in_threads
from sinara_lib.progress import progress
from sinara_lib.vision.exif import SWAPS_SIDES, orientation_of
from sinara_lib.vision.image_size import UnknownFormatError, stated_size
from sinara_lib.vision.letterbox import decode_image

# Decoded at an eighth a JPEG keeps at least this many pixels on its shorter side, enough to tell likeness.
_LEAST_SIDE = 8 * GREY_SIDE


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """What an image file holds: width and height once upright, EXIF's orientation (1 to 8), format, bytes, look."""

    width: int
    height: int
    orientation: int
    kind: str | None
    """Pillow's name of the format; None for one that only OpenCV reads."""
    unserved: str
    """Why the service cannot read the file as it is; empty when it can."""
    dark: str
    """What makes the picture nearly black; empty when it is not."""
    sha256: bytes
    look: Look

    @property
    def swaps_sides(self) -> bool:
        """Tell whether making the picture upright exchanges width and height."""
        return self.orientation in SWAPS_SIDES


@dataclass(frozen=True, slots=True)
class _Decoded:
    """Upright width and height, orientation, format, and the picture in grey."""

    width: int
    height: int
    orientation: int
    kind: str | None
    grey: NDArray[np.uint8]


def read_pictures(files: Readable, names: Iterable[str]) -> dict[str, ImageFacts | ValueError]:
    """Decode the named files in batches, one thread per core; in memory is one batch of each thread.

    A file that cannot be used comes back as the error that says why. Names that `files` lacks are left out.
    """
    batches = files.batches(set(names))

    def read(batch: list[str], check: Check) -> list[ImageFacts | ValueError]:
        check()
        return _read_batch(files.read_many(batch))

    found: dict[str, ImageFacts | ValueError] = {}
    with progress(label="check images", total=sum(map(len, batches)), unit="image") as bar:
        for batch, pictures in zip(batches, in_threads(read, batches, threads=core_count()), strict=True):
            found.update(zip(batch, pictures, strict=True))
            bar.update(len(batch))
    return found


def _read_batch(contents: Sequence[bytes]) -> list[ImageFacts | ValueError]:
    decoded = [_decoded_or_why(data) for data in contents]
    looks = iter(describe([one.grey for one in decoded if not isinstance(one, ValueError)]))
    return [
        one if isinstance(one, ValueError) else _facts(one, data, next(looks))
        for one, data in zip(decoded, contents, strict=True)
    ]


def _facts(one: _Decoded, data: bytes, look: Look) -> ImageFacts:
    return ImageFacts(
        one.width,
        one.height,
        one.orientation,
        one.kind,
        unserved=_why_unserved(data),
        dark=why_dark(data, one.grey, kind=one.kind),
        sha256=hashlib.sha256(data).digest(),
        look=look,
    )


def _why_unserved(data: bytes) -> str:
    try:
        stated_size(data)
    except UnknownFormatError:
        return "the format"
    except ValueError:
        return "the header"
    return ""


def _decoded_or_why(data: bytes) -> _Decoded | ValueError:
    try:
        if is_cut_short(data):
            raise ValueError(f"the file of {len(data)} bytes ends before the picture does")  # noqa: TRY301
        return _decoded(data)
    except ValueError as error:
        return error


def _decoded(data: bytes) -> _Decoded:
    header = _header(data)
    if header is None:
        grey = _grey(data)
        return _Decoded(grey.shape[1], grey.shape[0], 1, None, grey)
    width, height, orientation, kind = header
    large = min(width, height) >= _LEAST_SIDE
    grey = _eighth(data) if large and kind in {"JPEG", "MPO"} else _grey(data)
    if orientation in SWAPS_SIDES:
        # A format whose EXIF the decoder passes over comes out as it lies.
        if (width - height) * (grey.shape[1] - grey.shape[0]) > 0:
            return _Decoded(width, height, 1, kind, grey)
        width, height = height, width
    return _Decoded(width, height, orientation, kind, grey)


def _grey(data: bytes) -> NDArray[np.uint8]:
    return np.asarray(cv2.cvtColor(decode_image(data), cv2.COLOR_BGR2GRAY), dtype=np.uint8)


def _eighth(data: bytes) -> NDArray[np.uint8]:
    """Decode a JPEG in grey at an eighth of its size: it is read to its last byte too, in two thirds of the time."""
    try:
        image = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), cv2.IMREAD_REDUCED_GRAYSCALE_8)
    except cv2.error as error:
        raise ValueError(f"the image of {len(data)} bytes cannot be decoded: {error.err}") from error
    if image is None:
        raise ValueError(f"not a readable JPEG of {len(data)} bytes")
    return np.asarray(image, dtype=np.uint8)


def _header(data: bytes) -> tuple[int, int, int, str] | None:
    """Read the stored size, EXIF's orientation and the format; None when Pillow does not know the format."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            kind = str(image.format)
            # Most JPEG files have none, and looking for it in vain takes longer than reading their header.
            has_exif = kind != "JPEG" or b"Exif" in data
            orientation = orientation_of(image) if has_exif else 1
            return image.width, image.height, orientation, kind
    except UnidentifiedImageError:
        return None
    except Image.DecompressionBombError as error:
        raise ValueError(f"too many pixels to be read safely: {error}") from error
    except Exception as error:
        # Pillow's readers of damaged headers raise whatever their parsing meets.
        raise ValueError(f"the header cannot be read: {error}") from error
