"""The sample is the same everywhere, and its annotations tell the truth except where a fault was planted."""

import hashlib
import json
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest
from pycocotools.coco import COCO

from sample_scenes.sample import write_scenes
from scenes_url import ScenesRequest, parse_scenes_url
from sinara_lib.errors import ParamsError

REQUEST = ScenesRequest(images=60, size=256, seed=1)
# These change only with a change of the drawing that is meant, or with the JPEG encoder of a new Pillow.
GOLDEN_ANNOTATIONS = "a5105c5b8b63417a706db1d26935b8bd832837409da216353dd815b45bca8d59"
GOLDEN_IMAGES = "78b86c85d21ce237b55ea3e6feec20e0ec171a531df2a24ea3d730c70dbe3de3"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sample")
    write_scenes(REQUEST, folder)
    return folder


@pytest.fixture(scope="module")
def coco(folder: Path) -> COCO:
    return COCO(str(folder / "instances.json"))


def planted(coco: COCO) -> dict[str, list[int]]:
    return coco.dataset["info"]["planted_defects"]


def sound_annotations(coco: COCO) -> list[dict]:
    faulty = {id_ for fault, ids in planted(coco).items() if fault != "unreadable_image" for id_ in ids}
    return [one for one in coco.dataset["annotations"] if one["id"] not in faulty]


def digest_of_images(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted((folder / "images").iterdir()):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def test_the_same_url_gives_the_same_bytes_on_any_machine(tmp_path: Path) -> None:
    write_scenes(parse_scenes_url("sample://scenes?images=8&size=128&seed=7"), tmp_path)
    document = json.loads((tmp_path / "instances.json").read_text())
    facts = json.dumps(
        [[one["image_id"], one["bbox"], one["area"], one["segmentation"]] for one in document["annotations"]]
    )

    assert hashlib.sha256(facts.encode()).hexdigest() == GOLDEN_ANNOTATIONS
    assert digest_of_images(tmp_path) == GOLDEN_IMAGES


def test_files_carry_one_fixed_time(folder: Path) -> None:
    files = [path for path in folder.rglob("*") if path.is_file()]

    assert {path.stat().st_mtime for path in files} == {946_684_800.0}
    assert len(files) == REQUEST.images + 1


def test_another_seed_draws_other_scenes_and_a_smaller_sample_is_a_part_of_a_larger(
    tmp_path: Path, folder: Path
) -> None:
    write_scenes(ScenesRequest(images=3, seed=2, defects=0), tmp_path / "other")
    write_scenes(ScenesRequest(images=3, seed=1, defects=0), tmp_path / "part")
    name = "images/000000000002.jpg"

    assert (tmp_path / "part" / name).read_bytes() == (folder / name).read_bytes()
    assert (tmp_path / "other" / name).read_bytes() != (folder / name).read_bytes()


def test_boxes_areas_and_shapes_are_exact_by_pycocotools(coco: COCO) -> None:
    for one in sound_annotations(coco):
        mask = coco.annToMask(one)
        ys, xs = np.nonzero(mask)
        assert one["bbox"] == [xs.min(), ys.min(), xs.max() + 1 - xs.min(), ys.max() + 1 - ys.min()]
        assert one["area"] == mask.sum() >= 60


def test_no_pixel_belongs_to_two_objects(coco: COCO) -> None:
    taken: dict[int, np.ndarray] = {}
    for one in sound_annotations(coco):
        seen = taken.setdefault(one["image_id"], np.zeros((REQUEST.size, REQUEST.size), dtype=np.uint8))
        seen += coco.annToMask(one)

    assert max(int(seen.max()) for seen in taken.values()) == 1


def test_every_class_is_there_in_fair_share(coco: COCO) -> None:
    counts = Counter(coco.cats[one["category_id"]]["name"] for one in sound_annotations(coco) if not one["iscrowd"])

    assert set(counts) == {"person", "bicycle", "car", "motorcycle", "bus", "truck"}
    assert max(counts.values()) <= 3 * min(counts.values())
    assert {name: cat["id"] for cat in coco.cats.values() for name in [cat["name"]]}["truck"] == 8


def test_objects_overlap_images_are_empty_and_a_crowd_has_run_lengths(coco: COCO) -> None:
    crowds = [one for one in coco.dataset["annotations"] if one["iscrowd"]]
    empty = [id_ for id_ in coco.imgs if not coco.getAnnIds(id_)]
    per_image = Counter(one["image_id"] for one in sound_annotations(coco))
    pairs = [
        (one, other)
        for one in sound_annotations(coco)
        for other in coco.imgToAnns[one["image_id"]]
        if one["id"] < other["id"] and intersects(one["bbox"], other["bbox"])
    ]

    assert len(crowds) == 2
    assert isinstance(crowds[0]["segmentation"]["counts"], list)
    assert len(empty) >= 2
    assert max(per_image.values()) >= 5
    assert len(pairs) >= 20


def intersects(one: list[float], other: list[float]) -> bool:
    return all(one[i] < other[i] + other[i + 2] and other[i] < one[i] + one[i + 2] for i in (0, 1))


def test_objects_have_a_learnable_size(coco: COCO) -> None:
    longer = sorted(max(one["bbox"][2:]) for one in sound_annotations(coco))

    assert longer[len(longer) // 20] >= 25
    assert longer[-len(longer) // 20] <= 140


def test_each_planted_fault_is_there(coco: COCO, folder: Path) -> None:
    faults, annotations = planted(coco), coco.anns
    size = REQUEST.size

    assert {fault: len(ids) for fault, ids in faults.items()} == dict.fromkeys(faults, 1)
    assert len(faults) == 5
    assert annotations[faults["negative_coordinates"][0]]["bbox"][0] < 0
    assert annotations[faults["zero_area"][0]]["area"] == 0
    assert annotations[faults["outside_image"][0]]["bbox"][0] >= size
    assert annotations[faults["no_image"][0]]["image_id"] not in coco.imgs
    broken = coco.imgs[faults["unreadable_image"][0]]["file_name"]
    assert cv2.imread(str(folder / "images" / broken)) is None


def test_all_other_images_can_be_read_at_their_stated_size(coco: COCO, folder: Path) -> None:
    broken = set(planted(coco)["unreadable_image"])
    shapes = {
        cv2.imread(str(folder / "images" / one["file_name"])).shape
        for id_, one in coco.imgs.items()
        if id_ not in broken
    }

    assert shapes == {(REQUEST.size, REQUEST.size, 3)}


def test_without_defects_nothing_is_planted(tmp_path: Path) -> None:
    dataset = write_scenes(parse_scenes_url("sample://scenes?images=6&size=128&seed=1&defects=0"), tmp_path)

    assert "planted_defects" not in dataset.info
    assert {one.image_id for one in dataset.annotations} <= {one.id for one in dataset.images}


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("sample://scene?images=4", "the built-in sample is sample://scenes"),
        ("sample://scenes?images=0", "images is '0'; expected a whole number from 1 to 100000"),
        ("sample://scenes?size=9999", "size is '9999'; expected a whole number from 96 to 1024"),
        ("sample://scenes?seed=-1", "seed is '-1'"),
        ("sample://scenes?seed=", "seed is ''"),
        ("sample://scenes?images=4&images=5", "images is given twice"),
        (
            "sample://scenes?pictures=4",
            "pictures is unknown; the sample takes each of images, size, seed, defects once",
        ),
    ],
)
def test_a_wrong_sample_url_is_explained(url: str, message: str) -> None:
    with pytest.raises(ParamsError, match=message.replace("?", r"\?")):
        parse_scenes_url(url)
