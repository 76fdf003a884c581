"""Every set of classes can be asked for, whatever signs their names hold."""

import pytest

from rest_service.errors import RequestError
from rest_service.options import read_options

_CATEGORIES = {"car": 1, "bus": 2, "a, b": 3, "1": 4, "a": 5, "[x]": 6, "人行道": 7}


@pytest.mark.parametrize(
    ("values", "ids"),
    [
        (["car,bus"], {1, 2}),
        (["car", "bus"], {1, 2}),
        ([" car , 2"], {1, 2}),
        (["a, b"], {3}),
        (["a, b", "a"], {3, 5}),
        (['["a, b", "bus"]'], {2, 3}),
        (["1"], {4}),
        (['["1"]'], {4}),
        (["[1]"], {1}),
        (["[x]"], {6}),
        (["人行道"], {7}),
    ],
)
def test_classes_are_named_by_whole_names_by_lists_and_by_ids(values: list[str], ids: set[int]) -> None:
    options = read_options([("classes", value) for value in values], categories=_CATEGORIES)
    assert options.classes == frozenset(ids)


@pytest.mark.parametrize("value", ["", "lorry", "car,,bus", "[9]", '["lorry"]', "[1.5]", "[true]", "[" * 5000])
def test_what_is_no_class_is_refused(value: str) -> None:
    with pytest.raises(RequestError, match="there is no class"):
        read_options([("classes", value)], categories=_CATEGORIES)


def test_an_error_lists_a_hundred_classes_at_most() -> None:
    with pytest.raises(RequestError) as caught:
        read_options([("classes", "x")], categories={f"class {n}": n for n in range(1, 3001)})
    assert caught.value.message.endswith("class 100 (100) and 2900 more, see /categories")
