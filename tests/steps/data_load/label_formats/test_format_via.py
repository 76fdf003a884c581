"""VGG Image Annotator's files of all versions give the same regions; the class is the attribute that stands out."""

import json
import math
from typing import Any

import pytest

from label_formats.labels import Labels
from label_formats.via_csv import is_via_csv
from label_formats.via_files import parse_via
from odd_objects import refuse_odd
from sinara_lib.errors import DataError

RECT = {"name": "rect", "x": 1, "y": 2, "width": 3, "height": 4}
PROJECT_3 = {
    "project": {},
    "config": {},
    "attribute": {
        "1": {"aname": "kind", "anchor_id": "FILE1_Z0_XY1", "type": 4, "options": {"0": "car", "1": "dog"}},
    },
    "file": {"1": {"fid": "1", "fname": "a.jpg"}, "2": {"fid": "2", "fname": "b.jpg"}},
    "metadata": {
        "1_a": {"vid": "1", "flg": 0, "z": [], "xy": [2, 1, 2, 3, 4], "av": {"1": "1"}},
        "1_b": {"vid": "1", "flg": 0, "z": [], "xy": [7, 3, 4, 9, 4.5, 5, 8], "av": {"1": "0"}},
        "1_c": {"vid": "1", "flg": 0, "z": [], "xy": [], "av": {"1": "0"}},
        "1_d": {"vid": "1", "flg": 0, "z": [], "xy": [1, 3, 4], "av": {"1": "0"}},
    },
    "view": {"1": {"fid_list": ["1"]}, "2": {"fid_list": ["2"]}},
}
CSV_3 = """# Exported using VGG Image Annotator (http://www.robots.ox.ac.uk/~vgg/software/via)
# SHAPE_ID = {"POINT":1,"RECTANGLE":2}
# ATTRIBUTE = {"1":{"aname":"kind","options":{"0":"car","1":"dog"}}}
# CSV_HEADER = metadata_id,file_list,flags,temporal_coordinates,spatial_coordinates,metadata
"1_a","[""a.jpg""]",0,"[]","[2,1,2,3,4]","{""1"":""1""}"
"""
CSV_1 = """#filename,file_size,file_attributes,region_count,region_id,region_shape_attributes,region_attributes
a.jpg,9,"{}",1,0,"{""name"":""rect"",""x"":1,""y"":2,""width"":3,""height"":4}","{""kind"":""dog""}"
b.jpg,9,"{}",0,0,"{}","{}"
"""


def region(shape: dict[str, Any], **attributes: Any) -> dict[str, Any]:
    return {"shape_attributes": shape, "region_attributes": attributes}


def via(*regions: dict[str, Any], given: str | None = None, **more: Any) -> Labels:
    images = {"a.jpg9": {"filename": "a.jpg", "size": 9, "regions": list(regions)}}
    return parse_via([("via.json", json.dumps({"_via_img_metadata": images, **more}).encode())], given=given)


def objects(labels: Labels) -> list[tuple[str, Any]]:
    return [(one.label, pytest.approx(one.box)) for image in labels.images for one in image.objects]


@pytest.mark.parametrize(
    ("shape", "box"),
    [
        (RECT, (1, 2, 3, 4)),
        ({"name": "circle", "cx": 10, "cy": 10, "r": 4}, (6, 6, 8, 8)),
        ({"name": "ellipse", "cx": 20, "cy": 10, "rx": 6, "ry": 2, "theta": math.pi / 2}, (18, 4, 4, 12)),
        ({"name": "polygon", "all_points_x": [3, 9, 5], "all_points_y": [4, 4.5, 8]}, (3, 4, 6, 4)),
    ],
)
def test_a_shape_becomes_the_box_around_it(shape: dict[str, Any], box: tuple[float, ...]) -> None:
    assert objects(via(region(shape, kind="car"))) == [("car", box)]


@pytest.mark.parametrize(
    "data",
    [
        {"a.jpg9": {"filename": "a.jpg", "regions": [region(RECT, kind="dog")]}},
        {"a.jpg9": {"filename": "a.jpg", "regions": {"0": region(RECT, kind="dog")}}},
        [{"filename": "a.jpg", "regions": [region(RECT, kind="dog")]}],
    ],
)
def test_regions_alone_are_read_as_lists_and_as_version_1_numbers_them(data: Any) -> None:
    assert objects(parse_via([("via.json", json.dumps(data).encode())])) == [("dog", (1, 2, 3, 4))]


def test_version_3_numbers_shapes_options_and_files() -> None:
    labels = parse_via([("via.json", json.dumps(PROJECT_3).encode())])

    assert objects(labels) == [("dog", (1, 2, 3, 4)), ("car", (3, 4, 6, 4))]
    assert (labels.class_names, [one.name for one in labels.images]) == (("car", "dog"), ["a.jpg", "b.jpg"])
    assert (labels.tally.found, labels.tally.left_out) == (3, {"regions of the kind point": 1})


@pytest.mark.parametrize("text", [CSV_1, CSV_1.removeprefix("#"), CSV_3])
def test_csv_of_every_version_gives_the_same_box(text: str) -> None:
    assert objects(parse_via([("via.csv", text.encode())])) == [("dog", (1, 2, 3, 4))]
    assert is_via_csv(text.splitlines()[0].split(","))


def test_options_mean_what_a_person_wrote_and_ticked_ones_are_an_object_each() -> None:
    attributes = {"region": {"kind": {"type": "checkbox", "options": {"c": "Car", "d": ""}}}}
    labels = via(region(RECT, kind={"c": True, "d": True, "e": False}), _via_attributes=attributes)

    assert objects(labels) == [("Car", (1, 2, 3, 4)), ("d", (1, 2, 3, 4))]


@pytest.mark.parametrize(
    ("attributes", "given", "label"),
    [
        ({"colour": "red", "class": "car"}, None, "car"),
        ({"colour": "red", "size": "big"}, "size", "big"),
        ({"number": 7}, None, "7"),
    ],
)
def test_the_class_is_the_attribute_of_a_usual_name_or_the_given_one(
    attributes: dict[str, Any], given: str | None, label: str
) -> None:
    (found,) = via(region(RECT, **attributes), given=given).images[0].objects

    assert found.label == label
    assert set(found.attributes.values()) == set(attributes.values()) - {label, 7}


@pytest.mark.parametrize(
    ("attributes", "given", "message"),
    [
        ({"colour": "red", "size": "big"}, None, r'have colour, size\. Name one in .*\{"label": "colour"\}'),
        ({"name": "x", "type": "y"}, None, "no attribute for the class that stands out"),
        ({"colour": "red"}, "size", "no attribute for label: size"),
    ],
)
def test_attributes_of_which_none_stands_out_are_refused_with_the_parameter(
    attributes: dict[str, Any], given: str | None, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        via(region(RECT, **attributes), given=given)


def test_a_region_that_nobody_named_and_an_odd_one_are_left_out_with_their_places() -> None:
    labels = via(region(RECT, kind="car"), region(RECT, kind=""), region({"name": "rect", "x": "left"}, kind="car"))

    assert (labels.tally.found, labels.tally.taken) == (3, 1)
    with pytest.raises(DataError, match=r"via\.json: a\.jpg: region 1: kind must be a text"):
        refuse_odd(labels)
