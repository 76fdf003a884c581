"""Little data, one video and many empty images are split too, or the message names the parameter that helps."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataset_report.stats import absent_words, measure_parts
from dataset_split import split_dataset, time_stretches
from prep_cases import box, dataset_of, picture
from prep_params import Fractions, PrepParams, SplitOptions
from sinara_lib.errors import DataError
from sinara_lib.vision.coco import CocoDataset
from split_memory import record_split

_FRACTIONS = {"train": 0.7, "eval": 0.15, "test": 0.15}


def _with_objects(count: int, *, empty: int) -> CocoDataset:
    return dataset_of([picture(n) for n in range(1, count + empty + 1)], [box(n, image=n) for n in range(1, count + 1)])


def _video(frames: int, name: str = "a.mp4") -> CocoDataset:
    extra = {"group": name, "source": name}
    images = [
        picture(n, file_name=f"{name}/frame_{n}.jpg", extra=extra | {"time": n / 25}) for n in range(1, frames + 1)
    ]
    return dataset_of(images, [box(one.id, image=one.id) for one in images])


@pytest.mark.parametrize(("objects", "empty"), [(7, 3), (3, 2), (3, 7), (3, 1), (10, 10), (4, 16)])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_each_part_has_objects_where_there_are_three_images_with_some(objects: int, empty: int, seed: int) -> None:
    parts = split_dataset(_with_objects(objects, empty=empty), _FRACTIONS, seed=seed)
    assert all(part.annotations for _, part in parts.items())


@settings(max_examples=60, deadline=None)
@given(objects=st.integers(3, 12), empty=st.integers(0, 20), seed=st.integers(0, 99))
def test_empty_images_never_take_the_only_places(objects: int, empty: int, seed: int) -> None:
    parts = split_dataset(_with_objects(objects, empty=empty), _FRACTIONS, seed=seed)
    assert all(part.annotations for _, part in parts.items())
    assert sum(len(part.images) for _, part in parts.items()) == objects + empty


def test_one_video_is_refused_with_the_parameters_that_help() -> None:
    with pytest.raises(DataError, match=r"40 are in one with a\.mp4/frame_") as caught:
        split_dataset(_video(40), _FRACTIONS, seed=1)
    assert "time_stretch" in str(caught.value)
    assert '{"image_nearly_repeated": "keep"}' in str(caught.value)


def test_one_video_is_split_by_stretches_of_time() -> None:
    parts = split_dataset(_video(40), _FRACTIONS, seed=1, time_stretch=5)
    for _, part in parts.items():
        numbers = sorted(image.id for image in part.images)
        stretches = {(number - 1) // 5 for number in numbers}
        assert numbers == [n for stretch in sorted(stretches) for n in range(5 * stretch + 1, 5 * stretch + 6)]
    assert [len(part.images) for _, part in parts.items()] == [30, 5, 5]


def test_stretches_follow_time_and_numbers_by_their_value_and_each_sequence_for_itself() -> None:
    names = ["cam1/9.jpg", "cam1/10.jpg", "cam1/11.jpg", "cam2/1.jpg", "b.jpg"]
    stretches = time_stretches([picture(n, file_name=name) for n, name in enumerate(names, 1)], 2)
    assert len(set(stretches.values())) == 4
    assert stretches["cam1/9.jpg"] == stretches["cam1/10.jpg"] != stretches["cam1/11.jpg"]
    backwards = [replace(one, extra=one.extra | {"time": -one.id}) for one in _video(4).images]
    by_time = time_stretches(backwards, 2)
    assert by_time["a.mp4/frame_4.jpg"] == by_time["a.mp4/frame_3.jpg"] == "group a.mp4, stretch 0"


def test_appended_frames_leave_earlier_stretches_as_they_are() -> None:
    short, long = (time_stretches(_video(count).images, 5) for count in (10, 23))
    assert all(long[name] == stretch for name, stretch in short.items())


def test_a_split_by_stretches_is_remembered_as_such_and_one_without_as_ever() -> None:
    splits = split_dataset(_video(40), _FRACTIONS, seed=1, time_stretch=5)
    for stretch, keys in ((None, ["seed", "fractions", "parts"]), (5, ["seed", "fractions", "time_stretch", "parts"])):
        record = record_split(
            splits, None, SplitOptions(fractions=Fractions(**_FRACTIONS), time_stretch=stretch), run_id="run"
        )
        assert list(json.loads(record.as_json())) == keys
    assert PrepParams(time_stretch=5).time_stretch == 5


def test_a_class_that_a_part_does_not_show_is_named_with_what_helps(tmp_path: Path) -> None:
    video = _video(12)
    people = [picture(n) for n in range(101, 121)]
    mixed = replace(
        video,
        images=(*video.images, *people),
        annotations=(*video.annotations, *(box(one.id, image=one.id, category_id=1) for one in people)),
    )
    words = absent_words(measure_parts(split_dataset(mixed, _FRACTIONS, seed=1)))
    assert words.startswith("Not every part shows every class: eval shows no car; test shows no car.")
    assert "time_stretch" in words
    assert absent_words(measure_parts(split_dataset(mixed, _FRACTIONS, seed=1, time_stretch=2))) == ""
