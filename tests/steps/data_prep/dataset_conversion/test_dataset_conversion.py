"""Tiles, smaller images and copies: every object is in its place, or was dropped by the rule and counted."""

from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as run_lengths

from dataset_conversion.augment import change_move, change_pixels, draw_change
from dataset_conversion.conversion import Conversion, Counts, add_copies, convert_images, limit_empty_tiles
from dataset_conversion.geometry import moved
from dataset_conversion.rendering import encode_picture, make_picture
from prep_cases import box, dataset_of, picture
from prep_params import Augment, Rule, Tiles
from sinara_lib.vision.boxes import clip_polygon
from sinara_lib.vision.coco import CocoAnnotation, CocoDataset
from sinara_lib.vision.letterbox import decode_image

RULE = Rule(min_visible=0.3, min_object_size=1.0)
BIG = picture(1, file_name="in/big.jpg", width=1000, height=700)
WHITE = 250


def _convert(dataset: CocoDataset, **changes: Any) -> Conversion:
    return convert_images(dataset, **({"longest_side": None, "tiles": None, "rule": RULE} | changes))


def _painted(objects: tuple[CocoAnnotation, ...], width: int, height: int) -> np.ndarray:
    """A black picture, each object's box white; boxes lie on whole pixels."""
    image = np.zeros((height, width, 3), dtype=np.uint8)
    for one in objects:
        x, y, w, h = map(round, one.bbox)
        image[y : y + h, x : x + w] = 255
    return image


def test_tiles_cover_the_image_and_the_last_ones_end_at_its_edge() -> None:
    windows = Tiles(width=400, height=300, overlap=50).windows(1000, 700)
    assert windows[:3] == [(0, 0, 400, 300), (350, 0, 400, 300), (600, 0, 400, 300)]
    assert [top for left, top, _, _ in windows if left == 0] == [0, 250, 400]
    seen = np.zeros((700, 1000), dtype=bool)
    for left, top, width, height in windows:
        seen[top : top + height, left : left + width] = True
    assert seen.all()


def test_images_that_fit_stay_as_they_are_and_tiles_of_the_others_carry_a_group() -> None:
    dataset = dataset_of([BIG, picture(2)], [box(1), box(2, image=2)])
    result = _convert(dataset, tiles=Tiles(width=640, height=640))
    assert picture(2) in result.dataset.images
    assert result.dataset.annotations_of(2) == (box(2, image=2),)
    tiles = [image for image in result.dataset.images if image.id != 2]
    assert [image.file_name for image in tiles] == [f"in/big__{at}.jpg" for at in ("0_0", "360_0", "0_60", "360_60")]
    assert {image.extra["group"] for image in tiles} == {"in/big.jpg"}
    assert set(result.recipes) == {image.file_name for image in tiles}


def test_a_group_that_is_there_already_stays_with_tiles_and_copies() -> None:
    dataset = dataset_of([replace(BIG, extra={"group": "video 7", "time": 1.5})], [box(1)])
    tiled = _convert(dataset, tiles=Tiles(width=640, height=640))
    copied = add_copies(tiled, Augment(flip=True), rule=RULE, seed=1)
    assert len(copied.dataset.images) == 8
    assert {(one.extra["group"], one.extra["time"]) for one in copied.dataset.images} == {("video 7", 1.5)}


@pytest.mark.parametrize(("visible", "kept"), [(0.29, False), (0.31, True)])
def test_a_cut_object_stays_when_enough_of_it_is_visible_and_its_area_is_that_of_its_box(
    visible: float, kept: bool
) -> None:
    whole = box(1, bbox=(500.0 - 100 * visible, 10.0, 100.0, 50.0), area=4000.0)
    result = _convert(dataset_of([BIG], [whole]), tiles=Tiles(width=500, height=700))
    left = [one for one in result.dataset.annotations if one.bbox[0] > 400]
    assert len(left) == kept
    assert result.counts == Counts(cut=1 + kept, dropped=1 - kept, lost=0)
    if kept:
        assert left[0].bbox == pytest.approx((469.0, 10.0, 31.0, 50.0))
        assert left[0].area == pytest.approx(31.0 * 50.0)


