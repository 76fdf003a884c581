"""CreateML, Supervisely, KITTI and Hugging Face objects are read by the rules of their tools."""

import base64
import io
import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from pycocotools import mask as oracle

from coco_fetch import Loaded, fetch_dataset
from fetch_params import FetchParams
from label_formats.createml import parse_createml
from label_formats.detection import judge
from label_formats.hugging_face import parse_hugging_face
from label_formats.image_index import ImageIndex
from label_formats.kitti import is_kitti, parse_kitti
from label_formats.labels import Labels
from label_formats.supervisely import parse_supervisely
from odd_objects import refuse_odd
from sinara_lib.errors import DataError

CAR = {"label": "car", "coordinates": {"x": 10, "y": 20, "width": 4, "height": 8}}


@pytest.mark.parametrize(("name", "several"), [("image", "annotations"), ("imagefilename", "annotation")])
def test_createml_gives_the_centre_of_a_box(name: str, several: str) -> None:
    data = json.dumps([{name: "a.jpg", several: [CAR]}, {name: "b.jpg", several: []}]).encode()
    first, second = parse_createml([("a.json", data)]).images

    assert (first.name, first.objects[0].label, first.objects[0].box) == ("a.jpg", "car", (8, 16, 4, 8))
    assert (second.objects, judge("a.json", data).format) == ((), "createml")


def test_an_odd_box_of_createml_is_left_out_with_its_place() -> None:
    data = json.dumps([{"image": "a.jpg", "annotations": [CAR, {"label": "car", "coordinates": None}]}]).encode()
    with pytest.raises(DataError, match=r"a\.json: a\.jpg: annotation 1: coordinates must be a JSON object"):
        refuse_odd(parse_createml([("a.json", data)]))


def supervisely(*objects: dict[str, Any], path: str = "ds/ann/1.jpg.json") -> Labels:
    content = {"size": {"height": 30, "width": 40}, "objects": list(objects)}
    meta = {"classes": [{"title": "car"}, {"title": "dog"}], "tags": []}
    return parse_supervisely([("meta.json", json.dumps(meta).encode()), (path, json.dumps(content).encode())])


def figure(kind: str, *corners: tuple[float, float], **more: Any) -> dict[str, Any]:
    outline = {"exterior": [list(corner) for corner in corners], "interior": []}
    return {"classTitle": "dog", "geometryType": kind, "points": outline, **more}


def test_supervisely_gives_rectangles_and_polygons_of_an_image_below_img() -> None:
    labels = supervisely(figure("rectangle", (1, 2), (5, 9)), figure("polygon", (3, 4), (9, 4), (5, 8)))
    (image,) = labels.images

    assert (labels.class_names, image.name, image.width, image.height) == (("car", "dog"), "ds/img/1.jpg", 40, 30)
    assert [(one.box, len(one.polygons)) for one in image.objects] == [((1, 2, 4, 7), 0), ((3, 4, 6, 4), 1)]


