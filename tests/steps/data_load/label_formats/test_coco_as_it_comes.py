"""COCO documents as people have them are read: odd ids, names, sizes and boxes; what cannot be read is counted."""

import json
import re
import zipfile
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from coco_fetch import Loaded, fetch_dataset
from faulty_server import FaultyServer, whole
from fetch_params import FetchParams
from label_formats.coco_reading import CocoFile, read_coco
from label_formats.tally import ODD
from load_summary import formats_table
from sinara_lib.errors import DataError
from sinara_lib.vision.coco import load_coco

BOX = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 2, 30, 20], "area": 600, "iscrowd": 0}
RECORD = {"id": 1, "file_name": "1.jpg", "width": 64, "height": 48}
CAR = {"id": 1, "name": "car"}
MASK = {"size": [48, 64], "counts": [48 * 2 + 3, 5, 43, 5, 48 * 64 - (48 * 2 + 3) - 53]}


def document(*annotations: Any, images: Any = (RECORD,), categories: Any = (CAR,)) -> dict[str, Any]:
    return {"images": list(images), "annotations": list(annotations), "categories": list(categories)}


def read(folder: Path, *annotations: Any, **lists: Any) -> CocoFile:
    (folder / "i.json").write_text(json.dumps(document(*annotations, **lists)))
    return read_coco(folder / "i.json", "i.json")


def load(folder: Path, content: bytes | dict[str, Any], *names: str, **values: Any) -> Loaded:
    """Load a document beside images of 64 x 48 pixels."""
    source = folder / "source"
    for name in names or ("images/1.jpg",):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (64, 48)).save(source / name, "JPEG")
    source.mkdir(exist_ok=True)
    (source / "instances.json").write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return fetch_dataset(FetchParams(**{"images_url": str(source), **values}), folder / "work")


@pytest.mark.parametrize(
    ("image_id", "annotation"),
    [
        ("1", {"image_id": "1"}),
        (2**60, {"image_id": 2**60}),
        ("a-7", {"image_id": "a-7", "id": "x", "category_id": "1"}),
        (1, {"image_id": "1", "id": None, "area": "600", "iscrowd": "false"}),
        (1.0, {"bbox": ["1", "2.0", 30, 20], "area": "much", "iscrowd": True}),
    ],
)
def test_ids_and_numbers_may_be_text_large_or_missing(
    image_id: Any, annotation: dict[str, Any], tmp_path: Path
) -> None:
    found = read(tmp_path, {**BOX, **annotation}, images=[{**RECORD, "id": image_id}])

    (image,), (one,) = found.dataset.images, found.dataset.annotations
    assert (one.image_id, one.bbox, found.dataset.annotations_of(image.id)) == (image.id, (1, 2, 30, 20), (one,))
    assert found.dataset.class_names == ("car",)
    assert (found.tally.found, found.tally.left_out, found.exact) == (1, {}, False)


def test_ids_that_are_renumbered_are_never_mixed_up_with_unknown_ones(tmp_path: Path) -> None:
    images = [{**RECORD, "id": "a"}, {**RECORD, "id": "001", "file_name": "2.jpg"}, {"file_name": "3.jpg"}]
    boxes = [{**BOX, "id": number, "image_id": key} for number, key in enumerate(["a", "001", "1", 4, 3])]
    found = read(tmp_path, *boxes, images=images)

    assert [len(found.dataset.annotations_of(one.id)) for one in found.dataset.images] == [1, 1, 0]
    assert len({one.image_id for one in found.dataset.annotations}) == 5


@pytest.mark.parametrize("sides", [{}, {"width": None, "height": None}, {"width": 0, "height": 48}, {"width": "x"}])
def test_sizes_that_are_missing_are_read_from_the_files(sides: dict[str, Any], tmp_path: Path) -> None:
    images = [{"id": 1, "file_name": "1.jpg", **sides}]

    assert [(one.width, one.height) for one in load(tmp_path, document(BOX, images=images)).dataset.images] == [
        (64, 48)
    ]


