"""Classes are kept, renamed and merged as the mapping says, and numbered in its order."""

from typing import Any

import pytest

from dataset_checks.classes import map_classes
from prep_cases import box, dataset_of, picture
from sinara_lib.errors import DataError

DATASET = dataset_of([picture(1)], [box(1), box(2, category_id=1), box(3, category_id=18)])


@pytest.mark.parametrize(
    ("classes", "categories", "found"),
    [
        (["dog", "car"], ["dog", "car"], {3: 1, 1: 2}),
        ({"animal": ["dog"], "rest": ["car", "person"]}, ["animal", "rest"], {3: 1, 1: 2, 2: 2}),
        ({"person": ["car"], "car": ["person"]}, ["person", "car"], {1: 1, 2: 2}),
        ([], ["person", "car", "dog"], {2: 1, 1: 2, 3: 3}),
    ],
    ids=["selected", "merged", "exchanged", "all"],
)
def test_classes_get_ids_in_the_order_asked_for_and_objects_follow(
    classes: Any, categories: list[str], found: dict[int, int]
) -> None:
    mapped = map_classes(DATASET, classes)
    assert [(one.id, one.name) for one in mapped.categories] == list(enumerate(categories, start=1))
    assert {one.id: one.category_id for one in mapped.annotations} == found
    assert mapped.images == DATASET.images


@pytest.mark.parametrize(
    ("classes", "expected"),
    [
        (["tram"], r"Unknown classes \['tram'\]. The dataset has: person, car, dog"),
        ({"vehicle": ["car", "tram"]}, r"Unknown classes \['tram'\]"),
        (["car", "car"], "more than once: car"),
        ({"one": ["car"], "two": ["dog", "car"]}, "more than once: car"),
        ({"nothing": []}, "Classes made of nothing: nothing"),
    ],
)
def test_a_mapping_that_cannot_be_is_refused_and_says_what_there_is(classes: Any, expected: str) -> None:
    with pytest.raises(DataError, match=expected):
        map_classes(DATASET, classes)