def test_an_object_of_which_no_piece_is_left_is_counted_as_lost() -> None:
    wide = box(1, bbox=(0.0, 10.0, 1000.0, 50.0), area=100.0)
    result = _convert(dataset_of([BIG], [wide]), tiles=Tiles(width=200, height=700))
    assert result.counts == Counts(cut=0, dropped=5, lost=1)


def test_a_crowd_stays_however_little_of_it_is_seen() -> None:
    crowd = box(1, bbox=(0.0, 10.0, 1000.0, 50.0), iscrowd=1, segmentation={"counts": "1", "size": [700, 1000]})
    result = _convert(dataset_of([BIG], [crowd]), tiles=Tiles(width=200, height=700))
    assert [one.bbox[2] for one in result.dataset.annotations] == [200.0] * 5
    assert all(one.segmentation is None and one.iscrowd for one in result.dataset.annotations)


def test_a_smaller_image_keeps_its_name_and_its_objects_shrink_with_segmentation_and_area() -> None:
    segmentation = [[600.0, 100.0, 700.0, 100.0, 700.0, 200.0]]
    one = box(
        1, bbox=(600.0, 100.0, 100.0, 100.0), area=5000.0, segmentation=segmentation, extra={"keypoints": [1, 2, 2]}
    )
    dataset = dataset_of([BIG, picture(2, file_name="b.bmp", width=600, height=900), picture(3)], [one])
    result = _convert(dataset, longest_side=500)
    assert {i.file_name: (i.width, i.height) for i in result.dataset.images} == {
        "in/big.jpg": (500, 350),
        "b.bmp.png": (333, 500),
        "003.jpg": (64, 48),
    }
    (small,) = result.dataset.annotations
    assert small.bbox == pytest.approx((300.0, 50.0, 50.0, 50.0))
    assert small.segmentation == [pytest.approx([300.0, 50.0, 350.0, 50.0, 350.0, 100.0])]
    assert small.area == pytest.approx(1250.0)
    assert small.extra == {}


def test_a_segmentation_is_cut_with_its_object_whose_box_and_area_become_those_of_what_is_left() -> None:
    triangle = [[400.0, 100.0, 600.0, 100.0, 600.0, 300.0]]
    one = box(1, bbox=(400.0, 100.0, 200.0, 200.0), area=20_400.0, segmentation=triangle)
    result = _convert(dataset_of([BIG], [one]), tiles=Tiles(width=500, height=700))
    left, right = result.dataset.annotations
    assert left.segmentation == [[400.0, 100.0, 500.0, 100.0, 500.0, 200.0]]
    assert (left.bbox, left.area) == ((400.0, 100.0, 100.0, 100.0), pytest.approx(20_400 / 4))
    assert (right.bbox, right.area) == ((0.0, 100.0, 100.0, 200.0), pytest.approx(20_400 * 3 / 4))


def test_run_lengths_are_cut_with_their_object_and_one_without_a_pixel_left_is_gone() -> None:
    mask = np.zeros((700, 1000), dtype=np.uint8)
    mask[100:300, 400:450], mask[200:300, 450:520] = 1, 1
    runs = run_lengths.encode(np.asfortranarray(mask))
    segmentation = {"size": [700, 1000], "counts": runs["counts"].decode()}
    one = box(1, bbox=(400.0, 100.0, 300.0, 200.0), area=float(mask.sum()), iscrowd=1, segmentation=segmentation)
    result = _convert(dataset_of([BIG], [one]), tiles=Tiles(width=520, height=700))
    left, right = result.dataset.annotations
    assert np.array_equal(run_lengths.decode(left.segmentation), mask[:, :520])
    assert (left.bbox, left.area) == ((400.0, 100.0, 120.0, 200.0), float(mask.sum()))
    assert np.array_equal(run_lengths.decode(right.segmentation), mask[:, 480:])
    gone = _convert(dataset_of([BIG], [one]), tiles=Tiles(width=500, height=200))
    assert all(place.bbox[2] > 0 for place in gone.dataset.annotations)
    assert (len(gone.dataset.annotations), gone.counts) == (3, Counts(cut=3, dropped=1))


