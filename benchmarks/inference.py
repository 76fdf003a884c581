"""Latency and images per second of the detector: PyTorch eager and compiled, ONNX Runtime in each precision.

    python benchmarks/inference.py [--networks yolox_nano] [--sizes 416 640] [--batches 1 8] [--threads 1 2]
                                   [--rounds 5] [--weights FILE] [--picture FILE] [--check]

PyTorch runs the network with box decoding and no suppression, so it does less than the ONNX file, whose suppression is
inside; "bare graph" is that file without it. Without --weights the network has random weights, its objectness set so
that one prior in twenty passes the threshold, which is many. In each round all take turns; each turn is a call to warm
up and then calls for at least half a second. What suppression costs is less than the speed of a shared machine
changes within a second, so the file and its bare graph are compared once more, call by call in turn.
"""

import argparse
import json
import logging
import math
import os
import shutil
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[1] / "model_pack"))

import cv2
import numpy as np
import onnx
import torch

from benchmarks.table import Target, conclude, render, say, take_turns
from detector_export.export import RawDetector, export_detector, export_raw
from detector_export.images import ImagePlace, NetworkImage
from detector_export.model_card import load_detector
from detector_export.precision import to_half, to_int8
from pack_params import NmsSettings
from sinara_lib.vision.letterbox import decode_image, letterbox, to_network_input
from sinara_lib.vision.mmcv_ops import ensure_mmcv_ops
from sinara_lib.vision.model_pages import ModelCard

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import onnxruntime as ort

EAGER, COMPILED = "PyTorch, eager", "PyTorch, torch.compile"
BARE, FP32 = "ONNX Runtime, bare graph", "ONNX Runtime, fp32"
FP16, INT8 = "ONNX Runtime, fp16", "ONNX Runtime, int8"
COMPILERS = ("g++", "clang++")
CLASSES = ("person", "bicycle", "car", "motorcycle", "bus", "truck")
TURN_SECONDS = 0.5
PAIRS, PAIRS_SECONDS = 41, 5.0
TIMES_AS_FAST, TIMES_AS_SLOW = 2.5, 1.03


@dataclass(frozen=True)
class Setting:
    """What one table row block is measured at."""

    network: str
    size: int
    batch: int
    threads: int

    def __str__(self) -> str:
        return f"{self.network}, {self.size} x {self.size}, batch {self.batch}, {self.threads} thread(s)"


@dataclass(frozen=True)
class Network:
    """One detector in all its forms."""

    name: str
    detector: torch.nn.Module
    files: dict[str, Path]
    """ONNX files by contender."""


