"""Plants known faults in a sound dataset, so that the checks of data_prep have their work to show."""

from dataclasses import replace
from random import Random

from sinara_lib.vision.coco import CocoAnnotation, CocoDataset, CocoImage


def plant_defects(dataset: CocoDataset, rng: Random) -> tuple[CocoDataset, list[CocoImage]]:
    """The dataset with faulty annotations, and the images whose files are to be cut short.

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
    """A new annotation with one fault: no width, beyond the right edge, or of an image that is not listed."""
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