@settings(max_examples=60, deadline=None)
@given(points=st.lists(st.tuples(st.integers(-40, 140), st.integers(-40, 100)), min_size=3, max_size=7, unique=True))
def test_a_clipped_polygon_lies_inside_and_has_the_area_that_opencv_finds_for_convex_ones(points: Any) -> None:
    hull = cv2.convexHull(np.array(points, dtype=np.float32)).reshape(-1, 2)
    frame = np.array([(0, 0), (100, 0), (100, 60), (0, 60)], dtype=np.float32)
    clipped = clip_polygon(hull.astype(np.float64), (100, 60))
    expected = cv2.intersectConvexConvex(hull, frame)[0] if len(hull) > 2 else 0.0
    found = cv2.contourArea(clipped.astype(np.float32)) if len(clipped) > 2 else 0.0
    assert found == pytest.approx(expected, abs=0.1)
    if len(clipped):
        assert clipped.min() >= 0
        assert (clipped.max(axis=0) <= (100, 60)).all()


boxes = st.tuples(st.integers(0, 280), st.integers(0, 180), st.integers(4, 120), st.integers(4, 120))


@settings(max_examples=60, deadline=None)
@given(places=st.lists(boxes, max_size=4), width=st.integers(32, 300), height=st.integers(32, 200), data=st.data())
def test_boxes_lie_on_what_was_painted_in_every_tile(places: list[Any], width: int, height: int, data: Any) -> None:
    overlap = data.draw(st.integers(0, min(width, height) - 1).filter(lambda value: value % 16 == 0))
    objects = [
        box(number, bbox=(float(x), float(y), float(min(w, 300 - x)), float(min(h, 200 - y))))
        for number, (x, y, w, h) in enumerate(places, start=1)
    ]
    image = picture(1, file_name="a.png", width=300, height=200)
    tiles = Tiles(width=width, height=height, overlap=overlap)
    result = _convert(dataset_of([image], objects), tiles=tiles, rule=Rule(min_visible=0.0, min_object_size=0.0))
    painted = _painted(tuple(objects), 300, 200)
    for tile in result.dataset.images:
        recipe = result.recipes.get(tile.file_name)
        pixels = make_picture(painted, recipe) if recipe else painted
        pieces = result.dataset.annotations_of(tile.id)
        assert np.array_equal(pixels, _painted(pieces, tile.width, tile.height))
        for one in pieces:
            assert min(one.bbox[:2]) >= 0
            assert one.bbox[0] + one.bbox[2] <= tile.width
            assert one.bbox[1] + one.bbox[3] <= tile.height
    assert len({one.id for one in result.dataset.annotations}) == len(result.dataset.annotations)


@settings(max_examples=60, deadline=None)
@given(
    place=st.tuples(st.integers(60, 160), st.integers(40, 100), st.integers(20, 60), st.integers(20, 60)),
    angle=st.floats(-180, 180),
    factor=st.floats(0.5, 1.0),
    mirrored=st.booleans(),
)
def test_a_turned_box_is_the_smallest_around_what_was_painted(
    place: tuple[int, int, int, int], angle: float, factor: float, mirrored: bool
) -> None:
    one = box(1, bbox=tuple(map(float, place)), area=float(place[2] * place[3]))
    change = replace(draw_change(Augment(flip=True), file_name="", copy=1, seed=1), angle=angle, factor=factor)
    change = replace(change, mirrored=mirrored)
    pixels = change_pixels(_painted((one,), 300, 200), change)
    piece = moved(one, change_move(change, 300, 200), size=(300, 200), rule=RULE)
    assert piece is not None
    assert piece.annotation.area is not None
    ys, xs = np.nonzero((pixels[:, :, 0] > 127) & (pixels[:, :, 0] != 114))
    found = np.array([xs.min(), ys.min(), xs.max() + 1, ys.max() + 1])
    x, y, width, height = piece.annotation.bbox
    assert np.abs(found - [x, y, x + width, y + height]).max() <= 2.0
    assert piece.annotation.area == pytest.approx(width * height)


