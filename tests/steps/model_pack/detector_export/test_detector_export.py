"""The exported file gives what mmdet's own predict gives, at any batch and size."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from torch import nn

from detector_export.model_card import load_detector, model_metadata
from export_checks.outputs import Detections
from export_checks.parity import match_detections
from sinara_lib.archive import pack
from sinara_lib.errors import DataError
from sinara_lib.store import store_at
from sinara_lib.vision.model_pages import ModelCard
from small_network import CLASSES, COMMIT, INPUT_SIZE, NMS, started_run


def noise(batch: int, size: tuple[int, int]) -> np.ndarray:
    return np.random.default_rng(5).integers(0, 256, (batch, 3, *size)).astype(np.float32)


def run(path: Path, images: np.ndarray) -> list[Detections]:
    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    dets, labels = session.run(["dets", "labels"], {"images": images})
    return [Detections(d[k >= 0, :4], d[k >= 0, 4], k[k >= 0]) for d, k in zip(dets, labels, strict=True)]


def mmdet_predict(detector: nn.Module, image: np.ndarray) -> Detections:
    from mmdet.structures import DetDataSample

    sample = DetDataSample(
        metainfo={"img_shape": image.shape[1:], "ori_shape": image.shape[1:], "scale_factor": (1, 1)}
    )
    detector.test_cfg.update(score_thr=NMS.score_threshold, nms={"type": "nms", "iou_threshold": NMS.iou_threshold})
    detector.bbox_head.test_cfg = detector.test_cfg
    with torch.no_grad():
        (answer,) = detector.predict(torch.from_numpy(image[None]), [sample], rescale=False)
    found = answer.pred_instances[: NMS.keep_top_k]
    return Detections(found.bboxes.numpy(), found.scores.numpy(), found.labels.numpy())


def test_detections_equal_those_of_mmdet(detector: nn.Module, onnx_file: Path) -> None:
    images = noise(2, INPUT_SIZE)
    for image, found in zip(images, run(onnx_file, images), strict=True):
        expected = mmdet_predict(detector, image)
        assert len(expected.scores) > 10
        threshold = max(NMS.score_threshold, float(expected.scores.min()))
        unmatched, lowest_iou, gap = match_detections(expected, found, threshold=threshold)
        assert (unmatched, lowest_iou > 0.99, gap < 1e-3) == (0, True, True)


@pytest.mark.parametrize(("batch", "size"), [(1, (32, 32)), (3, (160, 96)), (2, INPUT_SIZE)])
def test_batch_height_and_width_are_free(onnx_file: Path, batch: int, size: tuple[int, int]) -> None:
    images = noise(batch, size)
    together = run(onnx_file, images)
    for index, found in enumerate(together):
        (alone,) = run(onnx_file, images[index : index + 1])
        np.testing.assert_allclose(found.scores, alone.scores, atol=1e-5)
        np.testing.assert_array_equal(found.labels, alone.labels)


def test_the_file_is_whole_and_says_what_it_is(onnx_file: Path, card: ModelCard) -> None:
    model = onnx.load(str(onnx_file), load_external_data=False)
    facts = {one.key: one.value for one in model.metadata_props}
    assert [one.name for one in onnx_file.parent.iterdir()] == ["model.onnx"]
    assert [(one.domain, one.version) for one in model.opset_import] == [("", 18)]
    assert [one.name for one in model.graph.output] == ["dets", "labels"]
    assert json.loads(facts["classes"]) == list(CLASSES)
    assert json.loads(facts["input_size"]) == list(INPUT_SIZE)
    assert facts["run_id"] == card.run_id


def test_the_file_names_nothing_of_the_machine_that_wrote_it(onnx_file: Path) -> None:
    content = onnx_file.read_bytes()
    assert str(Path(torch.__file__).parents[1]).encode() not in content
    assert b".py" not in content


def test_onnxruntime_finds_nothing_to_simplify(onnx_file: Path, tmp_path: Path) -> None:
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(tmp_path / "simplified.onnx")
    ort.InferenceSession(str(onnx_file), options, providers=["CPUExecutionProvider"])
    ours, theirs = (
        Counter(n.op_type for n in onnx.load(p).graph.node) for p in (onnx_file, tmp_path / "simplified.onnx")
    )
    assert ours == theirs
    assert "BatchNormalization" not in ours


def test_the_origin_names_the_runs_and_the_commit_of_the_training(
    inference_files: Path, card: ModelCard, tmp_path: Path
) -> None:
    store = store_at(str(tmp_path))
    url = store.url_of(started_run(store, "model_train").entity("obj_detect_inference_files"))
    pack(inference_files, url)
    assert model_metadata(card, url) == {
        "run_id": card.run_id,
        "dataset_run": card.dataset_run,
        "model_name": "yolox_nano",
        "training_commit": COMMIT,
    }


def test_weights_of_another_network_are_refused_by_name(inference_files: Path, tmp_path: Path) -> None:
    (tmp_path / "config.py").write_bytes((inference_files / "config.py").read_bytes())
    torch.save({"state_dict": {"backbone.stem.weight": torch.zeros(1)}}, tmp_path / "best.pth")
    with pytest.raises(DataError, match=r"best\.pth: the weights do not fit config\.py"):
        load_detector(tmp_path)


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"PK\x03\x04 cut off"])
def test_a_file_that_is_no_checkpoint_is_refused(inference_files: Path, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "config.py").write_bytes((inference_files / "config.py").read_bytes())
    (tmp_path / "best.pth").write_bytes(content)
    with pytest.raises(DataError, match=r"best\.pth"):
        load_detector(tmp_path)


def test_a_missing_file_says_which_step_makes_it(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"config\.py is missing.*model_train"):
        load_detector(tmp_path)


@pytest.mark.parametrize("size", [[100, 96], [0, 32], [416, 416.5]])
def test_an_input_size_off_the_stride_is_refused_with_the_card(
    inference_files: Path, tmp_path: Path, size: list[float]
) -> None:
    document = json.loads((inference_files / "model.json").read_text(encoding="utf-8"))
    (tmp_path / "model.json").write_text(json.dumps({**document, "input_size": size}), encoding="utf-8")
    with pytest.raises(DataError, match=r"input_size .* must be two multiples of 32"):
        ModelCard.load(tmp_path)


@pytest.mark.parametrize(
    "text", ["", "[]", '{"model_name": "x"}', '{"input_size": [1]}', '{"input_size": "416"}'], ids=str
)
def test_an_incomplete_model_card_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "model.json").write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=r"model\.json: not a complete model card"):
        ModelCard.load(tmp_path)
