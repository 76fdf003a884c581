"""Requests per second and latency of the packed service, beside a bare Starlette app and the detector in a loop.

    python benchmarks/serve.py [--rounds 5] [--seconds 6] [--networks yolox_s yolox_nano] [--image TAG] [--check]

All run the same ONNX file with the same threads and answer the same JPEG of 640 x 480 pixels; client and server share
the machine. The networks have the weights of nobody: time does not depend on them.
"""

import argparse
import importlib
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[1] / "model_pack"))

import cv2
import numpy as np

from benchmarks.http_load import Load, post_request, run_load
from benchmarks.table import Target, conclude, render, say
from sinara_lib.bento.service import (
    DevService,
    isolated_modules,
    save_bentoservice,
    start_dev_bentoservice,
    stop_dev_bentoservice,
)
from sinara_lib.layout import StepAddress
from sinara_lib.store import store_at
from sinara_lib.store.manifest import Producer, RunRecord, RunStatus

SIZES = {"yolox_s": (640, 640), "yolox_nano": (416, 416)}
CONFIGS = {"yolox_s": "yolox_s_8xb8-300e_coco.py", "yolox_nano": "yolox_nano_8xb8-300e_coco.py"}
CONNECTIONS = (1, 8, 32)
SERVICE, BARE, LOOP = "service", "bare Starlette", "loop in one process"
BARE_APP = Path(__file__).with_name("bare_app.py")


@dataclass(frozen=True)
class Measured:
    """What one network gave."""

    loads: dict[tuple[str, int], list[Load]]
    loop: list[float]
    """Milliseconds, the median of each round."""
    ready_seconds: float
    memory: dict[str, float]
    """MiB of each process of the service."""
    bento_bytes: int
    stages: dict[str, float]
    """Median milliseconds of each stage."""


