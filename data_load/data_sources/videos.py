"""The videos of a source become images of it, with the video, the time and the source kept for each frame."""

import shutil
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

from data_sources.frames import write_frames
from data_sources.gathering import Gathered
from sinara_lib.errors import DataError
from sinara_lib.vision.coco import CocoDataset, CocoImage
from source_params import FrameParams


def take_frames(gathered: Gathered, choice: FrameParams | None, folder: Path) -> None:
    """Write the chosen frames of all videos into `folder` and add them to the images.

    Frames of `a/clip.mp4` get the paths `a/clip_000010.jpg`, or `a/clip.mp4_000010.jpg` where `a/clip.mkv` lies beside
    it. A frame is as old as its video. Raises DataError when there are videos and no choice, or the other way round.
    """
    if not gathered.videos and choice is None:
        return
    if choice is None:
        path, video = next(iter(gathered.videos.items()))
        raise DataError(
            f"{video.source}: {len(gathered.videos)} videos, such as {path}, and nothing says which frames become "
            f'images. Set the parameter frames, for example {{"per_second": 1}}.'
        )
    if not gathered.videos:
        raise DataError(
            "The parameter frames is set, but the source holds no video. Leave it out, or check images_url."
        )
    stems = Counter(PurePosixPath(path).with_suffix("") for path in gathered.videos)
    for path, video in gathered.videos.items():
        pure = PurePosixPath(path)
        prefix = pure.name if stems[pure.with_suffix("")] > 1 else pure.stem
        target = folder / "frames" / video.file.name
        target.mkdir(parents=True)
        for frame in write_frames(video.file, target, choice, prefix=prefix, shown=video.source):
            file = target / frame.file_name
            shutil.copystat(video.file, file)
            key = pure.with_name(frame.file_name).as_posix()
            gathered.images[key] = file
            gathered.frames[key] = {"group": video.source, "source": video.source, "time": frame.time}
            gathered.frame_sizes[key] = (frame.width, frame.height)


def unlabelled(gathered: Gathered, flat: Mapping[str, str]) -> CocoDataset:
    """Return a document of the frames alone: no annotations, no classes."""
    images = tuple(
        CocoImage(number, flat[path], *gathered.frame_sizes[path])
        for number, path in enumerate(gathered.frames, start=1)
    )
    return CocoDataset(images, (), (), {"description": "Frames of videos, not labelled"})


def with_frames(dataset: CocoDataset, frames: Mapping[str, Mapping[str, Any]]) -> CocoDataset:
    """Return the document with what is known of each frame, by file name; what the document says itself stays."""
    if not frames:
        return dataset
    images = (replace(one, extra={**frames.get(one.file_name, {}), **one.extra}) for one in dataset.images)
    return replace(dataset, images=tuple(images))
