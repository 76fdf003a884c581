"""What a threshold on the score does: precision, recall, F1; and how well a score says the chance to be right."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from detection_scores.table import Flags, Floats

THRESHOLDS = np.linspace(0.0, 1.0, 101)
"""Score thresholds that the curves are taken at."""
BINS = 10


@dataclass(frozen=True)
class BestThreshold:
    """The score threshold with the highest F1, and what it gives: detections scored at least `score` count."""

    score: float
    f1: float
    precision: float
    recall: float


@dataclass(frozen=True)
class CalibrationBin:
    """Detections whose score lies in one tenth of 0 to 1; means are None in an empty one."""

    low: float
    high: float
    detections: int
    mean_score: float | None
    share_right: float | None


@dataclass(frozen=True)
class Calibration:
    """Whether of the detections scored 0.7, seven in ten are right."""

    bins: tuple[CalibrationBin, ...]
    error: float | None
    """Expected calibration error: gap between mean score and share right, weighted by the bins; None: no detection."""


def best_threshold(score: Floats, right: Flags, counted: Flags, *, objects: int) -> BestThreshold | None:
    """Return the highest threshold with the best F1; None without objects, or when nothing is right.

    Rows are the detections of one class, best score first.
    """
    if not objects or not right.any():
        return None
    found, seen = np.cumsum(right), np.cumsum(counted)
    f1 = 2 * found / (seen + objects)
    # A threshold lets in all detections of its score, so only the last of equals can be one.
    f1[:-1][score[:-1] == score[1:]] = -1.0
    place = int(np.argmax(f1))
    return BestThreshold(
        score=float(score[place]),
        f1=float(f1[place]),
        precision=float(found[place] / seen[place]),
        recall=float(found[place] / objects),
    )


def f1_at_thresholds(score: Floats, right: Flags, counted: Flags, *, objects: int) -> Floats | None:
    """Return the F1 at each of `THRESHOLDS` of one class, best score first; None without objects."""
    if not objects:
        return None
    kept = np.searchsorted(-score, -THRESHOLDS, side="right")
    found, seen = (np.append(0, np.cumsum(flags))[kept] for flags in (right, counted))
    return np.asarray(2 * found / (seen + objects), dtype=np.float64)


def calibrate(score: Floats, right: Flags, counted: Flags) -> Calibration:
    """Return the reliability table of the detections that count; a score on an edge lies in the upper bin."""
    score, right = score[counted], right[counted]
    home = np.minimum((score * BINS).astype(np.int64), BINS - 1)
    number = np.bincount(home, minlength=BINS)
    scores, rights = np.bincount(home, score, BINS), np.bincount(home, right, BINS)
    bins = tuple(
        CalibrationBin(
            low=place / BINS,
            high=(place + 1) / BINS,
            detections=int(number[place]),
            mean_score=float(scores[place] / number[place]) if number[place] else None,
            share_right=float(rights[place] / number[place]) if number[place] else None,
        )
        for place in range(BINS)
    )
    return Calibration(bins, error=float(np.abs(scores - rights).sum() / len(score)) if len(score) else None)