def main() -> int:
    """Run the benchmark; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=6.0, help="of each load in each round")
    parser.add_argument("--networks", nargs="+", choices=list(SIZES), default=list(SIZES))
    parser.add_argument("--image", metavar="TAG", help="an image that `sinara containerize` built, to say its size")
    parser.add_argument("--check", action="store_true", help="exit 1 when a target is missed")
    arguments = parser.parse_args()
    targets: list[Target] = []
    with tempfile.TemporaryDirectory() as work:
        image = Path(work, "image.jpg")
        image.write_bytes(photograph())
        for name in arguments.networks:
            folder = prepare(name, Path(work, name))
            found = measure(folder, image, rounds=arguments.rounds, seconds=arguments.seconds)
            report(name, found)
            targets += promised(name, found)
    if arguments.image:
        say(f"image {arguments.image}: {image_megabytes(arguments.image):.0f} MB")
    return conclude(targets, check=arguments.check)


def photograph() -> bytes:
    """Draw a JPEG with the detail of a photograph, 640 x 480."""
    rng = np.random.default_rng(1)
    coarse = cv2.resize(rng.integers(0, 256, (24, 32, 3), dtype=np.uint8), (640, 480), interpolation=cv2.INTER_CUBIC)
    grain = rng.normal(0, 6, coarse.shape)
    return cv2.imencode(".jpg", np.clip(coarse + grain, 0, 255).astype(np.uint8))[1].tobytes()


def prepare(name: str, folder: Path) -> Path:
    """Export a network and lay out its service; returns the service folder."""
    from sinara_lib.vision.mmcv_ops import ensure_mmcv_ops

    ensure_mmcv_ops()
    import mmdet
    import torch
    from mmdet.utils import register_all_modules
    from mmengine.config import Config
    from mmengine.registry import MODELS

    from detector_export.export import export_detector
    from detector_export.model_card import load_detector
    from pack_params import NmsSettings
    from service_packing import lay_out_service, write_expected_result, write_requirements
    from sinara_lib.vision.model_pages import ModelCard

    register_all_modules(init_default_scope=True)
    folder.mkdir()
    say(f"exporting {name}")
    config = Config.fromfile(str(Path(mmdet.__file__).parent / ".mim/configs/yolox" / CONFIGS[name]))
    config.dump(str(folder / "config.py"))
    torch.manual_seed(1)
    classes = [f"class {number}" for number in range(80)]
    meta = {"dataset_meta": {"classes": classes}}
    torch.save({"state_dict": MODELS.build(config.model).state_dict(), "meta": meta}, folder / "best.pth")
    card = {
        "model_name": name, "input_size": SIZES[name], "classes": classes, "category_ids": list(range(1, 81)),
        "run_id": "run-26-01-02-030405-678", "dataset_run": "run-26-01-02-030405-000", "best_is": "start", "scores": {},
    }  # fmt: skip
    (folder / "model.json").write_text(json.dumps(card), encoding="utf-8")
    (folder / "test.jpg").write_bytes(photograph())
    model = folder / "model.onnx"
    loaded = ModelCard.load(folder)
    export_detector(load_detector(folder), model, card=loaded, nms=NmsSettings(), metadata={})
    service = lay_out_service(
        folder / "service", model=model, card=loaded, test_image=folder / "test.jpg", version="bench", min_score=0.25
    )
    write_requirements(service, onnxruntime_package="onnxruntime")
    write_expected_result(service)
    return service


def measure(folder: Path, image: Path, *, rounds: int, seconds: float) -> Measured:
    """Let the contenders take turns."""
    url = publish(folder)
    start = time.perf_counter()
    service = start_dev_bentoservice(url)
    ready = time.perf_counter() - start
    loads: dict[tuple[str, int], list[Load]] = {}
    loop: list[float] = []
    try:
        with bare_server(folder, image) as bare:
            addresses = {SERVICE: service.url, BARE: bare}
            for number in range(rounds):
                say(f"  round {number + 1} of {rounds}")
                order = list(addresses)[:: 1 if number % 2 == 0 else -1]
                for connections in CONNECTIONS:
                    for name in order:
                        request = post_request(f"{addresses[name]}/predict", image.read_bytes())
                        load = run_load(
                            addresses[name], [request], connections=connections, seconds=seconds, pause=0.05
                        )
                        loads.setdefault((name, connections), []).append(load)
                loop.append(statistics.median(loop_milliseconds(folder, image, seconds=seconds)))
            memory = memory_of(service)
    finally:
        stop_dev_bentoservice(service)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return Measured(loads, loop, ready, memory, size, stage_milliseconds(folder, image))


def publish(folder: Path) -> str:
    """Publish the service's bento in a store beside it, and give its URL."""
    store, now = store_at(str(folder.parent / "store")), datetime.now(timezone.utc)
    record = RunRecord(run_id="", status=RunStatus.RUNNING, started=now, producer=Producer(library="benchmark"))
    run = store.start_run(StepAddress("bench", "test", "model_pack"), record, now=now)
    url = store.url_of(run.entity("bento_service"))
    save_bentoservice(folder, url, version=run.run_id)
    return url