def test_sizes_written_as_text_are_sizes(tmp_path: Path) -> None:
    found = read(tmp_path, BOX, images=[{**RECORD, "width": "640", "height": 480.4}])

    assert [(one.width, one.height) for one in found.dataset.images] == [(640, 480)]


@pytest.mark.parametrize(
    ("annotation", "box"),
    [
        ({"bbox": [], "segmentation": [[1, 2, 11, 2, 11, 22], [0, 5, 3, 5, 3, 8]]}, (0, 2, 11, 20)),
        ({"bbox": None, "segmentation": [1, 2, 11, 2, 11, 22]}, (1, 2, 10, 20)),
        ({"bbox": [None] * 4, "segmentation": MASK}, (2, 3, 2, 5)),
    ],
)
def test_a_box_that_is_missing_comes_from_the_segmentation(
    annotation: dict[str, Any], box: tuple[float, ...], tmp_path: Path
) -> None:
    assert [one.bbox for one in read(tmp_path, {**BOX, **annotation}).dataset.annotations] == [box]


@pytest.mark.parametrize(
    ("annotation", "message"),
    [
        ({"bbox": []}, "has no `bbox`, and no segmentation that tells one"),
        ({"bbox": [1, 2, float("nan"), 4]}, "`bbox` must be a finite number, found 'NaN'"),
        ({"bbox": [1, 2, float("inf"), 4]}, "`bbox` must be a finite number, found 'Infinity'"),
        ({"bbox": [1, 2, 3]}, r"`bbox` must be \[x, y, width, height\], found \[1, 2, 3\]"),
        ({"bbox": [], "segmentation": [[1, 2, 3, 4]]}, "`segmentation`: a polygon needs at least three points"),
        ({"image_id": None}, "`image_id` must be a number or a text, found nothing"),
        ({"iscrowd": "perhaps"}, "`iscrowd` must be 0 or 1, found 'perhaps'"),
    ],
)
def test_one_odd_annotation_is_counted_named_and_left_out(
    annotation: dict[str, Any], message: str, tmp_path: Path
) -> None:
    loaded = load(tmp_path, document(BOX, {**BOX, "id": 2, **annotation}))

    tally = loaded.sources[0].tally
    assert (len(loaded.dataset.annotations), tally.found, tally.left_out) == (1, 2, {ODD: 1})
    assert re.match(rf"instances\.json: annotations\[1\]: {message}", tally.examples[ODD])
    assert "2 objects found = 1 taken + 1 left out." in formats_table(loaded.sources)


def test_many_odd_annotations_are_an_error_that_names_reason_and_parameter(tmp_path: Path) -> None:
    boxes = [{**BOX, "id": number, "bbox": [] if number < 3 else [1, 2, 3, 4]} for number in range(100)]

    with pytest.raises(
        DataError, match=r"3 of 100 objects were left out.*annotations\[0\]: has no `bbox`.*max_left_out"
    ):
        load(tmp_path, document(*boxes))
    loaded = fetch_dataset(FetchParams(images_url=str(tmp_path / "source"), max_left_out=0.03), tmp_path / "again")
    assert len(loaded.dataset.annotations) == 97


def test_a_value_that_is_no_number_beside_changed_names_is_no_obstacle(tmp_path: Path) -> None:
    odd = {**BOX, "id": 2, "score": float("nan"), "segmentation": [[float("nan"), 1, 2, 3, 4, 5]], "area": float("inf")}
    loaded = load(tmp_path, document(odd, images=[{**RECORD, "file_name": "train/1.jpg"}]))

    (one,) = load_coco(loaded.annotations / "instances.json").annotations
    assert (one.bbox, one.area, one.segmentation) == ((1, 2, 30, 20), None, None)
    assert loaded.sources[0].tally.notes == {"segmentations that cannot be read (the boxes are kept)": 1}


@pytest.mark.parametrize(
    "name", ["/home/u/data/1.jpg", "../images/1.jpg", "/1.jpg", "C:\\data\\images\\1.jpg", "a/../1.jpg"]
)
def test_absolute_and_climbing_names_are_found_by_their_ends(name: str, tmp_path: Path) -> None:
    loaded = load(tmp_path, document(BOX, images=[{**RECORD, "file_name": name}]))

    assert ([one.file_name for one in loaded.dataset.images], loaded.missing) == (["1.jpg"], [])


