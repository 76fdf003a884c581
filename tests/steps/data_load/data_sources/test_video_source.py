"""Videos as a source: frames become images of the dataset, with the video, the time and the source kept."""

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from coco_fetch import fetch_dataset
from fetch_params import FetchParams
from sinara_lib.errors import DataError
from video_cases import HEIGHT, WIDTH, grey, write_video


def load(tmp_path: Path, **params: Any) -> tuple[list[str], dict[str, Any]]:
    """Load a source; return the names of the image files and the document."""
    loaded = fetch_dataset(FetchParams(**params), tmp_path / "work")
    assert sorted(path.name for path in loaded.images.iterdir()) == sorted(loaded.names)
    return sorted(loaded.names), json.loads((loaded.annotations / "instances.json").read_text())


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    """A folder with two videos of ten frames, a tenth of a second apart."""
    folder = tmp_path / "cameras"
    for place in ("north", "south"):
        (folder / place).mkdir(parents=True)
        write_video(folder / place / "road.mp4", grey(*range(20, 220, 20)))
    return folder


def test_a_folder_of_videos_becomes_images_in_groups(tmp_path: Path, videos: Path) -> None:
    names, document = load(tmp_path, images_url=str(videos), frames={"per_second": 2})
    assert names == [f"{place}__road_{number:06d}.jpg" for place in ("north", "south") for number in (0, 5)]
    assert document["annotations"] == document["categories"] == []
    assert [(one["width"], one["height"]) for one in document["images"]] == [(WIDTH, HEIGHT)] * 4
    assert [one["time"] for one in document["images"]] == pytest.approx([0.0, 0.5] * 2, abs=1e-3)
    north, south = (f"{videos}/{place}/road.mp4" for place in ("north", "south"))
    assert [one["group"] for one in document["images"]] == [north, north, south, south]
    assert [one["source"] for one in document["images"]] == [north, north, south, south]


def test_the_same_video_gives_the_same_files(tmp_path: Path, videos: Path) -> None:
    video = str(videos / "north" / "road.mp4")
    states = []
    for attempt in ("one", "two"):
        (tmp_path / attempt).mkdir()
        loaded = fetch_dataset(FetchParams(images_url=video, frames={"every": 4}), tmp_path / attempt)
        states.append({p.name: (p.read_bytes(), p.stat().st_mtime_ns) for p in loaded.images.iterdir()})
    assert states[0] == states[1]
    assert list(sorted(states[0])) == ["road_000000.jpg", "road_000004.jpg", "road_000008.jpg"]


def test_annotations_of_frames_keep_their_boxes_and_gain_time_and_group(tmp_path: Path, videos: Path) -> None:
    labels = tmp_path / "labels.json"
    image = {"id": 7, "file_name": "road_000005.jpg", "width": WIDTH, "height": HEIGHT}
    box = {"id": 1, "image_id": 7, "category_id": 3, "bbox": [1, 2, 30, 20], "area": 600, "iscrowd": 0}
    labels.write_text(json.dumps({"images": [image], "annotations": [box], "categories": [{"id": 3, "name": "car"}]}))
    archive = tmp_path / "videos.zip"
    with zipfile.ZipFile(archive, "w") as zipped:
        zipped.write(videos / "south" / "road.mp4", "day/road.mp4")
    names, document = load(tmp_path, images_url=str(archive), annotations_url=str(labels), frames={"every": 5})
    assert names == ["road_000000.jpg", "road_000005.jpg"]
    (found,) = document["images"]
    assert found["group"] == f"{archive}/day/road.mp4"
    assert found["time"] == pytest.approx(0.5, abs=1e-3)
    assert document["annotations"][0]["bbox"] == [1, 2, 30, 20]


def test_videos_of_one_name_side_by_side_keep_apart(tmp_path: Path) -> None:
    folder = tmp_path / "both"
    folder.mkdir()
    for suffix in (".mp4", ".mkv"):
        write_video(folder / f"road{suffix}", grey(50, 60))
    names, _ = load(tmp_path, images_url=str(folder), frames={"every": 2})
    assert names == ["road.mkv_000000.jpg", "road.mp4_000000.jpg"]


def test_videos_without_a_choice_and_a_choice_without_videos_are_told(tmp_path: Path, videos: Path) -> None:
    with pytest.raises(DataError, match=r"2 videos, such as north/road\.mp4.*Set the parameter frames"):
        load(tmp_path / "a", images_url=str(videos))
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    (pictures / "a.jpg").write_bytes(b"")
    with pytest.raises(DataError, match="holds no video"):
        load(tmp_path / "b", images_url=str(pictures), frames={"every": 1})


def test_a_broken_video_is_named_by_its_place_in_the_archive(tmp_path: Path) -> None:
    archive = tmp_path / "videos.zip"
    with zipfile.ZipFile(archive, "w") as zipped:
        zipped.writestr("night/road.mp4", b"no video at all")
    with pytest.raises(DataError, match=r"videos\.zip/night/road\.mp4: cannot be decoded"):
        load(tmp_path, images_url=str(archive), frames={"every": 1})
