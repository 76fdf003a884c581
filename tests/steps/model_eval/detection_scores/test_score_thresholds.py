"""The best threshold, the F1 curve and the reliability table equal what counting by hand gives."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detection_scores.thresholds import THRESHOLDS, best_threshold, calibrate, f1_at_thresholds

ROWS = st.lists(
    st.tuples(st.integers(0, 100).map(lambda n: n / 100), st.sampled_from(["right", "wrong", "neither"])), max_size=40
)


def columns(rows: list[tuple[float, str]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rows = sorted(rows, key=lambda row: -row[0])
    score = np.array([row[0] for row in rows])
    what = np.array([row[1] for row in rows], dtype=object)
    return score, what == "right", what != "neither"


def f1(rows: list[tuple[float, str]], threshold: float, objects: int) -> float:
    kept = [what for score, what in rows if score >= threshold]
    right, wrong = kept.count("right"), kept.count("wrong")
    return 2 * right / (2 * right + wrong + objects - right)


@given(rows=ROWS, missed=st.integers(0, 5))
def test_the_best_bar_is_the_best_of_all_bars(rows: list[tuple[float, str]], missed: int) -> None:
    objects = sum(what == "right" for _, what in rows) + missed
    best = best_threshold(*columns(rows), objects=objects)
    if best is None:
        assert not any(what == "right" for _, what in rows)
        return
    values = {threshold: f1(rows, threshold, objects) for threshold, _ in rows}
    assert best.f1 == pytest.approx(max(values.values()))
    assert best.score == max(threshold for threshold, value in values.items() if value == pytest.approx(best.f1))
    assert best.f1 == pytest.approx(2 * best.precision * best.recall / (best.precision + best.recall))


@given(rows=ROWS, missed=st.integers(1, 5))
def test_the_f1_curve_counts_what_a_bar_lets_in(rows: list[tuple[float, str]], missed: int) -> None:
    objects = sum(what == "right" for _, what in rows) + missed
    curve = f1_at_thresholds(*columns(rows), objects=objects)
    assert curve == pytest.approx([f1(rows, threshold, objects) for threshold in THRESHOLDS])


@given(rows=ROWS)
def test_the_reliability_table_counts_each_detection_once(rows: list[tuple[float, str]]) -> None:
    table = calibrate(*columns(rows))
    counted = [(score, what == "right") for score, what in rows if what != "neither"]
    gaps = 0.0
    for one in table.bins:
        mine = [(score, right) for score, right in counted if int(one.low * 10) == min(9, int(score * 10))]
        assert one.detections == len(mine)
        if not mine:
            assert (one.mean_score, one.share_right) == (None, None)
            continue
        mean, share = np.mean([s for s, _ in mine]), np.mean([r for _, r in mine])
        assert (one.mean_score, one.share_right) == pytest.approx((mean, share))
        gaps += len(mine) * abs(mean - share)
    assert table.error == (pytest.approx(gaps / len(counted)) if counted else None)


def test_a_class_without_objects_has_neither_bar_nor_curve() -> None:
    score, right, counted = columns([(0.9, "wrong")])
    assert best_threshold(score, right, counted, objects=0) is None
    assert f1_at_thresholds(score, right, counted, objects=0) is None
