"""Frames of a video as image files: every N-th, some per second, or one per scene."""

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from sinara_lib.errors import DataError
from sinara_lib.progress import progress
from source_params import FrameParams

VIDEO_SUFFIXES = frozenset({".mp4", ".avi", ".mkv", ".mov", ".m4v", ".webm"})
JPEG_QUALITY = 95
SHORTEST_SCENE = 0.5
"""Seconds; cuts that follow faster are flashes."""

LONGEST_STILL = 1.0
"""Seconds that the last frame may stand; a video that says it is longer than that was cut off."""

Picture: TypeAlias = NDArray[np.uint8]
Wanted: TypeAlias = Callable[[int, float, Picture], bool]
"""Tells of each frame in turn (number from 0, seconds since the first, upright BGR) whether it is taken."""


@dataclass(frozen=True)
class VideoFrame:
    """One frame that was written: its file name, size in pixels, and seconds since the video's first frame."""

    file_name: str
    width: int
    height: int
    time: float


def is_video(name: str) -> bool:
    """Tell by its name whether a file is a video."""
    return Path(name).suffix.lower() in VIDEO_SUFFIXES


def write_frames(video: Path, folder: Path, choice: FrameParams, *, prefix: str, shown: str) -> list[VideoFrame]:
    """Write the chosen frames of a video, upright, as JPEG files `<prefix>_<number of the frame>.jpg` into `folder`.

    `shown` is what errors call the video. Raises DataError for a file that is no video, holds no frame, or cannot be
    decoded to its end; what was written until then stays in `folder`.
    """
    wanted, written = _rule(choice), []
    for number, (time, picture) in enumerate(progress(_frames(video, shown=shown), label=prefix, unit="frame")):
        if not wanted(number, time, picture):
            continue
        name = f"{prefix}_{number:06d}.jpg"
        if not cv2.imwrite(str(folder / name), picture, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]):
            raise DataError(f"{folder / name} cannot be written: check that there is room and that it may be written.")
        written.append(VideoFrame(name, picture.shape[1], picture.shape[0], round(time, 6)))
    if not written:
        raise DataError(f"{shown}: holds no frame that can be shown. Check the file, or leave it out.")
    return written


def _frames(video: Path, *, shown: str) -> Iterator[tuple[float, Picture]]:
    """Yield seconds since the first frame and the upright picture of each frame, in the order they are shown."""
    count, first, time = 0, None, 0.0
    try:
        with av.open(str(video)) as container:
            if not container.streams.video:
                raise DataError(f"{shown}: holds no video stream. Check the file, or leave it out.")
            stream = container.streams.video[0]
            stream.thread_type = "AUTO"
            stream.codec_context.options = {"err_detect": "explode"}  # or damage is painted over
            for frame in container.decode(stream):
                time = frame.time if frame.time is not None else count / float(stream.average_rate or 25)
                first = time if first is None else first
                yield time - first, _upright(frame)
                count += 1
            promised = _promised_seconds(container, stream)
    except (av.error.FFmpegError, ValueError) as error:
        raise DataError(
            f"{shown}: cannot be decoded after {count} frames: {error}. Convert it anew, or leave it out."
        ) from error
    if first is not None and promised - (time - first) > max(LONGEST_STILL, promised * 0.02):
        raise DataError(
            f"{shown}: breaks off at {time - first:.1f} s of {promised:.1f} s. Convert it anew, or leave it out."
        )


def _promised_seconds(container: av.container.InputContainer, stream: av.VideoStream) -> float:
    """Return how long the video says it is, 0 when it does not; other streams may be longer than the pictures."""
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    alone = len(container.streams) == 1 and container.duration is not None
    return container.duration / av.time_base if alone else 0.0


def _upright(frame: av.VideoFrame) -> Picture:
    """Return the frame as BGR, rotated as its display matrix says."""
    picture = frame.to_ndarray(format="bgr24")
    turns = round(frame.rotation / 90) % 4  # counter-clockwise, as numpy turns
    return np.ascontiguousarray(np.rot90(picture, turns))


def _rule(choice: FrameParams) -> Wanted:
    if choice.every is not None:
        step = choice.every
        return lambda number, time, picture: number % step == 0
    if choice.per_second is not None:
        return _first_of_each_interval(choice.per_second)
    assert choice.scene_change is not None  # noqa: S101 - the model lets exactly one be given
    return _first_of_each_scene(choice.scene_change)


def _first_of_each_interval(per_second: float) -> Wanted:
    seen = -1

    def wanted(number: int, time: float, picture: Picture) -> bool:
        nonlocal seen
        interval = int(time * per_second + 1e-6)
        new = interval > seen
        seen = max(seen, interval)
        return new

    return wanted


def _first_of_each_scene(threshold: float) -> Wanted:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tqdm's, in notebooks without widgets
        from scenedetect import FrameTimecode
        from scenedetect.detector import FlashFilter
        from scenedetect.detectors import ContentDetector

    detector = ContentDetector(threshold, min_scene_len=SHORTEST_SCENE, filter_mode=FlashFilter.Mode.SUPPRESS)

    def wanted(number: int, time: float, picture: Picture) -> bool:
        cuts = detector.process_frame(FrameTimecode(time, fps=1000.0), picture)
        return number == 0 or bool(cuts)

    return wanted
