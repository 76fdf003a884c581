"""Post-processing in the graph equals the plain algorithm, written here a second time."""

from collections.abc import Iterable

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector_export.nms import append_nms
from pack_params import NmsSettings
from sinara_lib.errors import ParamsError
from sinara_lib.params import parse_params

PRIORS, CLASSES = 40, 4


def session(nms: NmsSettings) -> ort.InferenceSession:
    """A graph of nothing but post-processing: its raw half hands its inputs on."""
    shapes = {"boxes": ["batch", "P", 4], "scores": ["batch", "P", "K"]}
    values = {name: onnx.helper.make_tensor_value_info(name, 1, shape) for name, shape in shapes.items()}
    inputs = [onnx.helper.make_tensor_value_info(f"in_{name}", 1, shape) for name, shape in shapes.items()]
    nodes = [onnx.helper.make_node("Identity", [f"in_{name}"], [name]) for name in shapes]
    graph = onnx.helper.make_graph(nodes, "raw", inputs, list(values.values()))
    raw = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=10)
    return ort.InferenceSession(append_nms(raw, nms).SerializeToString(), providers=["CPUExecutionProvider"])


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    sides = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
    shared = float(np.prod(np.clip(sides, 0, None)))
    return shared / (float(np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2])) - shared)


def plain(boxes: np.ndarray, scores: np.ndarray, nms: NmsSettings) -> list[tuple[int, float, tuple[float, ...]]]:
    best, labels = scores.max(axis=1), scores.argmax(axis=1)
    order = [i for i in np.argsort(-best)[: nms.pre_top_k] if best[i] >= np.float32(nms.score_threshold)]
    kept: list[int] = []
    for i in order:
        rivals = [j for j in kept if labels[j] == labels[i]]
        if len(rivals) < nms.max_output_boxes_per_class and all(
            overlap(boxes[i], boxes[j]) <= nms.iou_threshold for j in rivals
        ):
            kept.append(i)
    return [(int(labels[i]), float(best[i]), tuple(boxes[i].tolist())) for i in kept[: nms.keep_top_k]]


def random_detections(seed: int, batch: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    corner = rng.uniform(0, 60, (batch, PRIORS, 2))
    boxes = np.concatenate([corner, corner + rng.uniform(5, 50, corner.shape)], axis=2).astype(np.float32)
    scores = rng.permutation(batch * PRIORS * CLASSES).reshape(batch, PRIORS, CLASSES) / (batch * PRIORS * CLASSES)
    return boxes, scores.astype(np.float32)


def listed(dets: np.ndarray, labels: np.ndarray) -> list[tuple[int, float, tuple[float, ...]]]:
    rows: Iterable[tuple[np.ndarray, int]] = zip(dets, labels, strict=True)
    return [(int(label), float(row[4]), tuple(row[:4].tolist())) for row, label in rows if label >= 0]


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    batch=st.integers(1, 3),
    nms=st.builds(
        NmsSettings,
        iou_threshold=st.sampled_from([0.2, 0.5, 0.65]),
        score_threshold=st.sampled_from([0.01, 0.5, 0.9]),
        max_output_boxes_per_class=st.sampled_from([1, 3, 200]),
        pre_top_k=st.sampled_from([5, 5000]),
        keep_top_k=st.sampled_from([1, 7, 100]),
    ),
)
def test_graph_equals_plain_algorithm(seed: int, batch: int, nms: NmsSettings) -> None:
    boxes, scores = random_detections(seed, batch)
    dets, labels = session(nms).run(["dets", "labels"], {"in_boxes": boxes, "in_scores": scores})
    expected = [plain(b, s, nms) for b, s in zip(boxes, scores, strict=True)]
    assert [listed(d, k) for d, k in zip(dets, labels, strict=True)] == expected
    assert dets.shape[1] == max(map(len, expected))


def test_images_with_fewer_detections_are_filled_with_zeros_and_label_minus_one() -> None:
    boxes, scores = random_detections(1, 2)
    scores[1] = 0
    dets, labels = session(NmsSettings()).run(["dets", "labels"], {"in_boxes": boxes, "in_scores": scores})
    assert (labels[0] >= 0).all()
    assert labels.shape[1] > 0
    assert (labels[1] == -1).all()
    assert not dets[1].any()


def test_nothing_found_gives_no_rows() -> None:
    boxes, scores = random_detections(1, 2)
    dets, labels = session(NmsSettings()).run(["dets", "labels"], {"in_boxes": boxes, "in_scores": scores * 0})
    assert dets.shape == (2, 0, 5)
    assert labels.shape == (2, 0)


def test_a_score_equal_to_the_bar_is_kept_as_mmdet_keeps_it() -> None:
    boxes, scores = random_detections(1, 1)
    scores[:] = 0
    scores[0, 3, 2] = 0.25
    dets, labels = session(NmsSettings(score_threshold=0.25)).run(None, {"in_boxes": boxes, "in_scores": scores})
    assert listed(dets[0], labels[0]) == [(2, 0.25, tuple(boxes[0, 3].tolist()))]


@pytest.mark.parametrize(
    "wrong",
    [{"iou_threshold": 0}, {"score_threshold": 1.0}, {"keep_top_k": 0}, {"pre_top_k": 2.5}, {"iou_treshold": 0.5}],
)
def test_wrong_settings_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ParamsError, match=next(iter(wrong))):
        parse_params(NmsSettings, wrong)
