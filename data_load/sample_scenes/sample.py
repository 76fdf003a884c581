"""The built-in sample: `sample://scenes?images=400&size=256&seed=1`, drawn street scenes with exact COCO annotations.

The same URL gives the same bytes on any machine: all geometry is in integers and all chance comes from Python's own
generator, so that only the JPEG encoder (pinned Pillow) stands between the code and the file.
"""

import io
from dataclasses import replace
from pathlib import Path
from random import Random

from PIL import Image

from file_times import stamp
from sample_scenes.drawing import KINDS, Drawn, Kind, Scene, draw_scene
from sample_scenes.masks import mask_box, mask_polygons
from scenes_url import ScenesRequest
from sinara_lib.progress import progress
from sinara_lib.vision.coco import CocoAnnotation, CocoCategory, CocoDataset, CocoImage, save_coco
from sinara_lib.vision.run_lengths import runs_of

CATEGORIES = (
    CocoCategory(1, "person", "person"),
    CocoCategory(2, "bicycle", "vehicle"),
    CocoCategory(3, "car", "vehicle"),
    CocoCategory(4, "motorcycle", "vehicle"),
    CocoCategory(6, "bus", "vehicle"),
    CocoCategory(8, "truck", "vehicle"),
)
LICENSE = {"id": 1, "name": "CC0 1.0 Universal", "url": "https://creativecommons.org/publicdomain/zero/1.0/"}


def write_scenes(request: ScenesRequest, folder: str | Path) -> CocoDataset:
    """Draw the sample into `folder`/images and `folder`/instances.json; returns the document."""
    folder = Path(folder)
    (folder / "images").mkdir(parents=True, exist_ok=True)
    images: list[CocoImage] = []
    annotations: list[CocoAnnotation] = []
    for index in progress(range(request.images), label="Drawing scenes", total=request.images, unit="image"):
        rng = Random(f"{request.seed}/{index}")  # noqa: S311 - drawings, not secrets
        scene = _scene(request.size, index, rng)
        images.append(CocoImage(index + 1, f"{index + 1:012d}.jpg", request.size, request.size, {"license": 1}))
        _write(folder / "images" / images[-1].file_name, _jpeg(scene, quality=rng.randint(76, 95)))
        for drawn in scene.objects:
            annotations.append(_annotation(drawn, image_id=index + 1, annotation_id=len(annotations) + 1))
    info = {
        "description": "Drawn street scenes",
        "url": request.url,
        "version": "1",
        "year": 2026,
        "contributor": "sinara_lib",
    }
    dataset = CocoDataset(tuple(images), tuple(annotations), CATEGORIES, info, (LICENSE,))
    if request.defects:
        dataset, unreadable = plant_defects(dataset, Random(f"{request.seed}/defects"))  # noqa: S311 - as above
        for image in unreadable:
            _cut_short(folder / "images" / image.file_name)
    save_coco(dataset, folder / "instances.json")
    stamp(folder / "instances.json")
    return dataset


def _scene(size: int, index: int, rng: Random) -> Scene:
    """Start every sixth scene with the same class, so that none is missing even from a small sample."""
    if index % 20 == 3:
        return draw_scene(size, rng, kinds=[])
    extra = rng.choice([0, 1, 2, 2, 3, 3, 4, 5])
    return draw_scene(size, rng, kinds=[KINDS[index % 6], *_more_kinds(extra, rng)], crowd=index % 50 == 5)


def _more_kinds(count: int, rng: Random) -> list[Kind]:
    """Further kinds by chance; people less often, because riders come on top."""
    return [rng.choice(KINDS + KINDS[1:]) for _ in range(count)]


def _jpeg(scene: Scene, *, quality: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(scene.pixels).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def _annotation(drawn: Drawn, *, image_id: int, annotation_id: int) -> CocoAnnotation:
    x, y, width, height = mask_box(drawn.mask)
    crowd = {"counts": runs_of(drawn.mask), "size": list(drawn.mask.shape)}
    polygons = [[float(value) for value in polygon] for polygon in mask_polygons(drawn.mask)]
    return CocoAnnotation(
        id=annotation_id,
        image_id=image_id,
        category_id=drawn.category,
        bbox=(float(x), float(y), float(width), float(height)),
        area=float(drawn.mask.sum()),
        iscrowd=int(drawn.crowd),
        segmentation=crowd if drawn.crowd else polygons,
    )


def _cut_short(path: Path) -> None:
    """Leave only the start of the file, as a broken copy does: no decoder can read it."""
    _write(path, path.read_bytes()[:160])


def _write(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    stamp(path)


def plant_defects(dataset: CocoDataset, rng: Random) -> tuple[CocoDataset, list[CocoImage]]:
    """Return the dataset with faulty annotations, and the images whose files are to be cut short.

    About one in a hundred images gets each fault, at least one; `info["planted_defects"]` lists them: annotation
    ids, for unreadable files image ids. The faulty box of a negative coordinate clips back to the true right edge.
    """
    count = max(1, len(dataset.images) // 100)
    sound = [one for one in dataset.annotations if not one.iscrowd]
    leftmost = sorted(sound, key=lambda one: (one.bbox[0], one.id))[:count]
    negative = {one.id: _reach_outside(one, rng.randint(3, 12)) for one in leftmost}
    next_id = max((one.id for one in dataset.annotations), default=0) + 1
    extra: dict[str, list[CocoAnnotation]] = {}
    for fault in ("zero_area", "outside_image", "no_image"):
        images = [rng.choice(dataset.images) for _ in range(count)]
        extra[fault] = [_fault(fault, image, next_id + i, rng) for i, image in enumerate(images)]
        next_id += count
    unreadable = rng.sample(dataset.images, max(1, len(dataset.images) // 200))
    planted = {"negative_coordinates": sorted(negative), "unreadable_image": sorted(image.id for image in unreadable)}
    planted |= {fault: [one.id for one in faulty] for fault, faulty in extra.items()}
    annotations = tuple(negative.get(one.id, one) for one in dataset.annotations)
    annotations += tuple(one for faulty in extra.values() for one in faulty)
    return replace(dataset, annotations=annotations, info={**dataset.info, "planted_defects": planted}), unreadable


def _reach_outside(annotation: CocoAnnotation, overhang: int) -> CocoAnnotation:
    x, y, width, height = annotation.bbox
    return replace(annotation, bbox=(float(-overhang), y, x + width + overhang, height))


def _fault(fault: str, image: CocoImage, annotation_id: int, rng: Random) -> CocoAnnotation:
    """Return a new annotation with one fault: no width, beyond the right edge, or of an image that is not listed."""
    x, y = float(rng.randrange(image.width // 2)), float(rng.randrange(image.height // 2))
    width, height = float(rng.randint(20, image.width // 4)), float(rng.randint(20, image.height // 4))
    boxes = {
        "zero_area": (x, y, 0.0, height),
        "outside_image": (image.width + 10.0 + x, y, width, height),
        "no_image": (x, y, width, height),
    }
    box = boxes[fault]
    image_id = image.id + 1_000_000 if fault == "no_image" else image.id
    return CocoAnnotation(annotation_id, image_id, rng.choice((1, 2, 3, 4, 6, 8)), box, box[2] * box[3], 0, [])
