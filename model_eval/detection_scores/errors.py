"""What goes wrong: each false detection and each missed object by its kind, and which class is taken for which.

Kinds and their order are TIDE's (Bolya et al., 2020), at the chosen IoU instead of 0.5. Of a detection that is not
right: box (own class, IoU from 0.1 to below the chosen one), class (another class, IoU reached), duplicate (own class,
IoU reached, object taken), background (IoU below 0.1 with everything), both (what is left: another class, boxes off).
An object is missed when no detection found it, and none has it with the wrong class or a wrong box.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from detection_scores.coco_numbers import Matching, class_slices, precision_at_recall
from detection_scores.matching import NOBODY, Pairs, match_greedily
from detection_scores.table import DetectionTable, Flags, Floats, Ints, rank_within

FAINT_IOU = 0.1
"""Below it a detection touches nothing."""
FALSE_KINDS = ("class", "box", "both", "duplicate", "background")
KINDS = (*FALSE_KINDS, "missed")
_RIGHT = -1


@dataclass(frozen=True)
class ErrorKind:
    """One kind of error: how many at or above the shown score, and what all of them, at any score, cost."""

    name: str
    count: int
    ap_lost: float | None
    """By how much the mean AP would rise without them; None without ground truth."""


@dataclass(frozen=True)
class ErrorBreakdown:
    """The kind of every detection and object."""

    kinds: tuple[ErrorKind, ...]
    detection_kind: NDArray[np.int8]
    """Place in `FALSE_KINDS` of each detection; -1 when it is right or does not count. [D]"""
    missed: Flags
    """Objects that no detection of at least the shown score found, crowds aside. [G]"""


@dataclass(frozen=True)
class _Partners:
    """The best partner of each detection, and its IoU; NOBODY and 0 without one."""

    own: Ints
    own_iou: Floats
    other: Ints
    other_iou: Floats


def break_down(
    table: DetectionTable, pairs: Pairs, *, found: Matching, row: int, iou: float, shown_score: float
) -> ErrorBreakdown:
    """Return the kind of every error; `found` holds the matching at `iou` in `row`, and pairs reach to `FAINT_IOU`."""
    right, counted = found.right[row], found.counted[row]
    partners = _best_partners(table, pairs)
    kind = _false_kinds(partners, wrong=counted & ~right, iou=iou)
    shown = table.detections.score >= shown_score
    objects = len(table.objects)
    seen = _marked(found.object[row][right & shown], objects)
    missed = ~seen & ~table.objects.crowd
    touched = {name: _touched(partners, kind, name=name, kept=shown, objects=objects) for name in ("class", "box")}
    counts = [int((shown & (kind == place)).sum()) for place in range(len(FALSE_KINDS))]
    counts.append(int((missed & ~touched["class"] & ~touched["box"]).sum()))
    gains = _gains(table, found=found, row=row, kind=kind, partners=partners)
    kinds = (ErrorKind(name, count=count, ap_lost=gain) for name, count, gain in zip(KINDS, counts, gains, strict=True))
    return ErrorBreakdown(tuple(kinds), detection_kind=kind, missed=missed)


def confusion(table: DetectionTable, pairs: Pairs, *, iou: float, shown_score: float) -> Ints:
    """Return how often which class is taken for which, [K + 1, K + 1]: rows are objects, columns detections.

    The last row holds detections on background, the last column objects that were not found. Detections of at least
    `shown_score` choose best score first, whatever their class: the free object with the highest IoU of at least
    `iou`. On a crowd of its own class a detection is not counted.
    """
    detections, objects = table.detections, table.objects
    shown = detections.score >= shown_score
    own_crowd = objects.crowd[pairs.object] & (objects.label[pairs.object] == detections.label[pairs.detection])
    usable = pairs.where(shown[pairs.detection] & (~objects.crowd[pairs.object] | own_crowd))
    rank = rank_within(detections.image, np.where(shown, detections.score, -1.0))
    (chosen,) = match_greedily(
        usable, rank=rank, thresholds=np.array([iou]), ignored=objects.crowd, crowd=objects.crowd
    )
    on_crowd = (chosen != NOBODY) & np.append(objects.crowd, False)[chosen]
    nothing = len(table.class_names)
    taken_for = np.append(objects.label, nothing)[chosen]
    counted = shown & ~on_crowd
    matrix = np.zeros((nothing + 1, nothing + 1), dtype=np.int64)
    np.add.at(matrix, (taken_for[counted], detections.label[counted]), 1)
    lost = ~_marked(chosen[chosen != NOBODY], len(objects)) & ~objects.crowd
    np.add.at(matrix, (objects.label[lost], nothing), 1)
    return matrix


def _best_partners(table: DetectionTable, pairs: Pairs) -> _Partners:
    same = table.detections.label[pairs.detection] == table.objects.label[pairs.object]
    whole = ~table.objects.crowd[pairs.object]
    own, own_iou = _best(pairs.where(same & whole), len(table.detections))
    other, other_iou = _best(pairs.where(~same & whole), len(table.detections))
    return _Partners(own, own_iou=own_iou, other=other, other_iou=other_iou)


def _best(pairs: Pairs, detections: int) -> tuple[Ints, Floats]:
    order = np.lexsort((pairs.object, -pairs.iou, pairs.detection))
    (first,) = np.nonzero(np.diff(pairs.detection[order], prepend=-1))
    partner, iou = np.full(detections, NOBODY, dtype=np.int64), np.zeros(detections)
    chosen = order[first]
    partner[pairs.detection[chosen]], iou[pairs.detection[chosen]] = pairs.object[chosen], pairs.iou[chosen]
    return partner, iou


def _false_kinds(partners: _Partners, *, wrong: Flags, iou: float) -> NDArray[np.int8]:
    own, other = partners.own_iou, partners.other_iou
    tests = {
        "box": (own >= FAINT_IOU) & (own < iou),
        "class": other >= iou,
        "duplicate": own >= iou,
        "background": np.maximum(own, other) < FAINT_IOU,
    }
    names = [FALSE_KINDS.index(name) for name in tests]
    kind = np.select(list(tests.values()), names, default=FALSE_KINDS.index("both"))
    return np.where(wrong, kind, _RIGHT).astype(np.int8)


def _touched(partners: _Partners, kind: NDArray[np.int8], *, name: str, kept: Flags, objects: int) -> Flags:
    side = partners.own if name == "box" else partners.other
    return _marked(side[kept & (kind == FALSE_KINDS.index(name))], objects)


def _marked(places: Ints | NDArray[np.int32], length: int) -> Flags:
    marked = np.zeros(length, dtype=bool)
    marked[places] = True
    return marked


def _gains(
    table: DetectionTable, *, found: Matching, row: int, kind: NDArray[np.int8], partners: _Partners
) -> list[float | None]:
    """By how much the mean AP rises when one kind of error is put right and all else stays."""
    one = Matching(found.object[row : row + 1], counted=found.counted[row : row + 1], objects=found.objects)
    as_it_is = _mean_ap(table, one)
    if as_it_is is None:
        return [None] * len(KINDS)
    gains: list[float | None] = []
    for place, name in enumerate(FALSE_KINDS):
        of_kind = kind == place
        side = partners.own if name == "box" else partners.other
        mended = one if name not in ("class", "box") else _put_right(table, one, of_kind=of_kind, partner=side)
        label = table.detections.label
        if name == "class":
            label = np.where(of_kind & mended.right[0], table.objects.label[side], label)
        kept = replace(mended, counted=mended.counted & ~(of_kind & ~mended.right[0])[None, :])
        gains.append((_mean_ap(table, kept, label=label) or 0.0) - as_it_is)
    touched = [
        _touched(partners, kind, name=name, kept=np.ones(len(kind), dtype=bool), objects=len(table.objects))
        for name in ("class", "box")
    ]
    missed = ~_marked(one.object[0][one.right[0]], len(table.objects)) & ~table.objects.crowd
    missed &= ~touched[0] & ~touched[1]
    fewer = found.objects - np.bincount(table.objects.label[missed], minlength=len(found.objects))
    gains.append((_mean_ap(table, replace(one, objects=fewer)) or 0.0) - as_it_is)
    return gains


def _put_right(table: DetectionTable, one: Matching, *, of_kind: Flags, partner: Ints) -> Matching:
    """Give each free object the best scored detection of this kind that is at it."""
    free = ~_marked(one.object[0][one.right[0]], len(table.objects))
    (rows,) = np.nonzero(of_kind & np.append(free, False)[partner])
    rows = rows[np.argsort(-table.detections.score[rows], kind="stable")]
    _, first = np.unique(partner[rows], return_index=True)
    chosen = one.object.copy()
    chosen[0, rows[first]] = partner[rows[first]]
    return replace(one, object=chosen)


def _mean_ap(table: DetectionTable, one: Matching, *, label: Ints | None = None) -> float | None:
    right, counted, score = one.right[0], one.counted[0], table.detections.score
    if label is None:
        groups = [np.arange(rows.start, rows.stop) for rows in class_slices(table)]
    else:
        order = np.lexsort((-score, label))
        edges = np.searchsorted(label[order], np.arange(len(table.class_names) + 1))
        groups = [order[start:stop] for start, stop in itertools.pairwise(edges)]
    values = [
        float(precision_at_recall(right[rows], counted[rows], objects=int(total)).mean())
        for rows, total in zip(groups, one.objects, strict=True)
        if total
    ]
    return float(np.mean(values)) if values else None