@contextmanager
def bare_server(folder: Path, image: Path) -> Iterator[str]:
    """Start the bare app, warmed up."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    process = subprocess.Popen([sys.executable, str(BARE_APP), str(folder), "serve", str(port)])
    address = f"http://127.0.0.1:{port}"
    request = post_request(f"{address}/predict", image.read_bytes())
    try:
        for _ in range(100):
            if run_load(address, [request], connections=1, seconds=0.3, pause=0.3).latencies:
                break
        yield address
    finally:
        process.terminate()
        process.wait()


def loop_milliseconds(folder: Path, image: Path, *, seconds: float) -> list[float]:
    """Milliseconds of each prediction in a process of its own."""
    command = [sys.executable, str(BARE_APP), str(folder), "loop", str(image), str(seconds)]
    taken: list[float] = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return taken


def memory_of(service: DevService) -> dict[str, float]:
    """Resident MiB of the supervisor and of each worker."""
    parents = {int(path.name): _parent(path) for path in Path("/proc").iterdir() if path.name.isdigit()}
    supervisor = service.server.process.pid
    found = {"supervisor": _resident(supervisor)}
    workers = [pid for pid, parent in parents.items() if parent == supervisor]
    return found | {f"worker {number + 1}": _resident(pid) for number, pid in enumerate(workers)}


def stage_milliseconds(folder: Path, image: Path, *, times: int = 30) -> dict[str, float]:
    """Median milliseconds of each stage of a prediction, in this process."""
    taken: dict[str, list[float]] = {}

    @contextmanager
    def timed(stage: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        taken.setdefault(stage, []).append((time.perf_counter() - start) * 1000)

    with isolated_modules(folder):
        settings = importlib.import_module("service_settings").ServiceSettings.read({})
        detector = importlib.import_module("detector").Detector(
            folder / "artifacts", threads=settings.threads, timed=timed
        )
        for _ in range(times):
            detector.predict(image.read_bytes())
    return {stage: statistics.median(values) for stage, values in taken.items()}


def report(name: str, found: Measured) -> None:
    """Print the table of one network."""
    rows = []
    for connections in CONNECTIONS:
        for contender in (SERVICE, BARE):
            loads = found.loads[contender, connections]
            answers = sum((load.statuses for load in loads), start=type(loads[0].statuses)())
            others = ", ".join(f"{count} of {status}" for status, count in sorted(answers.items()) if status != 200)
            rate = statistics.median(load.rate for load in loads)
            middle = statistics.median(load.milliseconds for load in loads)
            rows.append([connections, contender, f"{rate:.1f}", f"{middle:.1f}", others or "-"])
    rows.append(["-", LOOP, f"{1000 / statistics.median(found.loop):.1f}", f"{statistics.median(found.loop):.1f}", "-"])
    say(f"\n{name}, {os.cpu_count()} cores")
    say(render(["connections", "contender", "answers/s", "median ms", "other answers"], rows))
    say("stages, ms: " + ", ".join(f"{stage} {value:.2f}" for stage, value in found.stages.items()))
    say(f"start to ready {found.ready_seconds:.1f} s; service folder {found.bento_bytes / 1e6:.1f} MB; memory, MiB: "
        + ", ".join(f"{process} {value:.0f}" for process, value in found.memory.items()) + "\n")  # fmt: skip


def promised(name: str, found: Measured) -> list[Target]:
    """Return the targets of one network."""
    pairs = zip(found.loads[SERVICE, 8], found.loads[BARE, 8], strict=True)
    beside = statistics.median(service.rate / bare.rate for service, bare in pairs)
    alone = statistics.median(load.milliseconds for load in found.loads[SERVICE, 1]) - statistics.median(found.loop)
    targets = [
        Target(f"{name}: throughput beside bare Starlette at 8 connections", beside, at_least=0.95),
        Target(f"{name}: ms more than the loop at 1 connection", alone, at_most=4.0),
    ]
    if name == "yolox_s":
        around = sum(value for stage, value in found.stages.items() if stage != "network")
        share = around / found.stages["network"]
        targets.append(Target("yolox_s: pre- and postprocessing as part of the network's time", share, at_most=0.1))
    return targets


def image_megabytes(tag: str) -> float:
    """Size of an image in the local store of podman, docker or buildah."""
    tools = (["podman", "image", "inspect"], ["docker", "image", "inspect"], ["buildah", "inspect", "--type", "image"])
    for command in tools:
        try:
            done = subprocess.run([*command, tag], capture_output=True, text=True, check=True)
            return float(json.loads(done.stdout)[0]["Size"]) / 1e6
        except (OSError, subprocess.CalledProcessError, KeyError, IndexError):
            continue
    raise SystemExit(f"no image {tag} in podman, docker or buildah here")


def _parent(process: Path) -> int:
    try:
        return int((process / "stat").read_text().rsplit(")", 1)[1].split()[1])
    except OSError:  # it has ended meanwhile
        return 0


def _resident(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


if __name__ == "__main__":
    sys.exit(main())
