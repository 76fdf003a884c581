"""Pictures that are there twice are found, whatever was done to the copy, and never part between the splits."""

import itertools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from dataset_checks.decoding import read_pictures
from dataset_checks.duplicates import check_copies
from dataset_checks.findings import Ledger
from dataset_checks.likeness import MOST_BITS, MOST_DIFFERENCE, describe, similar_groups
from dataset_split import split_dataset
from prep_cases import box, dataset_of, picture, write_picture
from sinara_lib.vision.coco import CocoDataset
from sinara_lib.vision.coco_archive import FolderFiles

Pixels = NDArray[np.uint8]


def _again(image: Pixels, quality: int) -> Pixels:
    return np.asarray(cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], 1), np.uint8)


COPIES: dict[str, Callable[[Pixels], Pixels]] = {
    "compressed": lambda image: _again(image, 40),
    "halved": lambda image: cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA),
    "brightened": lambda image: cv2.convertScaleAbs(image, alpha=1, beta=10),
    "in grey": lambda image: cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR),
}


def _scene(seed: int) -> Pixels:
    """Soft blobs, as photographs have them."""
    coarse = np.random.default_rng(seed).integers(20, 235, (6, 8, 3), dtype=np.uint8)
    return cv2.resize(coarse, (320, 240), interpolation=cv2.INTER_CUBIC)


def _grey(image: Pixels) -> Pixels:
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), np.uint8)


@pytest.mark.parametrize("change", COPIES)
def test_a_changed_copy_is_found_among_others_and_no_other_is(change: str) -> None:
    scenes = [_scene(seed) for seed in range(40)]
    looks = describe([_grey(one) for one in [*scenes, COPIES[change](scenes[7]), COPIES[change](scenes[21])]])
    assert similar_groups(looks) == [[7, 40], [21, 41]]


def test_copies_of_copies_are_one_group_and_flat_pictures_only_with_their_own_grey() -> None:
    flat = [np.full((240, 320), grey, dtype=np.uint8) for grey in (20, 20, 90)]
    chain = [_grey(_scene(1))]
    for _ in range(3):
        chain.append(_grey(_again(cv2.cvtColor(chain[-1], cv2.COLOR_GRAY2BGR), 60)))
    assert similar_groups(describe([*flat, *chain])) == [[0, 1], [3, 4, 5, 6]]


def _compared_one_by_one(looks: list[NDArray[np.float32]]) -> list[list[int]]:
    """Groups of the pictures whose codes and frequencies are close, every pair compared."""
    bits = [one[1:] > np.median(one[1:]) for one in looks]
    contrast = [float(np.linalg.norm(one[1:])) for one in looks]
    groups = [{place} for place in range(len(looks))]
    for one, other in itertools.combinations(range(len(looks)), 2):
        apart = float(np.linalg.norm(looks[one][1:] - looks[other][1:]))
        near = apart <= MOST_DIFFERENCE * max(contrast[one], contrast[other])
        if near and (bits[one] != bits[other]).sum() <= MOST_BITS:
            joined = next(g for g in groups if one in g) | next(g for g in groups if other in g)
            groups = [group for group in groups if not group & joined] + [joined]
    return sorted(sorted(group) for group in groups if len(group) > 1)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), noise=st.floats(0, 30))
def test_groups_are_those_of_comparing_every_pair(seed: int, noise: float) -> None:
    rng = np.random.default_rng(seed)
    looks = rng.normal(0, 100, (8, 64)).repeat(4, axis=0) + rng.normal(0, noise, (32, 64))
    found = list(looks.astype(np.float32))
    assert similar_groups(found) == _compared_one_by_one(found)


