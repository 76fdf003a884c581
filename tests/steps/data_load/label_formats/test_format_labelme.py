"""LabelMe's shapes, of its JSON and of its older XML, become upright boxes by the stated rules."""

import base64
import io
import json
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as oracle

from label_formats.detection import judge
from label_formats.image_index import ImageIndex
from label_formats.labelme import parse_labelme
from label_formats.labelme_xml import parse_labelme_xml
from label_formats.labels import Labels
from odd_objects import refuse_odd
from sinara_lib.errors import DataError


def labelme(*shapes: dict[str, Any], **more: Any) -> Labels:
    content = {"shapes": list(shapes), "imagePath": "..\\photos\\a.jpg", "imageHeight": 30, "imageWidth": 40, **more}
    return parse_labelme([("day/a.json", json.dumps(content).encode())], index=ImageIndex(["photos/a.jpg"]))


def shape(kind: str, *points: tuple[float, float], **more: Any) -> dict[str, Any]:
    return {"label": "car", "shape_type": kind, "points": [list(point) for point in points], **more}


@pytest.mark.parametrize(
    ("written", "box", "corners"),
    [
        (shape("rectangle", (11.5, 6), (1.5, 2)), (1.5, 2, 10, 4), 0),
        (shape("rectangle", (1, 2), (5, 2), (5, 8), (1, 8)), (1, 2, 4, 6), 0),
        (shape("polygon", (3, 4), (9, 4.5), (5, 8)), (3, 4, 6, 4), 3),
        (shape("oriented_rectangle", (3, 4), (6, 1), (9, 4), (6, 7)), (3, 1, 6, 6), 4),
        (shape("circle", (10, 10), (13, 14)), (5, 5, 10, 10), 0),
    ],
)
def test_shapes_become_the_box_around_them(written: dict[str, Any], box: tuple[float, ...], corners: int) -> None:
    (image,) = labelme(written).images
    (found,) = image.objects

    assert (found.label, found.box) == ("car", pytest.approx(box))
    assert sum(map(len, found.polygons)) == 2 * corners
    assert (image.width, image.height) == (40, 30)


def png(part: "np.ndarray[Any, Any]") -> str:
    buffer = io.BytesIO()
    Image.fromarray(part.astype(np.uint8) * 255).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def test_a_mask_is_the_one_that_its_picture_shows() -> None:
    part = np.array([[0, 1, 1, 0], [1, 1, 0, 0], [1, 0, 0, 1]])
    (found,) = labelme(shape("mask", (5, 4), (8, 6), mask=png(part))).images[0].objects
    expected = np.zeros((30, 40), dtype=np.uint8)
    expected[4:7, 5:9] = part

    assert found.box == (5, 4, 4, 3)
    assert (oracle.decode(oracle.frPyObjects(found.mask, 30, 40)) == expected).all()


def test_lines_and_points_are_left_out_and_counted_by_kind() -> None:
    tally = labelme(shape("line", (1, 2), (3, 4)), shape("point", (1, 2)), shape("rectangle", (1, 2), (3, 4))).tally

    assert tally.left_out == {"shapes of the kind line": 1, "shapes of the kind point": 1}
    assert (tally.found, tally.taken) == (3, 1)


