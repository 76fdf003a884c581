"""Parameters of data_load are checked where they come in: one source or several, and what belongs together."""

from typing import Any

import pytest

from fetch_params import FetchParams
from sinara_lib.errors import ParamsError
from sinara_lib.params import parse_params
from source_params import is_database


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"images_url": "sample://scenes", "annotations_url": "a.json"}, "must be null with the built-in sample"),
        ({}, "images_url or annotations_url is needed"),
        ({"images_url": 17}, r"'images_url' is 17: should be a string, or a list of strings"),
        ({"images_url": ["a.zip", 3]}, r"should be a string, or a list of strings"),
        ({"images_url": []}, r"should be a string, or a list of strings that is not empty"),
        ({"images_url": " "}, "images_url is an empty text"),
        ({"images_url": "a.zip", "columns": {"kind": "x"}}, r"unknown key 'columns\.kind'"),
        ({"images_url": "a.zip", "format": "pascal"}, "format"),
        ({"images_url": "sample://scenes", "format": "coco"}, "format must be null with the built-in sample"),
        ({"images_url": ["sample://scenes", "a.zip"]}, "the built-in sample is a source of its own"),
        ({"sources": [{"images_url": "a.zip"}], "format": "voc"}, "format must be left out beside sources"),
        ({"images_url": ["a.zip", "b.zip"], "images_sha256": "0" * 64}, "images_sha256 belongs to one URL"),
        ({"annotations_url": "sqlite:///a.db"}, "query and a database as annotations_url belong together"),
        ({"annotations_url": "mysql://me:word@host/db", "query": "select 1"}, "leave the password out"),
        ({"annotations_url": "mysql://h/db?user=u&passwd=word", "query": "select 1"}, "leave the password out"),
        ({"images_url": "a.zip", "annotations_url": "b", "images_sha256": "12"}, "images_sha256"),
        ({"images_url": "a.zip", "annotations_url": "b", "weight_url": "c"}, "unknown key 'weight_url'"),
        ({"images_url": "a.zip", "annotations_url": "b", "attempts": "5"}, "'attempts' is '5'"),
    ],
)
def test_wrong_parameters_are_explained(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ParamsError, match=message):
        parse_params(FetchParams, values, where="data_load.ipynb")


def test_upper_case_names_are_read() -> None:
    read = parse_params(FetchParams, {"IMAGES_URL": "a.zip", "ANNOTATIONS_URL": "b.json"}, where="data_load.ipynb")

    assert (read.images_url, read.annotations_url) == ("a.zip", "b.json")
    assert [entry["entity_path"] for entry in read.custom_inputs()] == ["a.zip", "b.json"]


def test_several_sources_have_names_of_their_own_and_the_sample_is_spelled_out() -> None:
    sources = [{"IMAGES_URL": ["a.zip", "b.zip"]}, {"images_url": "sample://scenes"}]
    read = parse_params(FetchParams, {"sources": sources, "weights_url": "w.pth"}, where="data_load.ipynb")

    assert {entry["entity_name"]: entry["entity_path"] for entry in read.custom_inputs()} == {
        "source_1_images": "a.zip",
        "source_1_images_2": "b.zip",
        "source_2_images": "sample://scenes?images=400&size=256&seed=1&defects=1",
        "weights": "w.pth",
    }


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("sqlite:///labels.db", True),
        ("postgresql+psycopg://me@host/db", True),
        ("https://host/a.zip", False),
        ("s3://bucket/a.zip", False),
        ("C:/data/a.zip", False),
        ("/data/a.zip", False),
    ],
)
def test_a_database_is_told_from_files(url: str, found: bool) -> None:
    assert is_database(url) is found


def test_blanks_around_urls_are_taken_off_at_the_door() -> None:
    values = {"images_url": [" https://me:word@host/a.zip", "b.zip\n"], "weights_url": "\tw.pth "}
    read = parse_params(FetchParams, values, where="data_load.ipynb")

    assert (read.images_urls, read.weights_url) == (["https://me:word@host/a.zip", "b.zip"], "w.pth")


@pytest.mark.parametrize("key", ["images_url", "annotations_url", "weights_url", "sources"])
@pytest.mark.parametrize("url", ["https://me:se/cret@host/a.zip", "https://me:se\ncret@host/a.zip", "me:secret@host/a"])
def test_a_url_that_does_not_parse_is_refused_and_not_repeated(key: str, url: str) -> None:
    values = {"images_url": "a.zip", key: url} if key != "sources" else {"sources": [{"images_url": [url]}]}
    with pytest.raises(ParamsError, match=r"_url' (does not tell|has a user|holds a tab)") as refusal:
        parse_params(FetchParams, values, where="data_load.ipynb")
    assert "cret" not in str(refusal.value)


def test_a_value_of_the_wrong_type_is_told_without_the_secrets_in_it() -> None:
    with pytest.raises(ParamsError, match=r"is \{'a': 'https://host/a'\}") as refusal:
        parse_params(FetchParams, {"images_url": {"a": "https://me:secret@host/a"}}, where="data_load.ipynb")
    assert "secret" not in str(refusal.value)