def test_a_turned_object_with_a_segmentation_gets_the_box_of_the_segmentation() -> None:
    diamond = [[50.0, 20.0, 80.0, 50.0, 50.0, 80.0, 20.0, 50.0]]
    one = box(1, bbox=(20.0, 20.0, 60.0, 60.0), area=1800.0, segmentation=diamond)
    dataset = dataset_of([picture(1, width=100, height=100)], [one])
    augment = Augment(rotate=180.0)
    change = draw_change(augment, file_name="001.jpg", copy=1, seed=1)
    rotated = add_copies(Conversion(dataset), augment, rule=RULE, seed=1).dataset.annotations[-1]
    side = 60 * max(abs(np.cos(np.radians(change.angle))), abs(np.sin(np.radians(change.angle))))
    assert rotated.bbox[2] == pytest.approx(side)
    assert rotated.area == pytest.approx(1800.0)


def test_copies_are_the_same_for_the_same_seed_whatever_else_there_is_and_differ_otherwise() -> None:
    augment = Augment(copies=2, rotate=10, scale=0.2, flip=True, colour=0.3)
    first = add_copies(Conversion(dataset_of([picture(1)], [box(1)])), augment, rule=RULE, seed=1)
    more = add_copies(Conversion(dataset_of([picture(2), picture(1)], [box(1)])), augment, rule=RULE, seed=1)
    other = add_copies(Conversion(dataset_of([picture(1)], [box(1)])), augment, rule=RULE, seed=2)
    assert set(first.recipes) == {"001__copy1.jpg", "001__copy2.jpg"}
    assert first.recipes == {name: more.recipes[name] for name in first.recipes}
    changes = [*first.recipes.values(), *other.recipes.values()]
    assert len({one.change for one in changes}) == 4
    change = first.recipes["001__copy1.jpg"].change
    assert change is not None
    assert (round(change.angle, 6), change.mirrored) == GOLDEN


def test_colours_change_by_what_is_asked_and_places_do_not() -> None:
    image = cv2.resize(np.random.default_rng(1).integers(60, 180, (6, 8, 3), dtype=np.uint8), (64, 48))
    same = replace(draw_change(Augment(flip=True), file_name="", copy=1, seed=1), mirrored=False)
    assert np.abs(change_pixels(image, same).astype(int) - image).max() <= 1
    brighter = change_pixels(image, replace(same, brightness=1.2))
    assert brighter.mean() == pytest.approx(1.2 * image.mean(), rel=0.02)
    grey = change_pixels(image, replace(same, saturation=0.0))
    assert np.ptp(grey, axis=2).max() == 0
    flat = change_pixels(image, replace(same, contrast=0.5))
    assert flat.std() == pytest.approx(0.5 * image.std(), rel=0.15)


def test_tiles_without_objects_beyond_their_share_are_left_out() -> None:
    dataset = dataset_of([BIG, picture(2)], [box(1)])
    tiled = _convert(dataset, tiles=Tiles(width=100, height=100))
    limited = limit_empty_tiles(tiled, empty_share=2.0, seed=1)
    assert len(tiled.dataset.images) == 71
    shown = [bool(limited.dataset.annotations_of(image.id)) for image in limited.dataset.images]
    assert shown.count(True) == 1
    assert 2 <= shown.count(False) <= 3, "a whole image without objects was chosen by the checks and stays"
    assert limited.counts.empty_dropped == 71 - len(limited.dataset.images)
    assert set(limited.recipes) == {image.file_name for image in limited.dataset.images} - {"002.jpg"}


@pytest.mark.parametrize(("name", "most"), [("a.png", 0), ("a.bmp.png", 0), ("a.JPG", 3)])
def test_pictures_are_written_without_loss_but_for_jpeg(name: str, most: int) -> None:
    image = cv2.resize(np.random.default_rng(1).integers(0, 255, (6, 8, 3), dtype=np.uint8), (64, 48))
    assert np.abs(decode_image(encode_picture(image, name)).astype(int) - image).mean() <= most


GOLDEN = (9.352313, True)