@pytest.mark.parametrize(
    ("written", "message"),
    [
        (shape("polygon", (1, 2), (3, 4)), r"day/a\.json: shape 0: points must be 3 or more pairs of numbers"),
        (shape("rectangle", (1, 2), (3, float("nan"))), "points must be a finite number"),
        ({**shape("rectangle", (1, 2), (3, 4)), "label": ""}, "label must be a text"),
        (shape("mask", (1, 2), (3, 4), mask="AAAA"), "the mask is not a PNG picture in base64"),
        (shape("mask", (39, 2), (40, 4), mask=png(np.ones((3, 3)))), "the mask does not fit"),
        (shape("mask", (0, 0), (40, 4), mask=png(np.ones((3, 99)))), "the mask has"),
    ],
)
def test_a_shape_that_is_odd_is_left_out_with_its_place(written: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        refuse_odd(labelme(written))


def test_what_a_person_has_set_is_kept() -> None:
    (found,) = (
        labelme(shape("rectangle", (1, 2), (3, 4), group_id=3, flags={"hidden": True, "far": False})).images[0].objects
    )

    assert found.attributes == {"group_id": 3, "hidden": True}


@pytest.mark.parametrize(("there", "stem"), [("photos/a.jpg", ""), ("day/a.png", "day/a")])
def test_the_image_is_the_named_one_or_the_one_called_as_the_file(there: str, stem: str) -> None:
    data = json.dumps({"shapes": [], "imagePath": "a.jpg"}).encode()

    assert parse_labelme([("day/a.json", data)], index=ImageIndex([there])).images[0].stem == stem


def test_a_file_that_holds_its_picture_first_is_known_all_the_same() -> None:
    data = json.dumps({"imagePath": "a.jpg", "imageData": "A" * 100_000, "shapes": []}).encode()

    assert judge("a.json", data[: 1 << 16]).ended is False
    assert judge("a.json", data).format == "labelme"


OBJECT = """<object><name>{name}</name><deleted>{deleted}</deleted><occluded>yes</occluded><id>{id}</id>
<parts><hasparts></hasparts><ispartof>{whole}</ispartof></parts>{kind}<polygon><username>me</username>{points}</polygon></object>"""


def xml(*objects: str) -> Labels:
    head = "<annotation><filename>a.jpg</filename><imagesize><nrows>30</nrows><ncols>40</ncols></imagesize>"
    return parse_labelme_xml([("a.xml", f"{head}{''.join(objects)}</annotation>".encode())])


def item(*points: tuple[float, float], name: str = "car", **more: Any) -> str:
    known = {"deleted": 0, "id": 0, "whole": "", "kind": "", **more}
    corners = "".join(f"<pt><x>{x}</x><y>{y}</y></pt>" for x, y in points)
    return OBJECT.format(name=name, points=corners, **known)


def test_a_polygon_of_the_older_tool_gets_the_box_around_it() -> None:
    (image,) = xml(item((3, 4), (9, 4.5), (5, 8))).images

    assert (image.width, image.height) == (40, 30)
    assert [(one.label, one.box, one.polygons) for one in image.objects] == [
        ("car", (3, 4, 6, 4), ((3, 4, 9, 4.5, 5, 8),))
    ]
    assert image.objects[0].attributes == {"occluded": "yes"}


def test_parts_of_the_same_name_are_one_object_and_others_are_their_own() -> None:
    outline, other = item((3, 4), (9, 4), (9, 8)), item((20, 4), (25, 4), (25, 9), id=1, whole=0)
    wheel = item((3, 7), (4, 7), (4, 8), name="wheel", id=2, whole=0)
    labels = xml(outline, other, wheel)

    assert [(one.label, one.box) for one in labels.images[0].objects] == [
        ("car", (3, 4, 22, 5)),
        ("wheel", (3, 7, 1, 1)),
    ]
    assert (labels.tally.found, labels.tally.left_out) == (2, {})
    assert labels.tally.notes == {"parts that are one object with what they are part of": 1}


def test_a_drawn_box_counts_before_the_outline_it_belongs_to() -> None:
    box = item((2, 3), (10, 3), (10, 9), (2, 9), id=1, whole=0, kind="<type>bounding_box</type>")
    (found,) = xml(item((3, 4), (9, 4), (9, 8)), box).images[0].objects

    assert (found.box, found.polygons) == ((2, 3, 8, 6), ((3, 4, 9, 4, 9, 8),))


def test_the_box_of_a_mask_is_taken_and_a_deleted_object_is_not() -> None:
    edges = "<xmin>1</xmin><ymin>2</ymin><xmax>5</xmax><ymax>9</ymax>"
    mask = f"<object><name>car</name><segm><box>{edges}</box></segm></object>"
    labels = xml(mask, item((3, 4), (9, 4), (9, 8), deleted=1, id=5))

    assert [one.box for one in labels.images[0].objects] == [(1, 2, 4, 7)]
    assert (labels.tally.found, labels.tally.notes) == (1, {"deleted objects": 1})


def test_an_object_without_a_shape_is_left_out_with_its_place() -> None:
    with pytest.raises(DataError, match=r"a\.xml: object 1: has neither a polygon nor the box of a mask"):
        refuse_odd(xml("<object><name>car</name></object>"))


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"<annotation><filename>a</filename><imagesize><nrows>3</nrows>", "labelme_xml"),
        (b"<annotation><object><name>a</name><polygon><pt><x>1</x>", "labelme_xml"),
        (b"<annotation><object><name>a</name><bndbox/><polygon><x1>1</x1>", "voc"),
        (b"<annotation><size><width>3</width></size>", "voc"),
    ],
)
def test_the_older_tool_is_told_from_pascal_voc_whose_root_it_has(head: bytes, kind: str) -> None:
    assert judge("a.xml", head).format == kind
