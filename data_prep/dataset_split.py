"""Splits a dataset into train, eval and test so that every class and size of object has its share in each."""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from sinara_lib.errors import DataError
from sinara_lib.vision.coco import CocoAnnotation, CocoDataset, CocoImage, select_images

SPLITS = ("train", "eval", "test")
NO_OBJECT = 0
SMALL, MEDIUM, LARGE = -1, -2, -3
"""Labels beside the category ids, which start at 1."""
_NUMBER = re.compile(r"[0-9]+")
SMALL_AREA, MEDIUM_AREA = 32**2, 96**2


@dataclass(frozen=True)
class Splits:
    """Three parts of one dataset: no image in two of them, none left out."""

    train: CocoDataset
    eval: CocoDataset
    test: CocoDataset

    def items(self) -> tuple[tuple[str, CocoDataset], ...]:
        """Return names and parts in order."""
        return ("train", self.train), ("eval", self.eval), ("test", self.test)


@dataclass
class _Group:
    """Images that never part, and how many objects of each label they show; an image without any counts as one."""

    images: list[tuple[CocoImage, Counter[int]]] = field(default_factory=list)
    labels: Counter[int] = field(default_factory=Counter)
    showing: Counter[int] = field(default_factory=Counter)
    """In how many of the images each label is seen."""

    @property
    def shows_objects(self) -> bool:
        """Tell whether an object is seen in any of the images."""
        return any(label != NO_OBJECT for label in self.labels)

    def add(self, image: CocoImage, labels: Counter[int]) -> None:
        """Take an image in."""
        self.images.append((image, labels))
        self.labels.update(labels)
        self.showing.update(labels.keys())


def split_dataset(
    dataset: CocoDataset,
    fractions: Mapping[str, float],
    *,
    seed: int,
    earlier: Mapping[str, str] | None = None,
    time_stretch: int | None = None,
) -> Splits:
    """Split by fractions of train, eval and test that sum to 1; images of one `group` never part.

    `earlier` names the part of images, by file name, that were split before: they stay where they are. New images of
    a group join the part that most of it lies in; other groups are dealt to make up what each part lacks of the whole.

    `time_stretch` cuts groups into stretches of so many successive images, see `time_stretches`.

    Iterative stratification (Sechidis, Tsoumakas, Vlahavas, "On the stratification of multi-label data", 2011) over
    the classes an image shows and COCO's three sizes of object: the label with fewest images left is dealt out first,
    its fullest groups before others, each to the part that lacks most of its share, in images and in objects, of this
    label and on the average of all labels of the group. Images without objects count as a label. Without groups and
    `earlier`, sizes are exact to one image. Ties follow a hash of seed and name, so the order of the document does
    not matter.

    Raises:
        DataError: there are fewer groups of images than parts.

    >>> parts = split_dataset(dataset, {"train": 0.6, "eval": 0.2, "test": 0.2}, seed=1)
    >>> [(name, len(part.images)) for name, part in parts.items()]
    [('train', 6), ('eval', 2), ('test', 2)]
    """
    groups = _gather(dataset, seed, {} if time_stretch is None else time_stretches(dataset.images, time_stretch))
    if len(groups) < len(SPLITS):
        raise DataError(_too_few(dataset, groups))
    deal = _Deal(groups, split_sizes(len(dataset.images), fractions))
    new = []
    for group in groups:
        before = _parts_before(group, earlier or {})
        for part, images in before.items():
            deal.put(images, part)
        if not before:
            new.append(group)
    deal.out(new)
    train, evaluation, test = (select_images(dataset, deal.parts[name]) for name in SPLITS)
    return Splits(train, evaluation, test)


def group_of(image: CocoImage) -> str:
    """Return what an image must not be parted from: its field `group` where it has one, else only itself."""
    group = image.extra.get("group")
    return f"image {image.file_name}" if group is None else f"group {group}"


