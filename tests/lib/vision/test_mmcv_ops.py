"""mmcv_ops: mmdet runs without compiled operators, and nms keeps the boxes that the compiled one keeps."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sinara_lib.vision.mmcv_ops import ensure_mmcv_ops, nms, stand_in

GOLDEN = Path(__file__).parents[2] / "golden" / "mmcv_nms.json"
CASES: list[dict[str, Any]] = json.loads(GOLDEN.read_text())["cases"]


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_nms_keeps_what_the_compiled_operator_kept(case: dict[str, Any]) -> None:
    boxes = torch.tensor(case["boxes"], dtype=torch.float32).reshape(-1, 4)

    kept = nms(boxes, torch.tensor(case["scores"], dtype=torch.float32), case["iou_threshold"], case["offset"])

    assert kept.dtype == torch.int64
    assert kept.tolist() == case["kept"]


@pytest.mark.parametrize("case", CASES[::5], ids=[case["name"] for case in CASES[::5]])
def test_mmcvs_own_nms_gives_the_same_through_the_stand_in(case: dict[str, Any]) -> None:
    ensure_mmcv_ops()
    from mmcv.ops import nms as mmcv_nms

    boxes = torch.tensor(case["boxes"], dtype=torch.float32).reshape(-1, 4)
    scores = torch.tensor(case["scores"], dtype=torch.float32)
    detections, kept = mmcv_nms(boxes, scores, case["iou_threshold"], case["offset"])

    assert kept.tolist() == case["kept"]
    assert torch.equal(detections, torch.cat([boxes[kept], scores[kept, None]], dim=1))


def _slow_iou(one: list[float], other: list[float], offset: int) -> float:
    width = min(one[2], other[2]) - max(one[0], other[0]) + offset
    height = min(one[3], other[3]) - max(one[1], other[1]) + offset
    shared = max(width, 0) * max(height, 0)
    areas = [(box[2] - box[0] + offset) * (box[3] - box[1] + offset) for box in (one, other)]
    return shared / (sum(areas) - shared)


box = st.tuples(st.integers(0, 40), st.integers(0, 40), st.integers(1, 30), st.integers(1, 30))


@given(st.lists(box, max_size=30), st.floats(0, 1, width=16), st.sampled_from([0, 1]))
@settings(max_examples=150, deadline=None)
def test_kept_boxes_overlap_little_and_each_dropped_one_overlaps_a_better_kept_one(
    drawn: list[tuple[int, int, int, int]], threshold: float, offset: int
) -> None:
    boxes = [[float(x), float(y), float(x + w), float(y + h)] for x, y, w, h in drawn]
    scores = [1.0 - rank / 100 for rank in range(len(boxes))]

    kept = nms(torch.tensor(boxes).reshape(-1, 4), torch.tensor(scores), threshold, offset).tolist()

    near = 1e-6
    for place in range(len(boxes)):
        better = [_slow_iou(boxes[other], boxes[place], offset) for other in kept if other < place]
        if place in kept:
            assert max(better, default=-1.0) <= threshold + near
        else:
            assert max(better) > threshold - near


def test_other_operators_are_named_when_called() -> None:
    with pytest.raises(NotImplementedError, match=r"'softnms'.*MMCV_WITH_OPS=1"):
        stand_in().softnms(None)


def test_a_compiled_extension_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = ModuleType("mmcv._ext")
    monkeypatch.setitem(sys.modules, "mmcv._ext", compiled)

    ensure_mmcv_ops()

    assert sys.modules["mmcv._ext"] is compiled


def test_mmdet_imports_and_builds_in_a_fresh_process_and_the_check_for_operators_answers() -> None:
    code = (
        "from sinara_lib.vision.mmcv_ops import ensure_mmcv_ops; ensure_mmcv_ops(); ensure_mmcv_ops()\n"
        "import importlib.util; assert importlib.util.find_spec('mmcv._ext') is not None\n"
        "import mmcv.ops, mmdet.models; print('imported', mmdet.models.YOLOX.__name__)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert done.stdout.splitlines()[-1:] == ["imported YOLOX"], done.stderr
