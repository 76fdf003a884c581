"""Small real datasets for the tests of data_prep: pictures written to a folder and records made to fit them."""

import os
import zlib
from datetime import datetime, timezone
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2
import numpy as np

from dataset_checks.decoding import ImageFacts, read_pictures
from sinara_lib.archive import ArchiveReader, open_archive, pack
from sinara_lib.layout import StepAddress
from sinara_lib.runs.checkout import read_producer
from sinara_lib.store import store_at
from sinara_lib.store.manifest import RunRecord, RunStatus
from sinara_lib.vision.coco import CocoAnnotation, CocoCategory, CocoDataset, CocoImage
from sinara_lib.vision.coco_archive import FolderFiles

CATEGORIES = (CocoCategory(1, "person"), CocoCategory(3, "car"), CocoCategory(18, "dog"))


def write_picture(path: Path, *, width: int = 64, height: int = 48) -> None:
    """Write coarse noise of its own for each name; the name's ending chooses the format."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(zlib.crc32(path.name.encode())).integers(0, 255, (12, 16, 3), dtype=np.uint8)
    assert cv2.imwrite(str(path), cv2.resize(noise, (width, height), interpolation=cv2.INTER_NEAREST))


def picture(number: int, **changes: Any) -> CocoImage:
    """An image record that fits what `write_picture` writes."""
    fields: dict[str, Any] = {"id": number, "file_name": f"{number:03}.jpg", "width": 64, "height": 48}
    return CocoImage(**(fields | changes))


def box(number: int, *, image: int = 1, **changes: Any) -> CocoAnnotation:
    """A sound annotation of a car, changed where told."""
    fields: dict[str, Any] = {
        "id": number,
        "image_id": image,
        "category_id": 3,
        "bbox": (5.0 + number, 6.0, 20.0, 10.0),
        "area": 200.0,
    }
    return CocoAnnotation(**(fields | changes))


def read_picture(data: bytes) -> ImageFacts:
    """What the step reads of one image file; its error where it refuses it."""
    with TemporaryDirectory() as folder:
        (Path(folder) / "picture").write_bytes(data)
        (found,) = read_pictures(FolderFiles(folder), ["picture"]).values()
    if isinstance(found, ValueError):
        raise found
    return found


def dataset_of(images: list[CocoImage], annotations: list[CocoAnnotation]) -> CocoDataset:
    """A dataset of people, cars and dogs."""
    return CocoDataset(tuple(images), tuple(annotations), CATEGORIES)


def archive_of(files: dict[str, bytes], folder: Path) -> ArchiveReader:
    """The reader of an archive that holds these files, all of one time, in a store below the folder."""
    for name, data in files.items():
        path = folder / "files" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        os.utime(path, (1_700_000_000, 1_700_000_000))
    url = f"{new_run(folder / 'store')}/coco_datasets_images"
    pack(folder / "files", url)
    return open_archive(url)


def new_run(root: Path) -> str:
    """The URL of a new run at work in a store."""
    store, now = store_at(f"file://{root}"), datetime(2026, 11, 21, tzinfo=timezone.utc)
    record = RunRecord(run_id="", status=RunStatus.RUNNING, started=now, producer=read_producer(Path.cwd()))
    return store.url_of(store.start_run(StepAddress("p", "z", "s"), record, now=now))
