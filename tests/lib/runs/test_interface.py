"""The interface cell's entries, and the objects that give back the declared names."""

import pytest

from sinara_lib.errors import InterfaceError, LayoutError
from sinara_lib.runs.interface import ENTITY_NAME, ENTITY_PATH, STEP_NAME, Entities, check_entries, entity_names

IMAGES = Entities("input", {"images": "file:///a/images"}, {"images": "user.rest.test.data_load.images"})


def test_a_declared_entity_is_an_attribute_with_its_url_and_has_a_full_name() -> None:
    assert IMAGES.images == "file:///a/images"
    assert IMAGES.fullname("images") == "user.rest.test.data_load.images"


def test_an_undeclared_entity_is_refused_with_the_declared_ones() -> None:
    with pytest.raises(
        InterfaceError, match=r"input 'image' is not declared in the interface cell; declared: images\."
    ):
        _ = IMAGES.image
    with pytest.raises(InterfaceError, match=r"'labels' is not declared"):
        IMAGES.fullname("labels")


def test_completion_in_a_notebook_offers_the_declared_names_alone() -> None:
    assert dir(IMAGES) == ["fullname", "images"]
    assert not hasattr(IMAGES, "_repr_html_")


def test_a_dotted_name_is_found_under_its_name_in_the_store() -> None:
    entities = Entities("output", {"reports_a_ipynb": "url"}, {"reports_a_ipynb": "full"})
    assert entities.fullname("reports_a.ipynb") == "full"


def test_an_unknown_key_is_refused_with_the_allowed_ones() -> None:
    with pytest.raises(
        InterfaceError, match=r"outputs: entry .*'entty_name'.* has unknown entty_name; allowed: entity_name\."
    ):
        check_entries("outputs", [{"entty_name": "images"}], required=(ENTITY_NAME,))


def test_a_missing_key_is_named() -> None:
    with pytest.raises(InterfaceError, match=r"inputs: .* has missing step_name; allowed: step_name, entity_name"):
        check_entries("inputs", [{ENTITY_NAME: "images"}], required=(STEP_NAME, ENTITY_NAME))


def test_a_name_given_twice_is_refused_but_for_inputs_of_several_steps() -> None:
    with pytest.raises(InterfaceError, match=r"outputs: a_b is declared twice"):
        check_entries("outputs", [{ENTITY_NAME: "a.b"}, {ENTITY_NAME: "a_b"}], required=(ENTITY_NAME,))
    inputs = [{STEP_NAME: "one", ENTITY_NAME: "a"}, {STEP_NAME: "two", ENTITY_NAME: "a"}]
    check_entries("inputs", inputs, required=(STEP_NAME, ENTITY_NAME))


def test_entries_with_their_keys_pass() -> None:
    check_entries("custom_inputs", [{ENTITY_NAME: "a", ENTITY_PATH: "b"}], required=(ENTITY_NAME, ENTITY_PATH))


def test_names_of_entries_are_checked_and_their_dots_replaced() -> None:
    assert entity_names([{ENTITY_NAME: "a.b"}, {ENTITY_NAME: "c"}]) == ["a_b", "c"]
    with pytest.raises(LayoutError):
        entity_names([{ENTITY_NAME: "../c"}])
