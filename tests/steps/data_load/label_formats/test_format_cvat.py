"""CVAT's boxes, rotated boxes, polygons, ellipses and masks become upright boxes by the stated rules."""

import numpy as np
import pytest
from pycocotools import mask as oracle

from label_formats.cvat import parse_cvat
from label_formats.image_index import ImageIndex
from odd_objects import refuse_odd
from sinara_lib.errors import DataError

TASK = """<?xml version="1.0" encoding="utf-8"?>
<annotations><version>1.1</version>
<meta><task><id>3</id><labels>
  <label><name>car</name><type>any</type></label><label><name>person</name></label>
  <label><name>nose</name><parent>person</parent></label></labels></task></meta>
<image id="7" name="day/1.jpg" width="40" height="30">{shapes}</image></annotations>"""


VIDEO = b"""<annotations><image id="0" name="frame_000000" width="64" height="48"/>
<image id="1" name="v1.2_frame_000000" width="64" height="48"/></annotations>"""


def shape(text: str, *, more: str = "") -> bytes:
    return TASK.format(shapes=text + more).encode()


def test_classes_come_from_the_task_and_parts_of_a_skeleton_are_none() -> None:
    labels = parse_cvat([("annotations.xml", shape(""))])

    assert labels.class_names == ("car", "person")
    assert [(one.name, one.id, one.width, one.height) for one in labels.images] == [("day/1.jpg", 7, 40, 30)]


def test_a_box_keeps_its_attributes() -> None:
    text = (
        '<box label="car" occluded="1" xtl="1.5" ytl="2" xbr="11.5" ybr="6" z_order="0" source="manual">'
        '<attribute name="colour">red</attribute></box>'
    )
    (found,) = parse_cvat([("a.xml", shape(text))]).images[0].objects

    assert (found.box, found.polygons) == ((1.5, 2, 10, 4), ())
    assert found.attributes == {"occluded": 1, "z_order": 0, "colour": "red"}


def test_a_box_turned_by_a_right_angle_lies_across_and_keeps_its_corners() -> None:
    text = '<box label="car" xtl="10" ytl="10" xbr="20" ybr="14" rotation="90"/>'
    (found,) = parse_cvat([("a.xml", shape(text))]).images[0].objects

    assert found.box == pytest.approx((13, 7, 4, 10))
    assert found.polygons[0] == pytest.approx((17, 7, 17, 17, 13, 17, 13, 7))
    assert found.attributes == {"rotation": 90}


def test_a_polygon_and_an_ellipse_get_the_box_around_them() -> None:
    polygon = '<polygon label="car" points="3.00,4.00;9.00,4.50;5.00,8.00"/>'
    ellipse = '<ellipse label="car" cx="20" cy="10" rx="6" ry="2" rotation="90"/>'
    first, second = parse_cvat([("a.xml", shape(polygon, more=ellipse))]).images[0].objects

    assert (first.box, first.polygons) == ((3, 4, 6, 4), ((3, 4, 9, 4.5, 5, 8),))
    assert second.box == pytest.approx((18, 4, 4, 12))


@pytest.mark.parametrize(("left", "top"), [(0, 0), (5, 4), (36, 27), (3, 27)])
def test_a_mask_is_the_one_that_pycocotools_reads(left: int, top: int) -> None:
    part = np.array([[0, 1, 1, 0], [1, 1, 0, 0], [1, 0, 0, 1]], dtype=np.uint8)
    text = f'<mask label="car" rle="1, 2, 1, 2, 2, 1, 2, 1" left="{left}" top="{top}" width="4" height="3"/>'
    (found,) = parse_cvat([("a.xml", shape(text))]).images[0].objects
    expected = np.zeros((30, 40), dtype=np.uint8)
    expected[top : top + 3, left : left + 4] = part

    assert found.box == (left, top, 4, 3)
    assert (oracle.decode(oracle.frPyObjects(found.mask, 30, 40)) == expected).all()


def test_shapes_without_a_box_are_left_out_and_counted() -> None:
    text = '<points label="car" points="1,2"/><polyline label="car" points="1,2;3,4"/><tag label="car"/>'
    labels = parse_cvat([("a.xml", shape(text))])

    assert labels.images[0].objects == ()
    assert labels.tally.left_out == {
        "shapes of the kind points": 1,
        "shapes of the kind polyline": 1,
        "shapes of the kind tag": 1,
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('<box label="car" xtl="1" ytl="2" xbr="x" ybr="3"/>', r"a\.xml: day/1\.jpg: box: xbr must be a finite number"),
        ('<polygon label="car" points="1,2;3,4"/>', "a polygon needs at least three points, found 4 coordinates"),
        ('<mask label="car" rle="5, 6" left="0" top="0" width="4" height="3"/>', "its runs cover 11 pixels"),
        ('<mask label="car" rle="12" left="38" top="0" width="4" height="3"/>', "the mask does not fit"),
        ('<box xtl="1" ytl="2" xbr="3" ybr="3"/>', "box: label must be a text"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        refuse_odd(parse_cvat([("a.xml", shape(text))]))


def test_tracks_of_a_video_are_refused_with_the_way_out() -> None:
    with pytest.raises(DataError, match="Export the task as `CVAT for images"):
        parse_cvat([("a.xml", b'<annotations><track id="0" label="car"/></annotations>')])


@pytest.mark.parametrize(("written", "kept"), [("1", 1), ("False", "False")])
def test_a_flag_is_a_whole_number_or_stays_as_text(written: str, kept: int | str) -> None:
    box = f'<box label="car" occluded="{written}" xtl="1" ytl="2" xbr="3" ybr="4"/>'
    (found,) = parse_cvat([("a.xml", shape(box))]).images[0].objects

    assert found.attributes == {"occluded": kept}


def test_frames_of_a_video_task_are_found_by_names_that_lack_the_ending() -> None:
    index = ImageIndex(["images/frame_000000.png", "images/frame_000001.png", "images/v1.2_frame_000000.jpg"])
    names = [image.name for image in parse_cvat([("annotations.xml", VIDEO)]).images]

    assert [index.find(name, beside="annotations.xml") for name in names] == [
        "images/frame_000000.png",
        "images/v1.2_frame_000000.jpg",
    ]


def test_frames_of_two_tasks_with_one_name_are_told_apart_by_their_subset() -> None:
    text = VIDEO.replace(b'name="v1.2_frame_000000"', b'name="frame_000000" subset="val"').replace(
        b'name="frame_000000" w', b'name="frame_000000" subset="train" w'
    )
    index = ImageIndex(["images/val/frame_000000.png", "images/train/frame_000000.png"])
    names = [image.name for image in parse_cvat([("annotations.xml", text)]).images]

    assert [index.find(name) for name in names] == ["images/train/frame_000000.png", "images/val/frame_000000.png"]