def split_sizes(count: int, fractions: Mapping[str, float]) -> dict[str, int]:
    """Count the images of each part: the fractions rounded by largest remainder, at least one each.

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
    """Return a sort key that shuffles files the same way on every machine."""
    return hashlib.sha256(f"{seed}/{file_name}".encode()).digest()


def time_stretches(images: Iterable[CocoImage], length: int) -> dict[str, str]:
    """Return the stretch that each image is in, by file name: so many successive images of one group.

    An image without a group is taken for one of a sequence with those of its folder whose names differ in their numbers
    alone. Successive is by the record's `time` where it has one, then by the name, its numbers by value.
    """
    sequences: dict[str, list[CocoImage]] = {}
    for image in images:
        folder, _, name = image.file_name.rpartition("/")
        sequence = group_of(image) if "group" in image.extra else f"names {folder}/{_NUMBER.sub('#', name)}"
        sequences.setdefault(sequence, []).append(image)
    return {
        image.file_name: f"{name}, stretch {place // length}"
        for name, sequence in sequences.items()
        for place, image in enumerate(sorted(sequence, key=_moment))
    }


def _moment(image: CocoImage) -> tuple[float, list[tuple[int, str]]]:
    time = image.extra.get("time")
    parts = _NUMBER.split(image.file_name)
    numbers = [int(one) for one in _NUMBER.findall(image.file_name)]
    key = [pair for number, text in zip([0, *numbers], parts, strict=True) for pair in ((number, ""), (0, text))]
    return (float(time) if isinstance(time, int | float) else 0.0), key


def _too_few(dataset: CocoDataset, groups: list[_Group]) -> str:
    least = f"cannot be split into {', '.join(SPLITS)}; at least {len(SPLITS)} are needed."
    if len(groups) == len(dataset.images):
        return f"{len(groups)} images {least}"
    largest = max(groups, key=lambda group: len(group.images)).images
    return (
        f"{len(groups)} groups of images {least} Of {len(dataset.images)} images {len(largest)} are in one with "
        f"{largest[0][0].file_name}: frames of one video, or near copies. Set time_stretch to cut such groups into "
        'stretches of so many successive images, or checks to {"image_nearly_repeated": "keep"} where near copies may '
        "part."
    )


def _gather(dataset: CocoDataset, seed: int, stretches: Mapping[str, str]) -> list[_Group]:
    """Return all groups, in an order that depends on seed and names alone."""
    groups: dict[str, _Group] = {}
    for image in sorted(dataset.images, key=lambda image: hash_order(image.file_name, seed)):
        group = groups.setdefault(stretches.get(image.file_name) or group_of(image), _Group())
        labels = Counter(_labels(dataset.annotations_of(image.id))) or Counter({NO_OBJECT: 1})
        group.add(image, labels)
    return list(groups.values())


def _labels(objects: Iterable[CocoAnnotation]) -> Iterable[int]:
    for one in objects:
        area = one.bbox[2] * one.bbox[3]
        yield one.category_id
        yield SMALL if area < SMALL_AREA else MEDIUM if area < MEDIUM_AREA else LARGE


def _parts_before(group: _Group, earlier: Mapping[str, str]) -> dict[str, _Group]:
    """Return the group by part: each image where it was, new ones where most are; nothing when all are new."""
    before = Counter(earlier[image.file_name] for image, _ in group.images if image.file_name in earlier)
    parts: dict[str, _Group] = {}
    for image, labels in group.images if before else ():
        part = earlier.get(image.file_name) or max(SPLITS, key=lambda name: before[name])
        parts.setdefault(part, _Group()).add(image, labels)
    return parts


class _Deal:
    """The parts while they are filled: their images, the room left in each, and what each lacks of every label."""

    def __init__(self, groups: list[_Group], sizes: Mapping[str, int]) -> None:
        images, objects = _total(group.showing for group in groups), _total(group.labels for group in groups)
        total = sum(sizes.values())
        self.parts: dict[str, list[int]] = {name: [] for name in SPLITS}
        self._room = dict(sizes)
        self._with_objects: set[str] = set()
        self._quotas = {
            name: {label: _Quota(size / total * images[label], size / total * objects[label]) for label in images}
            for name, size in sizes.items()
        }

    def put(self, group: _Group, part: str) -> None:
        """Put a group into a part."""
        self.parts[part] += [image.id for image, _ in group.images]
        self._room[part] -= len(group.images)
        if group.shows_objects:
            self._with_objects.add(part)
        for label, objects in group.labels.items():
            self._quotas[part][label].take(group.showing[label], objects)

    def out(self, groups: list[_Group]) -> None:
        """Deal out groups, those of the rarest label first."""
        left = _total(group.showing for group in groups)
        with_label: dict[int, list[_Group]] = {}
        for group in groups:
            for label in group.labels:
                with_label.setdefault(label, []).append(group)
        dealt: set[int] = set()
        while len(dealt) < len(groups):
            rarest = min((label for label in left if left[label] > 0), key=lambda label: (left[label], label))
            waiting = [group for group in with_label[rarest] if id(group) not in dealt]
            for group in sorted(waiting, key=lambda group: -group.labels[rarest]):
                self.put(group, self._choose(group, rarest, waiting=len(groups) - len(dealt)))
                dealt.add(id(group))
                left.subtract(group.showing)

    def _choose(self, group: _Group, rarest: int, *, waiting: int) -> str:
        empty = [name for name in SPLITS if not self.parts[name]]
        if len(empty) >= waiting:
            return empty[0]
        fitting = [name for name in SPLITS if self._room[name] >= len(group.images)]
        if not group.shows_objects:
            # Images without objects leave a place to objects in every part that has none yet.
            fitting = [name for name in fitting if self._room[name] > len(group.images) or name in self._with_objects]
        if not fitting:
            return max(SPLITS, key=lambda name: self._room[name])
        return max(fitting, key=lambda name: (self._need(self._quotas[name], rarest, group), self._room[name]))

    @staticmethod
    def _need(quotas: Mapping[int, "_Quota"], rarest: int, group: _Group) -> float:
        return quotas[rarest].lack + sum(quotas[label].lack for label in group.labels) / len(group.labels)


def _total(counts: Iterable[Counter[int]]) -> Counter[int]:
    total: Counter[int] = Counter()
    for one in counts:
        total.update(one)
    return total


class _Quota:
    """How many images and objects of one label a part should get, and what it still lacks of them."""

    def __init__(self, images: float, objects: float) -> None:
        self._wanted = images, objects
        self._lacking = images, objects

    @property
    def lack(self) -> float:
        """2 when the part has nothing yet, 0 when it has its share of images and objects, negative beyond."""
        return sum(lacking / wanted for lacking, wanted in zip(self._lacking, self._wanted, strict=True))

    def take(self, images: int, objects: int) -> None:
        """Count images that show so many objects."""
        self._lacking = self._lacking[0] - images, self._lacking[1] - objects
