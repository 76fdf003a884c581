"""The whole proof stands on the eval split; smaller variants are scored beside fp32 and held to a loss."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from detector_export.images import open_fitting_split, read_images, spread
from detector_export.torchscript import METADATA_FILE, export_torchscript
from export_checks.accuracy import AveragePrecision, average_precision
from export_checks.outputs import RAW_OUTPUTS, open_session, run_onnx, run_torch, split_detections
from export_checks.parity import pair_detections
from export_checks.proof import check_scores, proof_table, prove_equal
from export_checks.torchscript_parity import check_torchscript
from export_checks.variants import Variant, check_loss, measure_variants, variants_table, write_variant
from pack_params import PrecisionName
from sinara_lib.errors import DataError, QualityGateError
from sinara_lib.vision.coco_archive import Split
from sinara_lib.vision.model_pages import ModelCard
from small_network import CLASSES, NMS
from split_cases import publish_split


@pytest.fixture(scope="module")
def split_url(detector: nn.Module, card: ModelCard, tmp_path_factory: pytest.TempPathFactory) -> str:
    return publish_split(detector, card, tmp_path_factory.mktemp("split") / "eval", images=8, seed=4)


@pytest.fixture(scope="module")
def evaluate(split_url: str, card: ModelCard) -> Split:
    return open_fitting_split(split_url, "eval", card=card)


@pytest.fixture(scope="module")
def fp32_scores(onnx_file: Path, evaluate: Split, card: ModelCard) -> AveragePrecision:
    session = open_session(onnx_file, outputs=RAW_OUTPUTS)
    images = read_images(evaluate, evaluate.dataset.images, size=card.input_size)
    return average_precision(evaluate.dataset, [(i.place, run_onnx(session, i.pixels[None])[0].found) for i in images])


def test_both_models_agree_on_test_image_split_and_noise_and_score_the_same(
    detector: nn.Module, onnx_file: Path, card: ModelCard, inference_files: Path, evaluate: Split
) -> None:
    image = inference_files / "eval_image.png"
    proof = prove_equal(detector, onnx_file, card=card, nms=NMS, test_image=image, evaluate=evaluate, noise_seed=0)
    assert [(one.name, len(one.rows)) for one in proof.comparisons] == [
        ("test image", 1),
        ("eval split", 8),
        ("noise", 1),
    ]
    assert proof.torch_ap.ap == pytest.approx(proof.onnx_ap.ap, abs=1e-3)
    assert proof.onnx_ap.ap50 > 0.3
    assert 0 < proof.largest_raw_error < 1e-3
    page = proof_table(proof).data
    assert "<th>eval split</th>" in page
    assert f"<td>{proof.onnx_ap.ap:.4f}</td>" in page


def test_models_that_score_otherwise_are_stopped() -> None:
    check_scores(AveragePrecision(0.5, 0.6), AveragePrecision(0.5009, 0.7))
    with pytest.raises(DataError, match=r"scores AP 0\.4980 .* PyTorch model 0\.5000 .*nothing is published"):
        check_scores(AveragePrecision(0.5, 0.6), AveragePrecision(0.498, 0.6))


def test_a_split_of_other_classes_is_refused(split_url: str, card: ModelCard) -> None:
    with pytest.raises(
        DataError, match=r"has the classes person, bicycle, car, the model of .* knows dog, bicycle, car"
    ):
        open_fitting_split(split_url, "eval", card=card.model_copy(update={"classes": ("dog", "bicycle", "car")}))


def test_images_are_spread_over_the_split(evaluate: Split) -> None:
    images = evaluate.dataset.images
    assert [one.id for one in spread(images, 3)] == [1, 3, 6]
    assert spread(images, 100) == list(images)


@pytest.fixture(scope="module", params=["fp16", "int8"])
def files(
    request: pytest.FixtureRequest,
    onnx_file: Path,
    card: ModelCard,
    evaluate: Split,
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[PrecisionName, Path]:
    """The fp32 file and a smaller variant of it."""
    exported = tmp_path_factory.mktemp("variant") / "model.onnx"
    exported.write_bytes(onnx_file.read_bytes())
    smaller = write_variant(exported, request.param, train=evaluate, size=card.input_size)
    return {"fp32": exported, request.param: smaller}


def test_a_smaller_edition_weighs_less_and_nearly_keeps_the_score(
    files: dict[PrecisionName, Path], card: ModelCard, evaluate: Split, fp32_scores: AveragePrecision
) -> None:
    fp32, smaller = measure_variants(files, fp32_scores=fp32_scores, evaluate=evaluate, size=card.input_size)
    assert smaller.megabytes < {"fp16": 0.55, "int8": 0.4}[smaller.precision] * fp32.megabytes
    assert min(fp32.milliseconds, smaller.milliseconds) > 0
    assert f"| {smaller.precision} | {smaller.scores.ap:.4f} |" in variants_table([fp32, smaller]).data
    check_loss([fp32, smaller], max_ap_loss=0.03)


def test_a_smaller_edition_is_asked_and_answers_as_fp32_does(files: dict[PrecisionName, Path]) -> None:
    precision, path = list(files.items())[1]
    facts = {one.key: one.value for one in onnx.load(path).metadata_props}
    assert (facts["precision"], json.loads(facts["classes"])) == (precision, list(CLASSES))
    batch = np.random.default_rng(1).integers(0, 256, (3, 3, 64, 160)).astype(np.float32)
    dets, labels = open_session(path).run(["dets", "labels"], {"images": batch})
    assert (dets.dtype, dets.shape[0], labels.dtype) == (np.float32, 3, np.int64)


def test_decoding_and_suppression_of_a_smaller_edition_are_those_of_fp32(files: dict[PrecisionName, Path]) -> None:
    precision, path = list(files.items())[1]
    nodes = onnx.load(files["fp32"]).graph.node
    last = max(place for place, node in enumerate(nodes) if node.op_type == "Conv")
    graph = onnx.load(path).graph
    assert len(nodes) - last > 90
    assert {n.SerializeToString() for n in nodes[last + 1 :]} <= {n.SerializeToString() for n in graph.node}
    kinds = Counter(one.data_type for one in graph.initializer)
    small = onnx.TensorProto.FLOAT16 if precision == "fp16" else onnx.TensorProto.INT8
    assert kinds[small] > 100, "the network is not in the precision that was asked for"


def test_an_edition_that_loses_too_much_is_stopped_with_both_figures() -> None:
    variants = [
        Variant("fp32", AveragePrecision(0.5, 0.7), 4, 10),
        Variant("int8", AveragePrecision(0.485, 0.69), 1, 5),
    ]
    check_loss(variants, max_ap_loss=0.02)
    with pytest.raises(
        QualityGateError, match=r"int8 .* AP 0\.4850 .* fp32 0\.5000.* loses 0\.0150, max_ap_loss .* 0\.01"
    ):
        check_loss(variants, max_ap_loss=0.01)


def test_torchscript_finds_what_the_detector_finds_at_any_batch_and_size(
    detector: nn.Module, card: ModelCard, evaluate: Split, tmp_path: Path
) -> None:
    export_torchscript(detector, tmp_path / "model.pt", card=card, nms=NMS, metadata={"run_id": card.run_id})
    assert b"site-packages" not in (tmp_path / "model.pt").read_bytes()
    extra = {METADATA_FILE: ""}
    scripted = torch.jit.load(str(tmp_path / "model.pt"), _extra_files=extra)
    assert json.loads(extra[METADATA_FILE])["run_id"] == card.run_id
    for size in (card.input_size, (64, 160)):
        images = list(read_images(evaluate, evaluate.dataset.images[:3], size=size))
        check_torchscript(tmp_path / "model.pt", detector, nms=NMS, images=images)
        answer = scripted(torch.from_numpy(np.stack([image.pixels for image in images])))
        for image, dets, labels in zip(images, answer.dets.numpy(), answer.labels.numpy(), strict=True):
            expected, found = run_torch(detector, image.pixels, NMS).found, split_detections(dets, labels)
            assert len(found.scores) > 10
            assert pair_detections(expected, found, nms=NMS)[0] == 0
    other = NMS.model_copy(update={"iou_threshold": 0.2})
    with pytest.raises(DataError, match=r"TorchScript model differs .* Image 1\.png: \d+ of \d+ detections differ"):
        check_torchscript(tmp_path / "model.pt", detector, nms=other, images=images)
