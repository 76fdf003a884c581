"""The split is complete, disjoint, repeatable and fair to every class."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import zip_longest

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from dataset_split import SPLITS, Splits, group_of, hash_order, split_dataset, split_sizes
from prep_cases import box, dataset_of, picture
from sinara_lib.errors import DataError
from sinara_lib.vision.coco import CocoCategory, CocoDataset, select_images

FRACTIONS = {"train": 0.7, "eval": 0.15, "test": 0.15}


def _dataset(shown: list[list[int]], classes: int, groups: Sequence[int | None] = ()) -> CocoDataset:
    """Image i shows one object of each class listed in shown[i], and is of the group groups[i]."""
    annotations = [
        box(1000 * number + place, image=number, category_id=category)
        for number, categories in enumerate(shown, start=1)
        for place, category in enumerate(categories)
    ]
    categories = tuple(CocoCategory(number, f"class {number}") for number in range(1, classes + 1))
    images = [
        picture(number, extra={} if group is None else {"group": f"group {group}"})
        for number, (_, group) in enumerate(zip_longest(shown, groups), start=1)
    ]
    return replace(dataset_of(images, annotations), categories=categories)


@st.composite
def datasets(draw: st.DrawFn) -> CocoDataset:
    classes = draw(st.integers(1, 6))
    labels = st.lists(st.integers(1, classes), max_size=5)
    dataset = _dataset(draw(st.lists(labels, min_size=3, max_size=60)), classes)
    mixer = draw(st.randoms(use_true_random=False))
    sides = [mixer.choice((20.0, 50.0, 150.0)) for _ in dataset.annotations]
    annotations = (replace(one, bbox=(0.0, 0.0, a, a)) for one, a in zip(dataset.annotations, sides, strict=True))
    return replace(dataset, annotations=tuple(annotations))


@st.composite
def grouped_datasets(draw: st.DrawFn) -> CocoDataset:
    classes = draw(st.integers(1, 4))
    count = draw(st.integers(6, 60))
    shown = draw(st.lists(st.lists(st.integers(1, classes), max_size=4), min_size=count, max_size=count))
    groups = draw(st.lists(st.none() | st.integers(0, 8), min_size=count - 3, max_size=count - 3))
    return _dataset(shown, classes, [*groups, None, None, None])


@st.composite
def fractions(draw: st.DrawFn) -> dict[str, float]:
    evaluation, test = draw(st.floats(0.05, 0.4)), draw(st.floats(0.05, 0.4))
    return {"train": 1 - evaluation - test, "eval": evaluation, "test": test}


@settings(max_examples=150, deadline=None)
@given(dataset=datasets(), fractions=fractions(), seed=st.integers(0, 9))
def test_each_image_lies_in_exactly_one_part_with_all_its_annotations(
    dataset: CocoDataset, fractions: dict[str, float], seed: int
) -> None:
    parts = [part for _, part in split_dataset(dataset, fractions, seed=seed).items()]
    images = Counter(image for part in parts for image in (one.id for one in part.images))
    assert images == Counter(image.id for image in dataset.images)
    for part in parts:
        assert part.images
        assert part.categories == dataset.categories
        for image in part.images:
            assert part.annotations_of(image.id) == dataset.annotations_of(image.id)
    assert sum(len(part.annotations) for part in parts) == len(dataset.annotations)


@settings(max_examples=60, deadline=None)
@given(dataset=datasets(), seed=st.integers(0, 9))
def test_the_split_does_not_depend_on_the_order_of_the_document(dataset: CocoDataset, seed: int) -> None:
    backwards = replace(dataset, images=dataset.images[::-1], annotations=dataset.annotations[::-1])
    for (_, one), (_, other) in zip(
        split_dataset(dataset, FRACTIONS, seed=seed).items(),
        split_dataset(backwards, FRACTIONS, seed=seed).items(),
        strict=True,
    ):
        assert {image.id for image in one.images} == {image.id for image in other.images}


@settings(max_examples=150, deadline=None)
@given(dataset=datasets(), fractions=fractions(), seed=st.integers(0, 9))
def test_the_images_of_each_class_and_size_are_shared_out_to_within_as_many_as_there_are_of_both(
    dataset: CocoDataset, fractions: dict[str, float], seed: int
) -> None:
    """The stated distance: classes and three sizes together, in images, and two more."""
    most = len(dataset.categories) + 3 + 2
    images_of = _images_of_labels(dataset)
    for _, part in split_dataset(dataset, fractions, seed=seed).items():
        found, share = _images_of_labels(part), len(part.images) / len(dataset.images)
        for label, count in images_of.items():
            assert abs(found[label] - share * count) <= most


def _images_of_labels(dataset: CocoDataset) -> Counter[int | float]:
    """In how many images each class (by its id) and each side of a box (negative) is seen."""
    labels = {(one.image_id, label) for one in dataset.annotations for label in (one.category_id, -one.bbox[2])}
    return Counter(label for _, label in labels)


@settings(max_examples=100, deadline=None)
@given(dataset=grouped_datasets(), fractions=fractions(), seed=st.integers(0, 9))
def test_images_of_a_group_lie_in_one_part_and_no_part_is_empty(
    dataset: CocoDataset, fractions: dict[str, float], seed: int
) -> None:
    parts = [part for _, part in split_dataset(dataset, fractions, seed=seed).items()]
    assert Counter(one.id for part in parts for one in part.images) == Counter(one.id for one in dataset.images)
    assert all(part.images for part in parts)
    homes = [{group_of(image) for image in part.images} for part in parts]
    assert not homes[0] & homes[1]
    assert not homes[0] & homes[2]
    assert not homes[1] & homes[2]


@settings(max_examples=100, deadline=None)
@given(dataset=grouped_datasets(), kept=st.data(), fractions=fractions())
def test_added_images_move_none_of_those_that_were_split_before(
    dataset: CocoDataset, kept: st.DataObject, fractions: dict[str, float]
) -> None:
    before = kept.draw(st.lists(st.sampled_from(dataset.images), unique_by=lambda one: one.id, min_size=3))
    first = select_images(dataset, [one.id for one in before])
    assume(len({group_of(one) for one in before}) >= 3)
    earlier = _part_of(split_dataset(first, fractions, seed=1))
    grown = split_dataset(dataset, fractions, seed=1, earlier=earlier)
    now = _part_of(grown)
    assert {name: now[name] for name in earlier} == earlier
    assert len(now) == len(dataset.images)
    for image in dataset.images:
        if image.file_name not in earlier:
            friends = {earlier[one.file_name] for one in before if group_of(one) == group_of(image)}
            assert not friends or friends == {now[image.file_name]}


@settings(max_examples=60, deadline=None)
@given(dataset=datasets(), more=st.lists(st.lists(st.integers(1, 6), max_size=5), max_size=60))
def test_what_is_added_makes_up_for_what_each_part_lacks(dataset: CocoDataset, more: list[list[int]]) -> None:
    """After growing, sizes are as near to the fractions as the images that may not move allow: to one image."""
    shown = [[one.category_id for one in dataset.annotations_of(image.id)] for image in dataset.images]
    grown = _dataset(shown + more, classes=6)
    earlier = _part_of(split_dataset(dataset, FRACTIONS, seed=1))
    old = Counter(earlier.values())
    sizes = Counter(_part_of(split_dataset(grown, FRACTIONS, seed=1, earlier=earlier)).values())
    wanted = split_sizes(len(grown.images), FRACTIONS)
    over = sum(max(0, old[name] - wanted[name]) for name in SPLITS)
    for name in SPLITS:
        assert old[name] <= sizes[name] or old[name] == 0
        assert wanted[name] - over <= sizes[name] <= max(wanted[name], old[name])


def test_near_twins_that_were_split_apart_before_they_were_known_as_such_stay_where_they_are() -> None:
    dataset = _dataset([[1]] * 8, classes=1, groups=[None] * 5 + [1, 1, 1])
    earlier = {"006.jpg": "train", "007.jpg": "test"}
    now = _part_of(split_dataset(dataset, FRACTIONS, seed=1, earlier=earlier))
    assert (now["006.jpg"], now["007.jpg"]) == ("train", "test")
    assert now["008.jpg"] == "train"


def test_each_size_of_object_has_its_share_in_each_part() -> None:
    sides = [10.0] * 20 + [50.0] * 20 + [200.0] * 20
    images = [picture(number, width=300, height=300) for number in range(1, 61)]
    boxes = [box(number, image=number, bbox=(0.0, 0.0, side, side)) for number, side in enumerate(sides, start=1)]
    for seed in range(5):
        for _, part in _parts(dataset_of(images, boxes), seed=seed):
            counts = Counter(one.bbox[2] for one in part.annotations)
            assert set(counts.values()) <= {len(part.images) // 3}


@given(count=st.integers(3, 10_000), fractions=fractions())
def test_sizes_are_exact_to_one_image_and_never_zero(count: int, fractions: dict[str, float]) -> None:
    sizes = split_sizes(count, fractions)
    assert sum(sizes.values()) == count
    for name in SPLITS:
        assert sizes[name] >= 1
        assert sizes[name] == 1 or abs(sizes[name] - count * fractions[name]) <= (1 if count > 60 else 2)


def test_a_rare_class_reaches_every_part() -> None:
    dataset = _dataset([[1]] * 57 + [[1, 2]] * 3, classes=2)
    for seed in range(10):
        for _, part in split_dataset(dataset, FRACTIONS, seed=seed).items():
            assert sum(one.category_id == 2 for one in part.annotations) == 1


def test_objects_are_balanced_too_where_few_images_hold_most_of_them() -> None:
    dataset = _dataset([[1] * 20] * 20 + [[1]] * 80, classes=1)
    for seed in range(5):
        for name, part in split_dataset(dataset, FRACTIONS, seed=seed).items():
            assert len(part.annotations) / len(dataset.annotations) == pytest.approx(FRACTIONS[name], abs=0.05)


def test_images_without_objects_are_spread_like_a_class() -> None:
    dataset = _dataset([[1]] * 80 + [[]] * 20, classes=1)
    empty = [sum(not part.annotations_of(i.id) for i in part.images) for _, part in _parts(dataset, seed=3)]
    assert empty == [14, 3, 3]


def test_another_seed_gives_another_split() -> None:
    dataset = _dataset([[1]] * 40, classes=1)
    tests = {frozenset(image.id for image in split_dataset(dataset, FRACTIONS, seed=s).test.images) for s in range(5)}
    assert len(tests) == 5


def test_the_split_of_today_is_the_split_of_tomorrow() -> None:
    dataset = _dataset([[1], [2], [1, 2], [], [1], [2], [1], [1, 2], [2], []], classes=2)
    assert [[image.id for image in part.images] for _, part in _parts(dataset, seed=1)] == GOLDEN


def _part_of(splits: Splits) -> dict[str, str]:
    return {image.file_name: name for name, part in splits.items() for image in part.images}


def _parts(dataset: CocoDataset, *, seed: int) -> tuple[tuple[str, CocoDataset], ...]:
    return split_dataset(dataset, FRACTIONS, seed=seed).items()


GOLDEN = [[1, 2, 3, 4, 6, 8, 9], [7, 10], [5]]


@pytest.mark.parametrize("count", [0, 1, 2])
def test_too_few_images_are_refused(count: int) -> None:
    with pytest.raises(DataError, match=f"{count} images cannot be split into train, eval, test; at least 3"):
        split_dataset(_dataset([[1]] * count, classes=1), FRACTIONS, seed=1)


def test_hashes_order_files_the_same_way_everywhere() -> None:
    assert hash_order("a.jpg", 1).hex().startswith("73e93816")
