"""Checks for pictures that are there twice: the same bytes, or almost the same look."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from dataset_checks.decoding import ImageFacts
from dataset_checks.findings import Ledger
from dataset_checks.likeness import similar_groups
from dataset_checks.same_objects import boxes_of, same_objects
from sinara_lib.vision.coco import CocoDataset, CocoImage, select_images

GROUP = "group"
"""Field of an image record: images with the same text never part between the splits."""


def check_copies(dataset: CocoDataset, pictures: Mapping[str, ImageFacts], ledger: Ledger) -> CocoDataset:
    """Drop copies, or give them one group; a group of its own is named after the file of its image with the least id.

    Near copies show the same objects too; those that look alike and show others, as the frames of a fixed camera, are
    a check of their own. Pictures that are in one group already, such as frames of one video, are no finding. Groups
    that copies connect become one, named as that of the image with the least id.
    """
    by_bytes: dict[bytes, list[CocoImage]] = {}
    for image in sorted(dataset.images, key=lambda one: one.id):
        by_bytes.setdefault(pictures[image.file_name].sha256, []).append(image)
    dataset = _apart(dataset, list(by_bytes.values()), ledger, check="image_repeated")
    kept = {image.id: image for image in dataset.images}
    # One picture of each content is enough: the others share its group.
    ones = [next(kept[image.id] for image in images if image.id in kept) for images in by_bytes.values()]
    alike = similar_groups([pictures[image.file_name].look for image in ones])
    copies, views = [], []
    for places in alike:
        images = [ones[place] for place in places]
        groups = same_objects([boxes_of(dataset, image) for image in images])
        copies += [[images[place] for place in group] for group in groups]
        views.append([images[group[0]] for group in groups])
    dataset = _apart(dataset, copies, ledger, check="image_nearly_repeated")
    kept = {image.id: image for image in dataset.images}
    views = [[kept[image.id] for image in images if image.id in kept] for images in views]
    return _apart(dataset, views, ledger, check="image_same_view")


def _name_of_group(image: CocoImage) -> str:
    """Return the group's name, or the file's where there is no group."""
    return str(image.extra.get(GROUP, image.file_name))


def _apart(dataset: CocoDataset, groups: Sequence[list[CocoImage]], ledger: Ledger, *, check: str) -> CocoDataset:
    """Do with groups of copies what the check is to do."""
    drop = ledger.action(check) == "drop"
    gone: set[int] = set()
    joined: list[list[CocoImage]] = []
    for images in groups:
        if len(images) < 2 or (not drop and _share_group(images)):
            continue
        best = max(images, key=lambda image: (len(dataset.annotations_of(image.id)), -image.id))
        copies = [image for image in images if image is not best]
        for copy in copies:
            text = f"{copy.file_name} and {best.file_name}"
            ledger.note(check, text, file_name=copy.file_name, resembles=best.file_name)
        gone.update(copy.id for copy in copies)
        joined.append(images)
    if ledger.action(check) == "keep":
        return dataset
    if drop:
        return select_images(dataset, {image.id for image in dataset.images} - gone) if gone else dataset
    return _with_groups(dataset, joined)


def _share_group(images: Sequence[CocoImage]) -> bool:
    return GROUP in images[0].extra and len({str(image.extra.get(GROUP)) for image in images}) == 1


def _with_groups(dataset: CocoDataset, joined: Sequence[list[CocoImage]]) -> CocoDataset:
    """Give all images of each list one group, and with them all that shared a group with one of them."""
    names: dict[str, str] = {}

    def root(group: str) -> str:
        while group in names:
            group = names[group]
        return group

    for images in joined:
        first, *others = [root(_name_of_group(image)) for image in sorted(images, key=lambda one: one.id)]
        names.update({other: first for other in others if other != first})
    touched = {image.id for images in joined for image in images}
    return replace(
        dataset,
        images=tuple(
            replace(image, extra={**image.extra, GROUP: root(_name_of_group(image))})
            if image.id in touched or _name_of_group(image) in names
            else image
            for image in dataset.images
        ),
    )
