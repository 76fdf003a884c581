"""Pascal VOC files of the challenges and of tools are read by the rule that fits each."""

import pytest

from label_formats.values import xml_root
from label_formats.voc import parse_voc
from odd_objects import refuse_odd
from sinara_lib.errors import DataError

CHALLENGE = b"""<annotation>
  <folder>VOC2012</folder><filename>2007_000027.jpg</filename>
  <source><database>The VOC2007 Database</database><image>flickr</image></source>
  <size><width>486</width><height>500</height><depth>3</depth></size>
  <object><name>person</name><pose>Unspecified</pose><truncated>0</truncated><difficult>1</difficult>
    <bndbox><xmin>174</xmin><ymin>101</ymin><xmax>349</xmax><ymax>351</ymax></bndbox>
    <part><name>head</name><bndbox><xmin>169</xmin><ymin>104</ymin><xmax>209</xmax><ymax>146</ymax></bndbox></part>
  </object>
</annotation>"""
TOOL = b"""<annotation verified="yes"><filename>a b.png</filename><source><database>Unknown</database></source>
  <size><width>0</width><height>0</height></size>
  <object><name> car </name><bndbox><xmin>10.5</xmin><ymin>0</ymin><xmax>20</xmax><ymax>8</ymax></bndbox>
    <attributes><attribute><name>colour</name><value>red</value></attribute></attributes></object>
  <object><name>car</name><robndbox><cx>1</cx><cy>2</cy><w>3</w><h>4</h><angle>1</angle></robndbox></object>
</annotation>"""


def test_a_file_of_the_challenges_counts_pixels_from_one_and_both_ends() -> None:
    (image,) = parse_voc([("Annotations/2007_000027.xml", CHALLENGE)]).images

    assert (image.width, image.height, image.stem) == (486, 500, "Annotations/2007_000027")
    (person,) = image.objects
    assert person.box == (173, 100, 176, 251)
    assert person.attributes == {"difficult": 1, "truncated": 0, "pose": "Unspecified"}


def test_a_file_of_a_tool_states_edges_and_what_has_no_upright_box_is_counted() -> None:
    labels = parse_voc([("x.xml", TOOL)])

    (image,) = labels.images
    assert (image.width, image.name) == (None, "a b.png")
    assert [(one.label, one.box, one.attributes) for one in image.objects] == [
        ("car", (10.5, 0, 9.5, 8), {"colour": "red"})
    ]
    assert labels.tally.left_out == {"objects without an upright box": 1}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (TOOL.replace(b"10.5", b"left"), r"x\.xml: object 1: xmin must be a finite number, found 'left'"),
        (TOOL.replace(b"<ymax>8</ymax>", b""), r"object 1: ymax must be a finite number, found nothing"),
        (TOOL.replace(b"<name> car </name>", b""), r"object 1: name must be a text"),
        (TOOL.replace(b"<width>0", b"<width>-4"), r"x\.xml: width must be from 0 to"),
        (TOOL[:-20], r"x\.xml: is not an XML document"),
        (b"<annotations/>", r"x\.xml: the root must be <annotation>, found <annotations>"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(text: bytes, message: str) -> None:
    with pytest.raises(DataError, match=message):
        refuse_odd(parse_voc([("x.xml", text)]))


@pytest.mark.parametrize(
    "head",
    [
        b'<!DOCTYPE a [<!ENTITY x "ha"><!ENTITY y "&x;&x;&x;&x;">]>',
        b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
        b'<!DOCTYPE a SYSTEM "http://127.0.0.1:9/a.dtd">',
    ],
)
def test_document_types_and_entities_are_refused_unread(head: bytes) -> None:
    with pytest.raises(DataError, match="refused as unsafe"):
        xml_root(head + b"<annotation>&y;</annotation>", "x.xml", tag="annotation")


def test_an_object_with_two_boxes_is_two_objects() -> None:
    second = b"<bndbox><xmin>31</xmin><ymin>2</ymin><xmax>50</xmax><ymax>40</ymax></bndbox></object>"
    (image,) = parse_voc([("x.xml", TOOL.replace(b"</object>", second, 1))]).images

    assert [(one.label, one.box) for one in image.objects] == [("car", (10.5, 0, 9.5, 8)), ("car", (31, 2, 19, 38))]


@pytest.mark.parametrize(
    ("written", "kept"),
    [(b"1", 1), (b"1.0", 1), (b"Unspecified", "Unspecified"), (b"False", "False"), (b"0.0597", "0.0597")],
)
def test_a_flag_is_a_whole_number_or_stays_as_text(written: bytes, kept: int | str) -> None:
    more = b"<truncated>" + written + b"</truncated><difficult>" + written + b"</difficult></object>"
    (image,) = parse_voc([("x.xml", TOOL.replace(b"</object>", more, 1))]).images

    assert image.objects[0].attributes == {"colour": "red", "truncated": kept, "difficult": kept}