def main() -> int:
    """Run the benchmark; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", nargs="+", default=["yolox_nano"])
    parser.add_argument("--sizes", nargs="+", type=int, default=[416, 640])
    parser.add_argument("--batches", nargs="+", type=int, default=[1, 8])
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--weights", type=Path, help="a checkpoint of the network with six classes, or with COCO's 80")
    parser.add_argument("--picture", type=Path, help="what is looked at; left out: one that is drawn")
    parser.add_argument("--check", action="store_true", help="exit 1 when a target is missed")
    arguments = parser.parse_args()
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    if not compiler():
        say(f"{COMPILED}: not measured, for it needs a C++ compiler and none of {', '.join(COMPILERS)} is on the PATH")
    picture = decode_image(arguments.picture.read_bytes()) if arguments.picture else drawn_picture()
    found: dict[Setting, dict[str, list[float]]] = {}
    suppression: dict[Setting, float] = {}
    for name in arguments.networks:
        with tempfile.TemporaryDirectory() as work:
            network = prepare(name, Path(work), picture=picture, weights=arguments.weights)
            for size in arguments.sizes:
                for batch in arguments.batches:
                    for threads in arguments.threads:
                        setting = Setting(name, size, batch, threads)
                        calls = contenders(network, setting, picture=picture)
                        turns = {one: partial(one_turn, call) for one, call in calls.items()}
                        found[setting] = take_turns(turns, rounds=arguments.rounds)
                        suppression[setting] = times_call_by_call(calls[FP32], calls[BARE])
    say(report(found, suppression))
    return conclude(promised(found, suppression), check=arguments.check)


def compiler() -> str | None:
    """Return the C++ compiler that torch.compile would use; None when there is none."""
    named = os.environ.get("CXX")
    return next(filter(None, map(shutil.which, [named] if named else COMPILERS)), None)


def drawn_picture() -> Any:
    """Draw a picture with the detail of a photograph, 640 x 480."""
    rng = np.random.default_rng(1)
    coarse = cv2.resize(rng.integers(0, 256, (24, 32, 3), dtype=np.uint8), (640, 480), interpolation=cv2.INTER_CUBIC)
    return np.clip(coarse + rng.normal(0, 6, coarse.shape), 0, 255).astype(np.uint8)


def prepare(name: str, work: Path, *, picture: Any, weights: Path | None) -> Network:
    """Build the network and write every ONNX file of it."""
    card = write_inference_files(name, work, weights=weights)
    detector = load_detector(work)
    if weights is None:
        spread_objectness(detector, network_input(picture, 416))
    files = {key: work / f"{number}.onnx" for number, key in enumerate((BARE, FP32, FP16, INT8))}
    say(f"{name}: exporting")
    export_raw(detector, files[BARE], card=card)
    export_detector(detector, files[FP32], card=card, nms=NmsSettings(), metadata={})
    exported = onnx.load(files[FP32])
    onnx.save(to_half(exported), files[FP16])
    pictures = [np.roll(picture, step, axis=1) for step in range(0, 160, 20)]
    images = (NetworkImage(ImagePlace("drawn", 1.0, 416, 416), network_input(one, 416)) for one in pictures)
    onnx.save(to_int8(exported, images), files[INT8])
    return Network(name, detector, files)


def write_inference_files(name: str, folder: Path, *, weights: Path | None) -> ModelCard:
    """Write config.py, best.pth and model.json as model_train does; of COCO's classes ours are taken."""
    ensure_mmcv_ops()
    import mmdet
    from mmdet.utils import register_all_modules
    from mmengine.config import Config
    from mmengine.registry import MODELS

    register_all_modules(init_default_scope=True)
    place = Path(mmdet.__file__).parent / ".mim" / "configs" / "yolox" / f"{name}_8xb8-300e_coco.py"
    config = Config.fromfile(str(place))
    config.model.bbox_head.num_classes = len(CLASSES)
    config.dump(str(folder / "config.py"))
    torch.manual_seed(7)
    state = MODELS.build(config.model).state_dict()
    if weights:
        checkpoint = torch.load(weights, map_location="cpu", weights_only=True)
        known = checkpoint["meta"]["dataset_meta"]["classes"]
        rows = [known.index(one) for one in CLASSES]
        state = {k: v[rows] if "multi_level_conv_cls" in k else v for k, v in checkpoint["state_dict"].items()}
    torch.save({"state_dict": state}, folder / "best.pth")
    facts = {"model_name": name, "input_size": [416, 416], "classes": CLASSES, "category_ids": list(range(1, 7))}
    (folder / "model.json").write_text(json.dumps({**facts, "run_id": "-", "dataset_run": "-"}), encoding="utf-8")
    return ModelCard.load(folder)


def spread_objectness(detector: Any, image: np.ndarray, *, share: float = 0.05) -> None:
    """Set random heads so that `share` of the priors of one image pass the score threshold, as in a crowd."""
    head = detector.bbox_head
    generator = torch.Generator().manual_seed(11)
    with torch.no_grad():
        for cls, objectness in zip(head.multi_level_conv_cls, head.multi_level_conv_obj, strict=True):
            cls.bias.fill_(6.0)
            torch.nn.init.normal_(objectness.weight, std=3.0, generator=generator)
        logits = torch.cat([one.flatten() for one in head(detector.extract_feat(torch.from_numpy(image[None])))[2]])
        threshold = NmsSettings().score_threshold
        shift = math.log(threshold / (1 - threshold)) - float(logits.quantile(1 - share))
        for objectness in head.multi_level_conv_obj:
            objectness.bias += shift


