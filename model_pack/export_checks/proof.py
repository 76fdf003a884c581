"""The whole proof of an export: test image, eval split and noise through both models, and what both score."""

from __future__ import annotations

import html
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from detector_export.images import noise_image, prepare_image, read_images
from export_checks.accuracy import AveragePrecision, average_precision
from export_checks.parity import MIN_IOU, RAW_TOLERANCE, SCORE_TOLERANCE, Comparison, compare_models
from pack_params import NmsSettings
from sinara_lib.errors import DataError
from sinara_lib.progress import progress
from sinara_lib.vision.coco_archive import Split
from sinara_lib.vision.model_pages import ModelCard

COMPARED_IMAGES = 64
"""Images of the eval split whose raw outputs and detections are compared one by one; all of them count for AP."""
AP_TOLERANCE = 1e-3


@dataclass(frozen=True)
class Proof:
    """What was compared, and COCO's AP of both models on the eval split."""

    comparisons: tuple[Comparison, ...]
    torch_ap: AveragePrecision
    onnx_ap: AveragePrecision

    @property
    def largest_raw_error(self) -> float:
        """The largest relative error of any raw output."""
        return max(max(row.box_error, row.score_error) for one in self.comparisons for row in one.rows)


def prove_equal(
    detector: nn.Module,
    model: str | Path,
    *,
    card: ModelCard,
    nms: NmsSettings,
    test_image: Path,
    evaluate: Split,
    noise_seed: int,
) -> Proof:
    """Compare the ONNX file `model` with the PyTorch `detector` it was made from.

    Raises DataError when raw outputs, detections or AP differ beyond the tolerances: nothing may be published then.
    """
    size = card.input_size
    images = read_images(evaluate, evaluate.dataset.images, size=size)
    bar = progress(images, label="compare", total=len(evaluate.dataset.images), unit="image")
    alone = {
        "test image": prepare_image(test_image.read_bytes(), test_image.name, size=size),
        "noise": noise_image(size, seed=noise_seed),
    }
    compared = [compare_models(detector, model, nms=nms, name=name, images=[one]) for name, one in alone.items()]
    split = compare_models(detector, model, nms=nms, name="eval split", images=bar, most=COMPARED_IMAGES)
    by_torch, by_onnx = (average_precision(evaluate.dataset, found) for found in (split.by_torch, split.by_onnx))
    check_scores(by_torch, by_onnx)
    return Proof((compared[0], split, compared[1]), torch_ap=by_torch, onnx_ap=by_onnx)


def check_scores(by_torch: AveragePrecision, by_onnx: AveragePrecision) -> None:
    """Raise DataError unless both models score the same."""
    if abs(by_torch.ap - by_onnx.ap) > AP_TOLERANCE:
        raise DataError(
            f"The exported model scores AP {by_onnx.ap:.4f} on the eval split, the PyTorch model {by_torch.ap:.4f} "
            f"(allowed difference {AP_TOLERANCE:g}); nothing is published. Pack with other post-processing parameters, "
            "or report this with both figures."
        )


def proof_table(proof: Proof) -> Any:
    """Return the comparison as a table for the notebook, one column per set of images; of many the worst figure."""
    from IPython.display import HTML

    facts: dict[str, Callable[[Comparison], str]] = {
        "images": lambda one: str(len(one.rows)),
        f"raw boxes, largest relative error (allowed {RAW_TOLERANCE:g})": lambda one: f"{_worst(one, 'box_error'):.1e}",
        f"raw scores, largest relative error (allowed {RAW_TOLERANCE:g})": lambda one: (
            f"{_worst(one, 'score_error'):.1e}"
        ),
        "detections of PyTorch": lambda one: str(sum(row.torch_detections for row in one.rows)),
        "detections of ONNX": lambda one: str(sum(row.onnx_detections for row in one.rows)),
        "not in the other model (allowed 0)": lambda one: str(sum(row.unmatched for row in one.rows)),
        f"lowest IoU of a pair (at least {MIN_IOU})": lambda one: (
            f"{min(row.lowest_iou for row in one.rows):.5f}"
            if any(row.torch_detections for row in one.rows)
            else "no pair"
        ),
        f"largest score gap of a pair (allowed {SCORE_TOLERANCE:g})": lambda one: (
            f"{_worst(one, 'largest_score_gap'):.1e}"
        ),
    }
    head = "".join(f"<th>{html.escape(one.name)}</th>" for one in proof.comparisons)
    lines = [(name, [fact(one) for one in proof.comparisons]) for name, fact in facts.items()]
    whole = len(proof.comparisons[1].by_onnx)
    for name, scores in (("PyTorch", proof.torch_ap), ("ONNX", proof.onnx_ap)):
        lines.append((f"AP of {name} on all {whole} images", ["", f"{scores.ap:.4f}", ""]))
    body = "".join(
        f"<tr><th>{html.escape(name)}</th>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>" for name, cells in lines
    )
    return HTML(f"<table><thead><tr><th></th>{head}</tr></thead><tbody>{body}</tbody></table>")


def _worst(comparison: Comparison, figure: str) -> float:
    return max(float(getattr(row, figure)) for row in comparison.rows)
