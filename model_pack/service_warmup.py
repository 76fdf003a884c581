"""Whether the model answers the packed image as it did when it was packed, on the hardware it runs on now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

MIN_IOU = 0.9
SCORE_TOLERANCE = 0.03
"""Another execution provider rounds otherwise; another model is far beyond this."""


def disagreements(expected: Mapping[str, Any], found: Mapping[str, Any], *, min_score: float) -> list[str]:
    """List the detections of one answer that have no partner in the other: same class, place and score.

    One that is scored within the tolerance of `min_score` may be missing.
    """
    if (expected["width"], expected["height"]) != (found["width"], found["height"]):
        return [f"the image has {found['width']} x {found['height']} pixels, packed were {expected['width']} x "
                f"{expected['height']}"]  # fmt: skip
    sides = (("packed", expected, found), ("new", found, expected))
    return [
        f"{side} {one['category_id']} at {one['bbox']}, scored {one['score']}, has no partner"
        for side, mine, other in sides
        for one in mine["annotations"]
        if one["score"] > min_score + SCORE_TOLERANCE and not _has_partner(one, other["annotations"])
    ]


def _has_partner(one: Mapping[str, Any], others: Sequence[Mapping[str, Any]]) -> bool:
    return any(
        one["category_id"] == other["category_id"]
        and abs(one["score"] - other["score"]) <= SCORE_TOLERANCE
        and _iou(one["bbox"], other["bbox"]) >= MIN_IOU
        for other in others
    )


def _iou(one: Sequence[float], other: Sequence[float]) -> float:
    width = min(one[0] + one[2], other[0] + other[2]) - max(one[0], other[0])
    height = min(one[1] + one[3], other[1] + other[3]) - max(one[1], other[1])
    shared = max(0.0, width) * max(0.0, height)
    together = one[2] * one[3] + other[2] * other[3] - shared
    return shared / together if together else 0.0