def network_input(picture: Any, size: int) -> np.ndarray:
    """Letterbox a picture: float32 [3, size, size]."""
    return to_network_input(letterbox(picture, (size, size))[0])


def contenders(network: Network, setting: Setting, *, picture: Any) -> dict[str, Callable[[], Any]]:
    """Return a call of each contender on a batch, warmed up: compiling is nobody's time."""
    say(str(setting))
    torch.set_num_threads(setting.threads)
    batch = np.repeat(network_input(picture, setting.size)[None], setting.batch, axis=0)
    raw, images = RawDetector(network.detector).eval(), torch.from_numpy(batch)
    calls: dict[str, Callable[[], Any]] = {EAGER: partial(torch.inference_mode()(raw), images)}
    if compiler():
        torch.compiler.reset()  # for each setting its own code: sizes and threads are compiled in
        compiled = torch.compile(RawDetector(network.detector).eval(), dynamic=False)
        calls[COMPILED] = partial(torch.inference_mode()(compiled), images)
    for name, path in network.files.items():
        session = open_session(path, threads=setting.threads)
        calls[name] = partial(session.run, None, {"images": batch})
    for call in calls.values():
        call()
    return calls


def times_call_by_call(one: Callable[[], Any], other: Callable[[], Any]) -> float:
    """Return the time of `one` divided by that of `other`: the median of many calls, made in turn."""
    found: list[float] = []
    began = time.perf_counter()
    while len(found) < PAIRS or time.perf_counter() - began < PAIRS_SECONDS:
        pair = [(one, 0), (other, 1)][:: 1 if len(found) % 2 else -1]
        seconds = [0.0, 0.0]
        for call, place in pair:
            start = time.perf_counter()
            call()
            seconds[place] = time.perf_counter() - start
        found.append(seconds[0] / seconds[1])
    return statistics.median(found)


def open_session(path: Path, *, threads: int) -> ort.InferenceSession:
    """Open a file as the service does: threads that wait do not spin."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def one_turn(call: Callable[[], Any]) -> float:
    """Return the median seconds of a call."""
    call()
    seconds: list[float] = []
    while sum(seconds) < TURN_SECONDS or len(seconds) < 3:
        began = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds)


def report(found: dict[Setting, dict[str, list[float]]], suppression: dict[Setting, float]) -> str:
    """Return the table: a row for each setting and contender; what suppression takes stands at the ONNX file."""
    rows: list[list[object]] = []
    for setting, seconds in found.items():
        for name in (EAGER, COMPILED, BARE, FP32, FP16, INT8):
            where = [setting.network, setting.size, setting.batch, setting.threads, name]
            if name not in seconds:
                rows.append([*where, "no C++ compiler", "", "", ""])
                continue
            middle = statistics.median(seconds[name])
            times = by_rounds(seconds, EAGER, name)
            rows.append([*where, f"{1000 * middle:.1f}", f"{setting.batch / middle:.1f}", f"{times:.2f}"])
            rows[-1].append(f"{suppression[setting]:.3f}" if name == FP32 else "")
    head = [
        "network",
        "size",
        "batch",
        "threads",
        "model",
        "ms per call",
        "images/s",
        "times eager",
        "times bare graph",
    ]
    return render(head, rows)


def promised(found: dict[Setting, dict[str, list[float]]], suppression: dict[Setting, float]) -> list[Target]:
    """Return what was promised of the ONNX file, each in the setting where it does worst."""
    faster = min(by_rounds(seconds, EAGER, FP32) for seconds in found.values())
    return [
        Target(
            "ONNX fp32 beside the bare graph without suppression, at worst",
            max(suppression.values()),
            at_most=TIMES_AS_SLOW,
        ),
        Target("times as fast as eager PyTorch, at worst", faster, at_least=TIMES_AS_FAST),
    ]


def by_rounds(seconds: dict[str, list[float]], one: str, other: str) -> float:
    """Return the time of `one` divided by that of `other`: the median over the rounds, in which they take turns."""
    return statistics.median(a / b for a, b in zip(seconds[one], seconds[other], strict=True))


if __name__ == "__main__":
    sys.exit(main())
