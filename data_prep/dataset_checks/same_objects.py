"""Which of the pictures that look alike also show the same objects.

The frames of a fixed camera look alike to every measure of a whole picture, and differ in what is labelled: these are
no copies of each other. Two pictures show the same objects when at least half of the boxes of either have a box of
their class in the other, with an IoU of at least 0.5, in shares of width and height; or when both show none.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from sinara_lib.vision.coco import CocoDataset, CocoImage

_LEAST_IOU = 0.5
_LEAST_SHARE = 0.5
_PAIRS_AT_ONCE = 1 << 21
_ROUNDED = 500
"""Boxes that agree to a part of this many of the picture's sides are the same without a comparison."""

Boxes = NDArray[np.float64]
"""(n, 5): class, left, top, right, bottom, in shares of the picture's width and height."""


def boxes_of(dataset: CocoDataset, image: CocoImage) -> Boxes:
    """Return the boxes of an image; those that are not finite or have no size show nothing."""
    rows = np.array([(one.category_id, *one.bbox) for one in dataset.annotations_of(image.id)]).reshape(-1, 5)
    rows = rows[np.isfinite(rows).all(axis=1)]
    rows = rows[(rows[:, 3:] > 0).all(axis=1)]
    rows[:, 3:] += rows[:, 1:3]
    return np.asarray(rows / (1, *(2 * (image.width, image.height))), dtype=np.float64)


def same_objects(boxes: Sequence[Boxes]) -> list[list[int]]:
    """Return places of pictures with the same objects, also by way of others; groups of one too, in rising order."""
    first: dict[bytes, int] = {}
    labels = np.arange(len(boxes))
    for place, rows in enumerate(boxes):
        rounded = np.round(rows * (1, *[_ROUNDED] * 4)).astype(np.int64)
        labels[place] = first.setdefault(rounded[np.lexsort(rounded.T)].tobytes(), place)
    distinct = [place for place in first.values() if len(boxes[place])]
    labels = _joined_with(labels, distinct, [boxes[place] for place in distinct])
    order = np.argsort(labels, kind="stable")
    return sorted(one.tolist() for one in np.split(order, np.flatnonzero(np.diff(labels[order])) + 1))


def _joined_with(labels: NDArray[np.intp], places: Sequence[int], boxes: Sequence[Boxes]) -> NDArray[np.intp]:
    """Give the pictures at `places` whose boxes agree one label, and with them all that had theirs."""
    if len(places) < 2:
        return labels
    counts = np.array([len(one) for one in boxes])
    rows, owner = np.concatenate(boxes), np.repeat(np.arange(len(boxes)), counts)
    order = np.lexsort((rows[:, 1], rows[:, 0]))
    rows, owner = rows[order], owner[order]
    by_owner = np.argsort(owner, kind="stable")
    edges = np.concatenate([[0], np.cumsum(counts)])
    groups = np.arange(len(boxes))
    start = 0
    while start < len(boxes):
        # All boxes of a picture are looked at together, so that its share of matches is known at once.
        stop = max(
            start + 1, int(np.searchsorted(edges, edges[start] + max(1, _PAIRS_AT_ONCE // len(rows)), "right")) - 1
        )
        ones, others = _matches(rows, owner, by_owner[edges[start] : edges[stop]])
        keys, found = np.unique(owner[ones] * len(boxes) + others, return_counts=True)
        mine, theirs = np.divmod(keys, len(boxes))
        alike = found >= _LEAST_SHARE * np.maximum(counts[mine], counts[theirs])
        groups = _united(groups, mine[alike], theirs[alike])
        start = stop
    ends = np.asarray(places)
    return _united(labels, ends, ends[groups])


def _matches(
    rows: Boxes, owner: NDArray[np.intp], asked: NDArray[np.intp]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return which of the boxes `asked` have a match in which other picture, each pair once. `rows` are sorted."""
    # A box that shares half of what both cover begins at most a width away.
    keys, width = rows[:, 0] * 4 + rows[:, 1], rows[asked, 3] - rows[asked, 1]
    low = np.searchsorted(keys, keys[asked] - width - 1e-9, "left")
    high = np.searchsorted(keys, keys[asked] + width + 1e-9, "right")
    ones = np.repeat(asked, high - low)
    steps = np.arange(len(ones)) - np.repeat(np.cumsum(high - low) - (high - low), high - low)
    others = np.repeat(low, high - low) + steps
    near = (owner[ones] != owner[others]) & (rows[ones, 0] == rows[others, 0])
    ones, others = ones[near], others[near]
    close = _iou(rows[ones], rows[others]) >= _LEAST_IOU
    pairs = np.unique(np.stack([ones[close], owner[others[close]]], axis=1), axis=0)
    return pairs[:, 0], pairs[:, 1]


def _iou(ones: Boxes, others: Boxes) -> NDArray[np.float64]:
    low, high = np.maximum(ones[:, 1:3], others[:, 1:3]), np.minimum(ones[:, 3:], others[:, 3:])
    shared = np.prod(np.maximum(high - low, 0), axis=1)
    areas = [np.prod(one[:, 3:] - one[:, 1:3], axis=1) for one in (ones, others)]
    return np.asarray(shared / np.maximum(areas[0] + areas[1] - shared, 1e-12), dtype=np.float64)


def _united(labels: NDArray[np.intp], ones: NDArray[np.intp], others: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return new labels: what had one label keeps one, and each pair has one. A label is a place of its members."""
    rows, columns = np.concatenate([np.arange(len(labels)), ones]), np.concatenate([labels, others])
    links = coo_matrix((np.ones(len(rows), dtype=np.uint8), (rows, columns)), shape=(len(labels), len(labels)))
    _, numbers = connected_components(links, directed=False)
    _, first = np.unique(numbers, return_index=True)
    return np.asarray(first[numbers], dtype=np.intp)