@pytest.mark.parametrize("name", ["Gro\u0308\u00dfe 1.jpg", "GRÖSSE 1.JPG", "Gr%C3%B6%C3%9Fe%201.jpg"])
def test_a_name_in_another_spelling_finds_its_file_and_is_told(name: str, tmp_path: Path) -> None:
    loaded = load(tmp_path, document(BOX, images=[{**RECORD, "file_name": name}]), "Größe 1.jpg")

    assert ([one.file_name for one in loaded.dataset.images], loaded.missing) == (["Größe 1.jpg"], [])
    assert loaded.sources[0].tally.notes == {"images found under a name that is spelled otherwise": 1}


def test_a_file_that_is_named_rightly_is_no_ones_other_spelling(tmp_path: Path) -> None:
    images = [{**RECORD, "file_name": "A.JPG"}, {**RECORD, "id": 2, "file_name": "a.jpg"}]
    loaded = load(tmp_path, document(BOX, images=images), "a.jpg")

    assert ([one.file_name for one in loaded.dataset.images], loaded.missing) == (["A.JPG", "a.jpg"], ["A.JPG"])


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-8-sig"])
def test_other_codings_of_unicode_are_read_and_published_as_utf_8(encoding: str, tmp_path: Path) -> None:
    loaded = load(tmp_path, json.dumps(document(BOX, categories=[{"id": 1, "name": "Größe"}])).encode(encoding))

    assert loaded.sources[0].format == "COCO JSON, detected"
    assert json.loads((loaded.annotations / "instances.json").read_text("utf-8"))["categories"][0]["name"] == "Größe"


def test_a_long_beginning_does_not_hide_the_format(tmp_path: Path) -> None:
    content = {"info": {"description": "x" * 200_000}, "licenses": [{"id": 1, "images": "no"}], **document(BOX)}

    assert load(tmp_path, content).sources[0].format == "COCO JSON, detected"


def test_a_lone_document_brings_the_images_beside_it(tmp_path: Path) -> None:
    content = document(BOX, images=[{**RECORD, "file_name": "images/1.jpg"}])
    loaded = load(tmp_path, content, images_url=None, annotations_url=str(tmp_path / "source" / "instances.json"))

    assert (loaded.names, loaded.missing) == (["1.jpg"], [])


@pytest.mark.parametrize("key", ["file_name", "coco_url"])
def test_a_lone_document_brings_images_by_their_urls(key: str, server: FaultyServer, tmp_path: Path) -> None:
    Image.new("RGB", (64, 48)).save(tmp_path / "1.jpg")
    url = server.serve("/photos/1.jpg", whole((tmp_path / "1.jpg").read_bytes()))
    images = [{**RECORD, "file_name": "own.jpg", key: url}]
    (tmp_path / "i.json").write_text(json.dumps(document(BOX, images=images)))
    loaded = fetch_dataset(FetchParams(annotations_url=str(tmp_path / "i.json")), tmp_path / "work")

    assert (loaded.names, loaded.missing) == (["1.jpg"], [])
    assert loaded.dataset.annotations_of(loaded.dataset.images[0].id)


def roboflow(names: str, *images: str) -> dict[str, Any]:
    """A document as Roboflow exports it: ids that start again in each, and a class above all others."""
    root = {"id": 0, "name": "things", "supercategory": "none"}
    classes = [{"id": number, "name": name, "supercategory": "things"} for number, name in enumerate(names.split(), 1)]
    records = [{**RECORD, "id": number, "file_name": name} for number, name in enumerate(images)]
    boxes = [{**BOX, "id": number, "image_id": number, "bbox": [number, 2, 30, 20]} for number in range(len(images))]
    return document(*boxes, images=records, categories=[root, *classes])


