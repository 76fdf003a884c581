"""Splits a dataset into train, eval and test so that every class has its share in each."""

import hashlib
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sinara_lib.errors import DataError
from sinara_lib.vision.coco import CocoDataset, select_images

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
    of multi-label data", 2011): the class with fewest images left is dealt out first, its fullest images before
    others, each to the part that lacks most of its share, in images and in objects, of this class and on the average
    of all classes of the image. Images without objects count as a class of their own. Sizes are exact to one image.
    Ties follow a hash of seed and file name, so the order of the document does not matter.

    Raises:
        DataError: there are fewer images than parts.
    """
    sizes = split_sizes(len(dataset.images), fractions)
    order = sorted(dataset.images, key=lambda image: hash_order(image.file_name, seed))
    shown = [Counter(one.category_id for one in dataset.annotations_of(image.id)) for image in order]
    parts = _deal([image.id for image in order], [one or Counter({_NO_OBJECT: 1}) for one in shown], sizes)
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


def _deal(image_ids: list[int], shown: list[Counter[int]], sizes: Mapping[str, int]) -> dict[str, list[int]]:
    """Image ids of each part; `shown[i]` counts the objects of each class in image `image_ids[i]`."""
    left = Counter(label for counts in shown for label in counts)
    objects = sum(shown, Counter())
    quotas = {
        name: {label: _Quota(size / len(shown) * left[label], size / len(shown) * objects[label]) for label in left}
        for name, size in sizes.items()
    }
    room = dict(sizes)
    parts: dict[str, list[int]] = {name: [] for name in SPLITS}
    waiting = list(range(len(shown)))
    while waiting:
        rarest = min((label for label in left if left[label] > 0), key=lambda label: (left[label], label))
        for place in sorted((one for one in waiting if rarest in shown[one]), key=lambda one: -shown[one][rarest]):
            needs = {name: (_need(quotas[name], rarest, shown[place]), room[name]) for name in SPLITS if room[name]}
            name = max(needs, key=lambda one: needs[one])
            parts[name].append(image_ids[place])
            room[name] -= 1
            for label, count in shown[place].items():
                quotas[name][label].take(count)
                left[label] -= 1
        waiting = [one for one in waiting if rarest not in shown[one]]
    return parts


def _need(quotas: Mapping[int, "_Quota"], rarest: int, labels: Collection[int]) -> float:
    return quotas[rarest].lack + sum(quotas[label].lack for label in labels) / len(labels)


class _Quota:
    """How many images and objects of one class a part should get, and what it still lacks of them."""

    def __init__(self, images: float, objects: float) -> None:
        self._wanted = images, objects
        self._lacking = images, objects

    @property
    def lack(self) -> float:
        """2 when the part has nothing yet, 0 when it has its share of images and objects, negative beyond."""
        return sum(lacking / wanted for lacking, wanted in zip(self._lacking, self._wanted, strict=True))

    def take(self, objects: int) -> None:
        """Count one image with so many objects."""
        self._lacking = self._lacking[0] - 1, self._lacking[1] - objects
