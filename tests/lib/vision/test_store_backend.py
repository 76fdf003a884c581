"""store_backend: mmengine and mmdet read archives of any store as they read folders, and cannot write to them."""

import json
import multiprocessing
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from mmengine import fileio

from sinara_lib.archive import pack
from sinara_lib.errors import ArtifactCorruptError, ArtifactNotFoundError, DataError, LayoutError
from sinara_lib.layout import RunAddress
from sinara_lib.store import ArtifactStore
from sinara_lib.vision import store_backend
from sinara_lib.vision.mmcv_ops import ensure_mmcv_ops
from sinara_lib.vision.store_backend import store_path

ensure_mmcv_ops()

from mmcv.transforms import LoadImageFromFile  # noqa: E402  (can be imported only now)
from mmdet.datasets import CocoDataset  # noqa: E402
from mmdet.datasets.transforms import LoadAnnotations  # noqa: E402
from mmdet.evaluation import CocoMetric  # noqa: E402

DOCUMENT = {
    "images": [{"id": 1, "file_name": "deep/é 1.png", "width": 8, "height": 6}],
    "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 1, 4, 3], "area": 12, "iscrowd": 0}],
    "categories": [{"id": 1, "name": "car"}],
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A dataset of one picture as data_prep lays it out."""
    picture = np.random.default_rng(1).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    (tmp_path / "data" / "images" / "deep").mkdir(parents=True)
    (tmp_path / "data" / "images" / "deep" / "é 1.png").write_bytes(cv2.imencode(".png", picture)[1].tobytes())
    (tmp_path / "data" / "annotations.json").write_text(json.dumps(DOCUMENT), encoding="utf-8")
    return tmp_path / "data"


@pytest.fixture
def archive(folder: Path, url: str) -> str:
    """URL of the dataset as an archive."""
    pack(folder, url)
    return url


@pytest.fixture(params=["path", "argument"])
def place(request: pytest.FixtureRequest, archive: str) -> tuple[str, dict[str, str] | None]:
    """The archive as a folder's path with what `backend_args` must say: the two ways to name it."""
    if request.param == "path":
        return store_path(archive), None
    return "sinara://", {"backend": "sinara", "archive": archive}


def _dataset(root: str, arguments: dict[str, str] | None) -> Any:
    return CocoDataset(
        data_root=root,
        ann_file="annotations.json",
        data_prefix={"img": "images/"},
        metainfo={"classes": ("car",)},
        pipeline=[
            {"type": LoadImageFromFile, "backend_args": arguments},
            {"type": LoadAnnotations, "with_bbox": True},
        ],
        backend_args=arguments,
    )


def test_mmdets_dataset_gives_what_it_gives_from_a_folder(place: tuple[str, Any], folder: Path) -> None:
    found, expected = _dataset(*place)[0], _dataset(str(folder), None)[0]

    np.testing.assert_array_equal(found["img"], expected["img"])
    assert found["gt_bboxes"].tensor.tolist() == expected["gt_bboxes"].tensor.tolist() == [[1, 1, 5, 4]]
    assert found["img_path"].endswith("images/deep/é 1.png")


def test_mmdets_metric_reads_its_ground_truth(place: tuple[str, Any]) -> None:
    root, arguments = place
    metric = CocoMetric(ann_file=fileio.join_path(root, "annotations.json"), metric="bbox", backend_args=arguments)

    assert metric._coco_api.dataset["categories"] == DOCUMENT["categories"]


def test_bytes_and_text_and_a_local_copy_are_those_of_the_file(place: tuple[str, Any], folder: Path) -> None:
    root, arguments = place
    path = fileio.join_path(root, "annotations.json")
    data = (folder / "annotations.json").read_bytes()

    assert fileio.get(path, backend_args=arguments) == data
    assert fileio.get_text(path, backend_args=arguments) == data.decode()
    with fileio.get_local_path(path, backend_args=arguments) as copy:
        assert Path(copy).name == "annotations.json"
        assert Path(copy).read_bytes() == data
    assert not Path(copy).exists()


def test_what_is_there_is_told_from_what_is_not(place: tuple[str, Any]) -> None:
    root, arguments = place
    told = {
        name: (
            fileio.exists(path := fileio.join_path(root, name), backend_args=arguments),
            fileio.isfile(path, backend_args=arguments),
            fileio.isdir(path, backend_args=arguments),
        )
        for name in ("annotations.json", "images", "images/deep/", "images/deep/é 1.png", "imag", "images/2.png")
    }
    assert told == {
        "annotations.json": (True, True, False),
        "images": (True, False, True),
        "images/deep/": (True, False, True),
        "images/deep/é 1.png": (True, True, False),
        "imag": (False, False, False),
        "images/2.png": (False, False, False),
    }


def test_an_archive_that_is_not_there_holds_no_file(archive: str) -> None:
    path = f"{store_path(archive)}_2/annotations.json"

    assert not fileio.exists(path)
    with pytest.raises(ArtifactNotFoundError, match="files_2 is not a committed entity"):
        fileio.get(path)


def test_a_file_that_is_not_there_is_named(archive: str) -> None:
    with pytest.raises(ArtifactNotFoundError, match=r"has no file 'images/9\.png'"):
        fileio.get(f"{store_path(archive)}/images/9.png")


def test_a_changed_file_is_refused(archive: str, store: ArtifactStore, run: RunAddress) -> None:
    path = f"{store.root}/{run.entity('files').path}/part-00000.parquet"
    data = bytearray(store.fs.cat_file(path))
    data[data.index(b"bbox")] ^= 1
    store.fs.pipe_file(path, bytes(data))

    with pytest.raises(ArtifactCorruptError, match="sha256"):
        fileio.get(f"{store_path(archive)}/annotations.json")


@pytest.mark.parametrize(
    "path", ["sinara+s3://bucket/x.jpg", "sinara+s3://bucket/p/z/s/run-26-11-21-013711-482", "sinara://images/x.jpg"]
)
def test_a_path_outside_of_any_archive_is_refused_with_what_to_write(path: str) -> None:
    with pytest.raises(LayoutError, match=r"is no file of an archive: expected <root>/.*backend_args"):
        fileio.get(path)


@pytest.mark.parametrize(
    "write",
    [
        lambda path: fileio.put(b"x", path),
        lambda path: fileio.put_text("x", path),
        fileio.remove,
        fileio.rmtree,
        lambda path: fileio.copyfile(path, path),
        lambda path: fileio.copyfile_from_local(__file__, path),
        fileio.list_dir_or_file,
    ],
)
def test_what_changes_an_archive_is_refused(archive: str, write: Callable[[str], object]) -> None:
    path = f"{store_path(archive)}/annotations.json"

    with pytest.raises(DataError, match="what is committed never changes"):
        list(write(path) or [])
    assert json.loads(fileio.get(path)) == DOCUMENT


def _read(path: str, answers: Any) -> None:
    answers.put((fileio.get(path), os.getpid()))


@pytest.mark.parametrize(
    ("root", "start"),
    [("file", "fork"), ("memory", "fork"), ("s3", "fork"), ("file", "spawn"), ("s3", "spawn")],
    indirect=["root"],
)
def test_another_process_reads_through_a_connection_of_its_own(archive: str, folder: Path, start: str) -> None:
    path = f"{store_path(archive)}/annotations.json"
    fileio.get(path)
    context = multiprocessing.get_context(start)
    answers = context.Queue()
    worker = context.Process(target=_read, args=(path, answers))
    worker.start()
    data, process = answers.get(timeout=60)
    worker.join()

    assert (data, worker.exitcode) == ((folder / "annotations.json").read_bytes(), 0)
    assert process != os.getpid()
    assert fileio.get(path) == data


def test_an_archive_is_opened_once_and_not_too_many_stay_open(archive: str) -> None:
    fileio.get(f"{store_path(archive)}/annotations.json")
    before = store_backend._opened.cache_info()
    fileio.get(f"{store_path(archive)}/annotations.json")
    after = store_backend._opened.cache_info()

    assert (after.hits, after.misses) == (before.hits + 1, before.misses)
    assert after.maxsize == store_backend.OPEN_ARCHIVES