def test_three_folders_with_a_document_each_become_one(tmp_path: Path) -> None:
    parts = {"train": ("cat dog", "1.jpg", "2.jpg"), "valid": ("dog cat", "3.jpg"), "test": ("dog", "1.jpg")}
    Image.new("RGB", (64, 48)).save(tmp_path / "x.jpg")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for folder, (names, *images) in parts.items():
            archive.writestr(f"{folder}/_annotations.coco.json", json.dumps(roboflow(names, *images)))
            for image in images:
                archive.write(tmp_path / "x.jpg", f"{folder}/{image}")
    loaded = fetch_dataset(FetchParams(images_url=str(tmp_path / "a.zip")), tmp_path / "work")

    names = {one.id: one.name for one in loaded.dataset.categories}
    assert {
        image.file_name: [(names[one.category_id], one.bbox[0]) for one in loaded.dataset.annotations_of(image.id)]
        for image in loaded.dataset.images
    } == {"train__1.jpg": [("cat", 0)], "2.jpg": [("cat", 1)], "3.jpg": [("dog", 0)], "test__1.jpg": [("dog", 0)]}
    assert (sorted(names.values()), loaded.missing) == (["cat", "dog"], [])
    tally = loaded.sources[0].tally
    assert (tally.found, tally.taken) == (4, 4)
    assert tally.notes == {"classes without objects that stand for all others (things)": 3}
    assert not any("source" in one.extra for one in loaded.dataset.images)


def test_a_class_above_others_stays_where_it_has_objects_or_is_an_ordinary_one(tmp_path: Path) -> None:
    root, cat = {"id": 0, "name": "things", "supercategory": "none"}, {**CAR, "supercategory": "things"}

    assert read(tmp_path, {**BOX, "category_id": 0}, categories=[root, cat]).dataset.class_names == ("things", "car")
    assert read(tmp_path, BOX, categories=[{**root, "supercategory": ""}, cat]).exact


def test_documents_that_list_the_same_images_need_a_word_which_counts(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "keypoints.json").write_text(json.dumps(document(BOX)))

    with pytest.raises(DataError, match=r"instances\.json, keypoints\.json\)\. Name one in annotations_member.*1\.jpg"):
        load(tmp_path, document(BOX))


def test_images_that_are_not_there_are_an_error_above_the_share(tmp_path: Path) -> None:
    images = [{**RECORD, "id": number, "file_name": f"{number}.jpg"} for number in range(1, 5)]

    with pytest.raises(
        DataError, match=r"3 of the 4 images of the annotations \(such as 2\.jpg, 3\.jpg, 4\.jpg\).*max_left_out"
    ):
        load(tmp_path, document(BOX, images=images))
    loaded = fetch_dataset(FetchParams(images_url=str(tmp_path / "source"), max_left_out=1.0), tmp_path / "again")
    assert loaded.missing == ["2.jpg", "3.jpg", "4.jpg"]


def test_errors_name_the_file_as_the_source_does(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        load(tmp_path, {"images": []}, format="coco")

    assert "00000000" not in str(caught.value)
    assert "source: instances.json needs a list `categories`, found nothing" in str(caught.value)


@pytest.mark.parametrize(
    ("content", "name"),
    [
        ([{"image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4], "score": 0.5}], "COCO results"),
        ([{"name": "1.jpg", "labels": [{"category": "a", "box2d": {"x1": 1}}]}], "BDD100K"),
        ([{"some": "thing"}], "holds no annotations in a known format"),
        ([], r"instances\.json is an empty list"),
        ([1, 2], "holds no annotations in a known format"),
        ({"annotations": [{"image_id": 1, "segments_info": []}], "images": []}, "COCO panoptic"),
    ],
)
def test_what_is_not_annotations_is_refused_by_name(content: Any, name: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=name):
        load(tmp_path, json.dumps(content).encode())


def test_results_beside_annotations_are_in_nobodys_way(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "results.json").write_text('[{"image_id": 1, "category_id": 1, "score": 1}]')

    assert len(load(tmp_path, document(BOX)).dataset.annotations) == 1


def test_a_document_without_images_is_nothing_to_load(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nothing to load: its annotations \(COCO JSON, detected\) list no image"):
        load(tmp_path, document(images=[]))