@pytest.mark.parametrize("deflated", [True, False])
def test_a_bitmap_is_the_mask_that_its_picture_shows(deflated: bool) -> None:
    part = np.array([[0, 255, 255], [255, 0, 0]], dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(np.dstack([part] * 4)).save(buffer, "PNG")
    data = zlib.compress(buffer.getvalue()) if deflated else buffer.getvalue()
    bitmap = {"data": base64.b64encode(data).decode(), "origin": [7, 5]}
    (found,) = supervisely({"classTitle": "dog", "geometryType": "bitmap", "bitmap": bitmap}).images[0].objects
    expected = np.zeros((30, 40), dtype=np.uint8)
    expected[5:7, 7:10] = part > 0

    assert found.box == (7, 5, 3, 2)
    assert (oracle.decode(oracle.frPyObjects(found.mask, 30, 40)) == expected).all()


def test_supervisely_s_lines_are_left_out_and_holes_are_said() -> None:
    hole = figure("polygon", (3, 4), (9, 4), (5, 8))
    hole["points"]["interior"] = [[[4, 4], [5, 5], [5, 4]]]
    tally = supervisely(hole, figure("line", (1, 2), (3, 4))).tally

    assert (tally.found, tally.left_out) == (2, {"shapes of the kind line": 1})
    assert tally.notes == {"holes of polygons (the polygons are kept)": 1}


KITTI = "Car 0.45 1 -1.57 10 20 14.5 28 1.5 1.6 3.7 -1 1 8 -1.6\n"


@pytest.mark.parametrize(
    ("line", "label"),
    [
        (KITTI, "Car"),
        (KITTI.replace("Car", "traffic light"), "traffic light"),
        (KITTI.replace("Car", "02146"), "02146"),
        (KITTI.replace("Car", "lane 12"), "lane 12"),
        (KITTI.replace("\n", " 0.98"), "Car"),
    ],
)
def test_a_line_of_kitti_has_a_type_of_any_name_and_edges_in_pixels(line: str, label: str) -> None:
    (image,) = parse_kitti([("label_2/1.txt", line.encode())], index=ImageIndex(["image_2/1.png"])).images

    assert (image.stem, [(one.label, one.box) for one in image.objects]) == ("image_2/1", [(label, (10, 20, 4.5, 8))])
    assert image.objects[0].attributes == {"truncated": "0.45", "occluded": 1}


def test_regions_nobody_has_looked_at_are_no_objects_and_an_odd_line_is_left_out() -> None:
    text = KITTI + KITTI.replace("Car", "DontCare") + KITTI.replace("14.5", "wide") + "\n"
    labels = parse_kitti([("label_2/1.txt", text.encode())], index=ImageIndex(["image_2/1.png"]))

    assert (labels.tally.found, labels.tally.taken) == (2, 1)
    assert labels.tally.notes == {"regions marked DontCare": 1}
    with pytest.raises(DataError, match=r"label_2/1\.txt: line 3: needs a type and 14 numbers"):
        refuse_odd(labels)


def test_a_polygon_of_yolo_with_as_many_numbers_is_not_kitti() -> None:
    assert not is_kitti("0 " + " ".join(["0.5"] * 14))
    assert is_kitti(KITTI)


def rows(*written: dict[str, Any], path: str = "train/metadata.jsonl") -> Labels:
    return parse_hugging_face([(path, "\n".join(map(json.dumps, written)).encode())])


BOXES: dict[str, Any] = {"bbox": [[1, 2, 3, 4], [5, 6, 7, 8]], "categories": [0, 3]}


@pytest.mark.parametrize(
    "objects",
    [
        BOXES,
        [{"bbox": [1, 2, 3, 4], "category": 0}, {"bbox": [5, 6, 7, 8], "category": 3}],
        json.dumps(BOXES),
        {"boxes": BOXES["bbox"], "label": ["0", "3"], "area": [12.0, 56.0]},
    ],
)
def test_objects_are_lists_side_by_side_or_a_list_of_objects(objects: Any) -> None:
    (image,) = rows({"file_name": "a.jpg", "objects": objects}).images

    assert image.name == "train/a.jpg"
    assert [(one.label, one.box) for one in image.objects] == [("0", (1, 2, 3, 4)), ("3", (5, 6, 7, 8))]


def test_metadata_may_be_a_csv_file_with_objects_as_json() -> None:
    data = "file_name,objects\na.jpg," + '"' + json.dumps(BOXES).replace('"', '""') + '"\n'
    labels = parse_hugging_face([("metadata.csv", data.encode())])

    assert (judge("metadata.csv", data.encode()).format, labels.tally.found) == ("hugging_face", 2)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"objects": BOXES}, "row 1: names no image"),
        (
            {"file_name": "a.jpg", "objects": {"bbox": [[1, 2, 3, 4]], "category": []}},
            "category has 0 values for 1 boxes",
        ),
        ({"file_name": "a.jpg", "objects": {"corners": []}}, "objects has none of bbox, bboxes"),
    ],
)
def test_a_row_of_another_shape_is_refused_with_its_number(row: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        rows(row)


def picture(size: tuple[int, int], kind: str) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size).save(buffer, kind)
    return buffer.getvalue()


def hub_file(folder: Path, *, features: bool = True) -> Path:
    """A parquet file as the Hub keeps it: pictures inside, classes by number, their names in the features."""
    images = [
        {"bytes": picture((40, 30), "PNG"), "path": "a.png"},
        {"bytes": picture((20, 10), "JPEG"), "path": None},
        {"bytes": picture((8, 8), "PNG"), "path": "other/A.png"},
    ]
    objects = [
        {"bbox": [[1.0, 2.0, 3.0, 4.0]], "category": [1]},
        {"bbox": [], "category": []},
        {"bbox": [], "category": []},
    ]
    table = pa.table({"image": images, "objects": objects})
    known = {
        "image": {"_type": "Image"},
        "objects": {"category": {"feature": {"_type": "ClassLabel", "names": ["cat", "dog"]}}},
    }
    if features:
        table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": known}})})
    path = folder / "train-00000-of-00001.parquet"
    pq.write_table(table, path)
    return path


def load(folder: Path, **values: Any) -> Loaded:
    return fetch_dataset(FetchParams(**values), folder / "work")


def test_a_parquet_file_of_the_hub_brings_its_images_and_the_names_of_its_classes(tmp_path: Path) -> None:
    loaded = load(tmp_path, images_url=str(hub_file(tmp_path)))

    assert loaded.names == ["00000001.jpg", "00000002_A.png", "a.png"]
    assert (loaded.images / "a.png").read_bytes() == picture((40, 30), "PNG")
    sizes = {one.file_name: (one.width, one.height) for one in loaded.dataset.images}
    assert sizes == {"a.png": (40, 30), "00000001.jpg": (20, 10), "00000002_A.png": (8, 8)}
    assert [(one.bbox, loaded.dataset.class_names) for one in loaded.dataset.annotations] == [
        ((1, 2, 3, 4), ("cat", "dog"))
    ]
    assert (loaded.missing, loaded.sources[0].format) == ([], "Hugging Face objects, detected")


def test_classes_without_names_are_called_by_their_number(tmp_path: Path) -> None:
    assert load(tmp_path, annotations_url=str(hub_file(tmp_path, features=False))).dataset.class_names == ("1",)


def test_the_images_of_a_parquet_file_are_the_same_bytes_and_times_whenever_it_is_read(tmp_path: Path) -> None:
    path = hub_file(tmp_path)
    loaded = load(tmp_path, images_url=str(path))

    assert {file.stat().st_mtime_ns for file in loaded.images.iterdir()} == {path.stat().st_mtime_ns}
