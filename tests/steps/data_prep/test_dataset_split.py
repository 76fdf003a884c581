"""The split is complete, disjoint, repeatable and fair to every class."""

from collections import Counter
from dataclasses import replace

import pytest
from dataset_split import SPLITS, hash_order, split_dataset, split_sizes
from hypothesis import given, settings
from hypothesis import strategies as st
from prep_cases import box, dataset_of, picture

from sinara_lib.errors import DataError
from sinara_lib.vision.coco import CocoCategory, CocoDataset

FRACTIONS = {"train": 0.7, "eval": 0.15, "test": 0.15}


def _dataset(shown: list[list[int]], classes: int) -> CocoDataset:
    """Image i shows one object of each class listed in shown[i]."""
    annotations = [
        box(1000 * number + place, image=number, category_id=category)
        for number, categories in enumerate(shown, start=1)
        for place, category in enumerate(categories)
    ]
    categories = tuple(CocoCategory(number, f"class {number}") for number in range(1, classes + 1))
    images = [picture(number) for number in range(1, len(shown) + 1)]
    return replace(dataset_of(images, annotations), categories=categories)


@st.composite
def datasets(draw: st.DrawFn) -> CocoDataset:
    classes = draw(st.integers(1, 6))
    labels = st.lists(st.integers(1, classes), max_size=5)
    return _dataset(draw(st.lists(labels, min_size=3, max_size=60)), classes)


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
def test_each_class_is_within_two_images_more_than_there_are_classes_of_its_share(
    dataset: CocoDataset, fractions: dict[str, float], seed: int
) -> None:
    images_of = Counter(category for _, category in {(one.image_id, one.category_id) for one in dataset.annotations})
    for _, part in split_dataset(dataset, fractions, seed=seed).items():
        found = Counter(category for _, category in {(one.image_id, one.category_id) for one in part.annotations})
        share = len(part.images) / len(dataset.images)
        for category, count in images_of.items():
            assert abs(found[category] - share * count) <= len(dataset.categories) + 2


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


def _parts(dataset: CocoDataset, *, seed: int) -> tuple[tuple[str, CocoDataset], ...]:
    return split_dataset(dataset, FRACTIONS, seed=seed).items()


GOLDEN = [[1, 2, 3, 4, 6, 8, 9], [7, 10], [5]]


@pytest.mark.parametrize("count", [0, 1, 2])
def test_too_few_images_are_refused(count: int) -> None:
    with pytest.raises(DataError, match=f"{count} images cannot be split into train, eval, test; at least 3"):
        split_dataset(_dataset([[1]] * count, classes=1), FRACTIONS, seed=1)


def test_hashes_order_files_the_same_way_everywhere() -> None:
    assert hash_order("a.jpg", 1).hex().startswith("73e93816")
