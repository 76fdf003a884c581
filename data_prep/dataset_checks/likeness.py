"""Which pictures look almost the same, told by their lowest frequencies.

A picture in grey, 32 x 32 pixels, is taken to its discrete cosine transform; the 8 x 8 lowest frequencies are kept
(Zauner, "Implementation and benchmarking of perceptual image hash functions", 2010). Which of the 63 beside the mean
lie above their median makes a code of 63 bits.
"""

from collections.abc import Iterator, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

GREY_SIDE = 32
MOST_BITS = 6
"""Codes of copies differ in at most so many bits."""
MOST_DIFFERENCE = 0.25
"""Low frequencies of copies differ by at most this share of their contrast."""

Look = NDArray[np.float32]
"""(64,): the lowest frequencies, the mean first; 32 per grey level."""

Places = NDArray[np.intp]
Pairs = tuple[Places, Places]

_FREQUENCIES = 8
_BANDS, _BAND_BITS = MOST_BITS + 1, 9
_FLAT = 1.0
_CODES_AT_ONCE, _LOOKS_AT_ONCE = 1 << 22, 1 << 14


def describe(greys: Sequence[NDArray[np.uint8]]) -> list[Look]:
    """Return the look of each picture; `greys` are uint8 H x W of any size."""
    if not greys:
        return []
    small = np.stack([cv2.resize(one, (GREY_SIDE, GREY_SIDE), interpolation=cv2.INTER_AREA) for one in greys])
    return list((_BASIS @ small.astype(np.float32) @ _BASIS.T).reshape(len(greys), -1))


def similar_groups(looks: Sequence[Look]) -> list[list[int]]:
    """Places of pictures that look almost the same, also by way of others; groups and places in rising order.

    Codes that differ in at most 6 bits agree wholly in one of 7 bands of 9 bits, so comparing only those that share a
    band misses none of them.
    """
    if not looks:
        return []
    table = np.stack(looks)
    codes = _codes(table)
    labels = np.arange(len(table))
    for band in range(_BANDS):
        keys = codes >> np.uint64(band * _BAND_BITS) & np.uint64((1 << _BAND_BITS) - 1)
        waiting: list[Pairs] = []
        for pairs in _candidates(keys, codes, labels):
            waiting.append(pairs)
            if sum(len(ones) for ones, _ in waiting) >= _LOOKS_AT_ONCE:
                _join_close(waiting, labels, table)
                waiting = []
        _join_close(waiting, labels, table)
    order = np.argsort(labels, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(labels[order])) + 1)
    return sorted(group.tolist() for group in groups if len(group) > 1)


def _candidates(keys: NDArray[np.uint64], codes: NDArray[np.uint64], labels: Places) -> Iterator[Pairs]:
    """Pairs of one key, with close codes and labels that still differ, a few rows of a bucket against all at a time."""
    order = np.argsort(keys, kind="stable")
    for bucket in np.split(order, np.flatnonzero(np.diff(keys[order])) + 1):
        rows = max(1, _CODES_AT_ONCE // len(bucket))
        for start in range(0, len(bucket), rows):
            if np.all(labels[bucket] == labels[bucket[0]]):
                break
            part = bucket[start : start + rows]
            one, other = np.nonzero(np.bitwise_count(codes[part][:, None] ^ codes[bucket][None]) <= MOST_BITS)
            ones, others = part[one], bucket[other]
            apart = labels[ones] < labels[others]
            yield ones[apart], others[apart]


def _join_close(pairs: Sequence[Pairs], labels: Places, table: NDArray[np.float32]) -> None:
    """Give each pair whose looks are close one label, in `labels` itself."""
    if not pairs:
        return
    ones, others = (np.concatenate(side) for side in zip(*pairs, strict=True))
    while len(ones):
        apart = labels[ones] != labels[others]
        ones, others = ones[apart], others[apart]
        now, then = slice(_LOOKS_AT_ONCE), slice(_LOOKS_AT_ONCE, None)
        close = _are_close(table[ones[now]], table[others[now]])
        if close.any():
            labels[:] = _joined(labels, ones[now][close], others[now][close])
        ones, others = ones[then], others[then]


def _joined(labels: Places, ones: Places, others: Places) -> Places:
    """Label anew: what had one label keeps one, and each pair has one. A label is the place of its first member."""
    rows = np.concatenate([np.arange(len(labels)), ones])
    columns = np.concatenate([labels, others])
    links = coo_matrix((np.ones(len(rows), dtype=np.uint8), (rows, columns)), shape=(len(labels), len(labels)))
    _, numbers = connected_components(links, directed=False)
    _, first = np.unique(numbers, return_index=True)
    return np.asarray(first[numbers], dtype=np.intp)


def _are_close(ones: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return whether two looks differ by little of their contrast; flat pictures must be of one grey."""
    difference = np.linalg.norm(ones[:, 1:] - others[:, 1:], axis=1) / GREY_SIDE
    contrast = np.maximum(_contrast(ones), _contrast(others))
    same_grey = np.abs(ones[:, 0] - others[:, 0]) / GREY_SIDE <= 2 * _FLAT
    return np.where(contrast < _FLAT, same_grey, difference <= MOST_DIFFERENCE * contrast)


def _contrast(looks: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the standard deviation of the low frequencies, in grey levels."""
    return np.asarray(np.linalg.norm(looks[:, 1:], axis=1) / GREY_SIDE, dtype=np.float32)


def _codes(table: NDArray[np.float32]) -> NDArray[np.uint64]:
    """(n,): 63 bits each; 0 for a flat picture, whose frequencies are noise."""
    above = table[:, 1:] > np.median(table[:, 1:], axis=1, keepdims=True)
    above[_contrast(table) < _FLAT] = False
    return np.asarray((above.astype(np.uint64) << np.arange(63, dtype=np.uint64)).sum(axis=1), dtype=np.uint64)


def _basis() -> NDArray[np.float32]:
    """Return the first rows of the orthonormal cosine transform of 32 values."""
    rows, columns = np.arange(_FREQUENCIES)[:, None], np.arange(GREY_SIDE)[None]
    basis = np.sqrt(2 / GREY_SIDE) * np.cos(np.pi * (2 * columns + 1) * rows / (2 * GREY_SIDE))
    basis[0] /= np.sqrt(2)
    return np.asarray(basis, dtype=np.float32)


_BASIS = _basis()
