"""Makes the pictures that recipes describe: decodes each source once, and writes what comes of it."""

import os
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

import cv2

from dataset_conversion.augment import Pixels, change_pixels
from dataset_conversion.conversion import ImageRecipe
from sinara_lib.archive import ArchiveReader
from sinara_lib.errors import DataError
from sinara_lib.parallel import Check, core_count, in_threads
from sinara_lib.progress import progress
from sinara_lib.vision.letterbox import decode_image

_JPEG_QUALITY = 95


def make_picture(source: Pixels, recipe: ImageRecipe) -> Pixels:
    """Return the picture of a recipe from the decoded source, BGR."""
    image = source
    if (image.shape[1], image.shape[0]) != recipe.size:
        image = cv2.resize(image, recipe.size, interpolation=cv2.INTER_AREA)
    if recipe.window is not None:
        left, top, width, height = recipe.window
        image = image[top : top + height, left : left + width]
    return image if recipe.change is None else change_pixels(image, recipe.change)


def encode_picture(image: Pixels, name: str) -> bytes:
    """Return the file of a picture: JPEG of quality 95 where the name says so, else PNG."""
    is_jpeg = PurePosixPath(name).suffix.lower() in {".jpg", ".jpeg"}
    done, data = (
        cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
        if is_jpeg
        else cv2.imencode(".png", image)
    )
    if not done:
        raise DataError(f"{name}: a picture of {image.shape[1]} x {image.shape[0]} pixels cannot be written.")
    return bytes(data)


def write_pictures(recipes: Mapping[str, ImageRecipe], files: ArchiveReader, folder: Path) -> None:
    """Write the pictures of `recipes` below `folder` by their names, with the times of their sources.

    All cores work; in memory are the sources that one thread reads together, 4 MiB, and one decoded picture each.
    """
    by_source: dict[str, list[str]] = {}
    for name, recipe in recipes.items():
        by_source.setdefault(recipe.source, []).append(name)
    batches = files.batches(by_source)

    def write(batch: list[str], check: Check) -> int:
        for source, data in zip(batch, files.read_many(batch), strict=True):
            check()
            decoded, time = decode_image(data), files.places(source)[0].mtime_us * 1000
            for name in by_source[source]:
                path = folder / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(encode_picture(make_picture(decoded, recipes[name]), name))
                os.utime(path, ns=(time, time))
        return len(batch)

    with progress(label="convert images", total=sum(map(len, batches)), unit="image") as bar:
        for count in in_threads(write, batches, threads=core_count()):
            bar.update(count)
