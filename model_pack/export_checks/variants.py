"""The file that is packed, fp32 or smaller: what it scores, weighs and takes beside fp32, and whether it may ship."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx

from detector_export.export import save_model
from detector_export.images import read_images, spread
from detector_export.precision import CALIBRATION_IMAGES, to_half, to_int8
from export_checks.accuracy import AveragePrecision, average_precision, measure_latency
from export_checks.outputs import open_session, split_detections
from export_checks.parity import Found
from pack_params import PrecisionName
from sinara_lib.errors import QualityGateError
from sinara_lib.progress import progress
from sinara_lib.tables import markdown_table
from sinara_lib.vision.coco_archive import Split


@dataclass(frozen=True)
class Variant:
    """One file of the model; milliseconds of one image, one thread, on this machine's CPU."""

    precision: PrecisionName
    scores: AveragePrecision
    megabytes: float
    milliseconds: float


def write_variant(exported: Path, precision: PrecisionName, *, train: Split | None, size: tuple[int, int]) -> Path:
    """Write the variant of the fp32 file `exported` beside it and return its path; fp32 is that file itself.

    train: the split that int8 is calibrated on; the other precisions need none.
    """
    if precision == "fp32":
        return exported
    model = onnx.load(exported)
    facts = {one.key: one.value for one in model.metadata_props}
    if precision == "fp16":
        smaller = to_half(model)
    else:
        assert train is not None  # noqa: S101 - int8 declares the train split as its input
        images = spread(train.dataset.images, CALIBRATION_IMAGES)
        smaller = to_int8(model, read_images(train, images, size=size))
    path = exported.with_name(f"{exported.stem}_{precision}.onnx")
    save_model(smaller, path, metadata={**facts, "precision": precision})
    return path


def measure_variants(
    paths: Mapping[PrecisionName, Path], *, fp32_scores: AveragePrecision, evaluate: Split, size: tuple[int, int]
) -> list[Variant]:
    """Score, weigh and time the files; what fp32 scores on the eval split is known from the proof."""
    sessions = {name: open_session(path, threads=1) for name, path in paths.items()}
    (image,) = read_images(evaluate, evaluate.dataset.images[:1], size=size)
    milliseconds = measure_latency(sessions, image.pixels)
    return [
        Variant(
            precision=name,
            scores=fp32_scores if name == "fp32" else _score(path, evaluate, size=size),
            megabytes=path.stat().st_size / 1e6,
            milliseconds=milliseconds[name],
        )
        for name, path in paths.items()
    ]


def check_loss(variants: list[Variant], *, max_ap_loss: float) -> None:
    """Raise QualityGateError when the last of `variants` loses more AP than `max_ap_loss` against fp32."""
    fp32, packed = variants[0], variants[-1]
    loss = fp32.scores.ap - packed.scores.ap
    if loss > max_ap_loss:
        raise QualityGateError(
            f"In {packed.precision} the model scores AP {packed.scores.ap:.4f} on the eval split, in fp32 "
            f"{fp32.scores.ap:.4f}: it loses {loss:.4f}, max_ap_loss allows {max_ap_loss:g}. Nothing is published. "
            "Pack with another precision, or allow the loss."
        )


def variants_table(variants: list[Variant]) -> Any:
    """Return the variants as a table for the notebook."""
    from IPython.display import Markdown

    headers = ["precision", "AP", "AP50", "MB", "ms per image, one thread"]
    rows = [
        [
            one.precision,
            f"{one.scores.ap:.4f}",
            f"{one.scores.ap50:.4f}",
            f"{one.megabytes:.1f}",
            f"{one.milliseconds:.1f}",
        ]
        for one in variants
    ]
    return Markdown(markdown_table(headers, rows))


def _score(path: Path, evaluate: Split, *, size: tuple[int, int]) -> AveragePrecision:
    session = open_session(path)
    images = evaluate.dataset.images
    bar = progress(read_images(evaluate, images, size=size), label="score", total=len(images), unit="image")
    found: list[Found] = []
    for image in bar:
        dets, labels = session.run(["dets", "labels"], {"images": image.pixels[None]})
        found.append((image.place, split_detections(dets[0], labels[0])))
    return average_precision(evaluate.dataset, found)
