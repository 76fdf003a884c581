"""Frames of small videos that are made here: which are taken, when they were shown, and which way is up."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
from pydantic import ValidationError

from data_sources import frames
from data_sources.frames import is_video
from sinara_lib.errors import DataError
from source_params import FrameParams
from video_cases import CODECS, HEIGHT, WIDTH, grey, write_video


def write_frames(video: Path, folder: Path, choice: FrameParams) -> list[frames.VideoFrame]:
    """Write frames under the video's own name."""
    return frames.write_frames(video, folder, choice, prefix=video.stem, shown=video.name)


def levels(folder: Path, names: Sequence[str]) -> list[int]:
    """The mean grey of pictures, in tens."""
    return [round(float(cv2.imread(str(folder / name)).mean()), -1) // 10 for name in names]


@pytest.mark.parametrize("suffix", CODECS)
def test_every_third_frame_is_taken_with_its_number_and_time(tmp_path: Path, suffix: str) -> None:
    video = write_video(tmp_path / f"road{suffix}", grey(*range(20, 220, 20)))
    found = write_frames(video, tmp_path, FrameParams(every=3))
    assert [frame.file_name for frame in found] == [f"road_{number:06d}.jpg" for number in (0, 3, 6, 9)]
    assert [frame.time for frame in found] == pytest.approx([0.0, 0.3, 0.6, 0.9], abs=1e-3)
    assert levels(tmp_path, [frame.file_name for frame in found]) == [2, 8, 14, 20]
    assert {(frame.width, frame.height) for frame in found} == {(WIDTH, HEIGHT)}


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_frames_per_second_follow_the_times_of_a_variable_rate(tmp_path: Path, suffix: str) -> None:
    times = [0.0, 0.1, 0.2, 1.05, 1.1, 3.4, 3.45, 3.9, 4.0]
    video = write_video(tmp_path / f"road{suffix}", grey(*range(20, 200, 20)), times=times)
    found = write_frames(video, tmp_path, FrameParams(per_second=1))
    assert [frame.time for frame in found] == pytest.approx([0.0, 1.05, 3.4, 4.0], abs=2e-3)
    assert levels(tmp_path, [frame.file_name for frame in found]) == [2, 8, 12, 18]


def test_the_first_frame_of_each_scene_is_taken(tmp_path: Path) -> None:
    video = write_video(tmp_path / "road.mp4", grey(*[30] * 10, *[200] * 10, *[205] * 5, *[60] * 10))
    found = write_frames(video, tmp_path, FrameParams(scene_change=27))
    assert [frame.file_name for frame in found] == ["road_000000.jpg", "road_000010.jpg", "road_000025.jpg"]


@pytest.mark.parametrize(("turn", "side"), [(90, "bottom"), (180, "right"), (270, "top")])
def test_a_rotated_video_gives_upright_pictures(tmp_path: Path, turn: int, side: str) -> None:
    picture = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    picture[:, : WIDTH // 2] = 255  # bright on the left as stored
    video = write_video(tmp_path / "phone.mp4", [picture] * 3, turn=turn)
    (found, *_) = write_frames(video, tmp_path, FrameParams(every=1))
    seen = cv2.imread(str(tmp_path / found.file_name))
    assert (found.width, found.height) == (seen.shape[1], seen.shape[0])
    assert (found.height > found.width) == (turn != 180)
    half = {"bottom": seen[seen.shape[0] // 2 + 2 :], "top": seen[: seen.shape[0] // 2 - 2]}
    bright = half.get(side, seen[:, seen.shape[1] // 2 + 2 :])
    assert bright.mean() > 240
    assert seen.mean() < 140
    _, oracle = cv2.VideoCapture(str(video)).read()
    assert oracle.shape == seen.shape
    assert np.abs(oracle.astype(int) - seen).mean() < 8


def test_what_is_no_video_is_named(tmp_path: Path) -> None:
    text = tmp_path / "notes.mp4"
    text.write_text("no video at all")
    with pytest.raises(DataError, match=r"notes\.mp4: cannot be decoded after 0 frames"):
        write_frames(text, tmp_path, FrameParams(every=1))


@pytest.mark.parametrize("suffix", CODECS)
def test_a_video_that_was_cut_off_or_damaged_is_named(tmp_path: Path, suffix: str) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (40, HEIGHT, WIDTH, 3), dtype=np.uint8)
    whole = write_video(tmp_path / f"road{suffix}", list(noise)).read_bytes()
    middle = len(whole) // 2
    for name, data in {"torn": whole[:middle], "holed": whole[:middle] + bytes(400) + whole[middle + 400 :]}.items():
        video = tmp_path / f"{name}{suffix}"
        video.write_bytes(data)
        with pytest.raises(DataError, match=rf"{name}\{suffix}: (cannot be decoded after|breaks off at)"):
            write_frames(video, tmp_path, FrameParams(every=1))


def test_exactly_one_rule_is_given() -> None:
    for wrong in ({}, {"every": 2, "per_second": 1.0}):
        with pytest.raises(ValidationError, match="exactly one"):
            FrameParams(**wrong)


def test_videos_are_told_by_their_names() -> None:
    assert is_video("A/clip.MP4")
    assert not is_video("clip.mp4.jpg")