def test_five_thousand_frames_of_one_still_camera_are_one_group_in_a_moment() -> None:
    rng = np.random.default_rng(1)
    frames = rng.normal(0, 1000, 64) + rng.normal(0, 5, (5000, 64))
    assert [len(group) for group in similar_groups(list(frames.astype(np.float32)))] == [5000]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Six pictures: 2 has the bytes of 1, 4 is 3 compressed anew."""
    for number in range(1, 7):
        cv2.imwrite(str(tmp_path / f"{number:03}.jpg"), _scene(number))
    (tmp_path / "002.jpg").write_bytes((tmp_path / "001.jpg").read_bytes())
    cv2.imwrite(str(tmp_path / "004.jpg"), _scene(3), [cv2.IMWRITE_JPEG_QUALITY, 60])
    return tmp_path


def _dataset() -> CocoDataset:
    annotations = [box(1, image=2), box(2, image=2), box(3, image=1), *(box(n, image=n) for n in range(4, 7))]
    annotations += [box(7, image=3), box(8, image=4)]
    return dataset_of([picture(number, width=320, height=240) for number in range(1, 7)], annotations)


def _checked(dataset: CocoDataset, folder: Path, **actions: str) -> tuple[CocoDataset, dict[str, list[str]]]:
    pictures = read_pictures(FolderFiles(folder), [image.file_name for image in dataset.images])
    ledger = Ledger(actions)
    checked = check_copies(dataset, pictures, ledger)
    return checked, {one.check.name: [e.text for e in one.examples] for one in ledger.findings() if one.count}


def test_of_equal_files_the_one_with_most_annotations_stays_and_near_copies_share_a_group(folder: Path) -> None:
    checked, found = _checked(_dataset(), folder)
    assert found == {"image_repeated": ["001.jpg and 002.jpg"], "image_nearly_repeated": ["003.jpg and 004.jpg"]}
    assert {image.id: image.extra.get("group") for image in checked.images} == {
        2: None, 3: "003.jpg", 4: "003.jpg", 5: None, 6: None,
    }  # fmt: skip
    assert [one.id for one in checked.annotations] == [1, 2, 4, 5, 6, 7, 8]
    assert _checked(checked, folder) == (checked, {})


def test_equal_files_can_be_kept_in_one_group_and_near_copies_dropped(folder: Path) -> None:
    checked, found = _checked(_dataset(), folder, image_repeated="fix", image_nearly_repeated="drop")
    assert set(found) == {"image_repeated", "image_nearly_repeated"}
    assert [(image.id, image.extra.get("group")) for image in checked.images] == [
        (1, "001.jpg"), (2, "001.jpg"), (4, None), (5, None), (6, None),
    ]  # fmt: skip
    assert _checked(checked, folder, image_repeated="fix", image_nearly_repeated="drop") == (checked, {})


def test_groups_that_copies_connect_become_one_with_all_their_members(folder: Path) -> None:
    given_groups = {3: "ride", 5: "ride", 4: "walk", 6: "walk"}
    dataset = _dataset()
    images = [replace(one, extra={"group": given_groups[one.id]} if one.id > 2 else {}) for one in dataset.images]
    checked, _ = _checked(replace(dataset, images=tuple(images)), folder)
    assert {image.id: image.extra.get("group") for image in checked.images if image.id > 2} == dict.fromkeys(
        (3, 4, 5, 6), "ride"
    )
    frames = replace(dataset, images=tuple(replace(one, extra={"group": "ride"}) for one in dataset.images))
    assert set(_checked(frames, folder)[1]) == {"image_repeated"}


def test_near_copies_never_part_between_the_splits(tmp_path: Path) -> None:
    for number in range(1, 41, 2):
        cv2.imwrite(str(tmp_path / f"{number:03}.jpg"), _scene(number))
        cv2.imwrite(str(tmp_path / f"{number + 1:03}.jpg"), _scene(number), [cv2.IMWRITE_JPEG_QUALITY, 50])
    images = [picture(number, width=320, height=240) for number in range(1, 41)]
    dataset, _ = _checked(dataset_of(images, [box(number, image=number) for number in range(1, 41)]), tmp_path)
    for _, part in split_dataset(dataset, {"train": 0.5, "eval": 0.25, "test": 0.25}, seed=1).items():
        ids = {image.id for image in part.images}
        assert ids
        assert {one + 1 if one % 2 else one - 1 for one in ids} == ids


def test_the_order_of_the_document_changes_nothing(folder: Path) -> None:
    dataset = _dataset()
    backwards = replace(dataset, images=dataset.images[::-1])
    one, other = _checked(dataset, folder)[0], _checked(backwards, folder)[0]
    assert {image.id: image.extra for image in one.images} == {image.id: image.extra for image in other.images}


def test_pictures_of_the_other_tests_are_not_alike(tmp_path: Path) -> None:
    for number in range(1, 61):
        write_picture(tmp_path / f"{number:03}.jpg")
    pictures = read_pictures(FolderFiles(tmp_path), [f"{number:03}.jpg" for number in range(1, 61)])
    assert similar_groups([one.look for one in pictures.values()]) == []
