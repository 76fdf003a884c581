"""Splits a dataset into train, eval and test so that every class has its share in each."""

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from sinara_lib.errors import DataError
from sinara_lib.vision.coco import CocoDataset, CocoImage, select_images

SPLITS = ("train", "eval", "test")
_NO_OBJECT = 0


@dataclass(frozen=True)
class Splits:
    """Three parts of one dataset: no image in two of them, none left out."""

    train: CocoDataset
    eval: CocoDataset
    test: CocoDataset

    def items(self) -> tuple[tuple[str, CocoDataset], ...]:
        """Names and parts in order."""
        return ("train", self.train), ("eval", self.eval), ("test", self.test)


def split_dataset(dataset: CocoDataset, fractions: Mapping[str, float], *, seed: int) -> Splits:
    """Split by fractions of train, eval and test that sum to 1.

    Iterative stratification over the classes an image shows (Sechidis, Tsoumakas, Vlahavas, "On the stratification
    of multi-label data", 2011): the class with fewest images left is dealt out first, each image to the part that
    lacks most of its share of the class. Images without objects count as a class of their own. Sizes are exact to
    one image. Ties follow a hash of seed and file name, so the order of the document does not matter.

    Raises:
        DataError: there are fewer images than parts.
    """
    sizes = split_sizes(len(dataset.images), fractions)
    labels = {
        image.id: {one.category_id for one in dataset.annotations_of(image.id)} or {_NO_OBJECT}
        for image in dataset.images
    }
    order = sorted(dataset.images, key=lambda image: hash_order(image.file_name, seed))
    parts = _deal(order, labels, sizes)
    train, evaluation, test = (select_images(dataset, parts[name]) for name in SPLITS)
    return Splits(train, evaluation, test)


def split_sizes(count: int, fractions: Mapping[str, float]) -> dict[str, int]:
    """Number of images of each part: the fractions rounded by largest remainder, at least one each.

    Raises:
        DataError: there are fewer images than parts.
    """
    if count < len(SPLITS):
        raise DataError(f"{count} images cannot be split into {', '.join(SPLITS)}; at least {len(SPLITS)} are needed.")
    sizes = {name: int(count * fractions[name]) for name in SPLITS}
    by_remainder = sorted(SPLITS, key=lambda name: sizes[name] - count * fractions[name])
    for name in by_remainder[: count - sum(sizes.values())]:
        sizes[name] += 1
    for name in SPLITS:
        if sizes[name] == 0:
            sizes[max(SPLITS, key=lambda other: sizes[other])] -= 1
            sizes[name] = 1
    return sizes


def hash_order(file_name: str, seed: int) -> bytes:
    """A sort key that shuffles files the same way on every machine."""
    return hashlib.sha256(f"{seed}/{file_name}".encode()).digest()


def _deal(order: list[CocoImage], labels: Mapping[int, set[int]], sizes: Mapping[str, int]) -> dict[str, list[int]]:
    totals = Counter(label for image in order for label in labels[image.id])
    wanted = {(name, label): sizes[name] * totals[label] / len(order) for name in SPLITS for label in totals}
    lacking, room, left = dict(wanted), dict(sizes), Counter(totals)
    parts: dict[str, list[int]] = {name: [] for name in SPLITS}
    waiting = order
    while waiting:
        rarest = min((label for label in left if left[label] > 0), key=lambda label: (left[label], label))
        for image in (one for one in waiting if rarest in labels[one.id]):
            name = max(
                (name for name in SPLITS if room[name]),
                key=lambda name: (lacking[name, rarest] / wanted[name, rarest], room[name]),
            )
            parts[name].append(image.id)
            room[name] -= 1
            for label in labels[image.id]:
                lacking[name, label] -= 1
                left[label] -= 1
        waiting = [one for one in waiting if rarest not in labels[one.id]]
    return parts
