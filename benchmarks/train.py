"""Images per second that model_train trains, beside mmengine's own Runner, from archives, plain files and caches.

    python benchmarks/train.py [--images 240] [--size 416] [--epochs 1] [--workers 0] [--rounds 5] [--check]

All contenders train the same yolox_nano from the same weights on the same JPEG files, with the same transforms,
batches, optimizer and schedule. The Runner is bare: mmengine's sampler, mmdet's dataset, no hook of ours, no
checkpoint. model_train does all it does in a step: reproducible samples, history, progress, drawn batches, a
checkpoint published after each epoch. Scoring is left out of the time of all. It trains on the CPU with all cores, or
on the GPU where there is one.
"""

import argparse
import contextlib
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[1] / "model_train"))

import cv2
from mmengine.runner import EpochBasedTrainLoop, Runner, ValLoop

from benchmarks.jpegs import write_jpegs
from benchmarks.table import Target, conclude, ratio, render, say, take_turns
from detector_training.config import TrainingPlace, build_config
from detector_training.data import reading_place
from detector_training.job import quiet
from detector_training.training import train_detector
from sinara_lib.archive import pack
from sinara_lib.layout import StepAddress
from sinara_lib.runs.checkpoints import Checkpoints
from sinara_lib.store import ArtifactStore, store_at
from sinara_lib.store.manifest import Producer, RunRecord, RunStatus
from sinara_lib.vision.coco import CocoAnnotation, CocoCategory, CocoDataset, CocoImage, save_coco
from sinara_lib.vision.coco_archive import Split, open_split
from train_params import TrainParams, choose_recipe

OURS, BARE = "model_train, archive", "mmengine's Runner, archive"
OURS_PLAIN, BARE_PLAIN = "model_train, plain files", "mmengine's Runner, plain files"
OURS_RAM, OURS_DISK = "model_train, archive, cache: ram", "model_train, archive, cache: disk"
AS_FAST = 0.97
BOXES, EVAL_IMAGES, BATCH = 4, 4, 8

Splits = tuple[Split, Split]


def main() -> int:
    """Run the benchmark; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=240)
    parser.add_argument("--size", type=int, default=416, help="side of the network's input, a multiple of 32")
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--check", action="store_true", help="exit 1 when the target is missed")
    arguments = parser.parse_args()
    params = TrainParams(
        model_name="yolox_nano",
        input_size=[arguments.size, arguments.size],
        recipe="from_scratch",
        mosaic=0.0,
        mixup=0.0,
        epochs=arguments.epochs,
        batch_size=BATCH,
        workers=arguments.workers,
    )
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        source = write_split(work / "train", arguments.images)
        write_split(work / "eval", EVAL_IMAGES)
        store = store_at(f"file://{work}/store")
        archives = published(store, work)
        plain = open_split(work / "train", "train"), open_split(work / "eval", "eval")
        say(f"{arguments.images} JPEG files from {source}, {BATCH} in a batch, {arguments.size} x {arguments.size}")
        seconds = take_turns(contenders(params, work, store, archives, plain), rounds=arguments.rounds)
    say(report(seconds, images=arguments.epochs * (arguments.images // BATCH) * BATCH))
    return conclude([Target(f"{OURS} beside {BARE}", ratio(seconds, OURS, BARE), AS_FAST)], check=arguments.check)


def write_split(folder: Path, images: int) -> str:
    """Write a split of real JPEG files with boxes that mean nothing; return what the files were made from."""
    source = write_jpegs(folder / "images", images)
    records, boxes = [], []
    for number, path in enumerate(sorted((folder / "images").iterdir()), start=1):
        height, width = cv2.imread(str(path)).shape[:2]
        records.append(CocoImage(number, path.name, width, height))
        for place in range(BOXES):
            box = (place * width / BOXES, height / 4, width / BOXES, height / 2)
            boxes.append(CocoAnnotation(len(boxes) + 1, number, place % 2 + 1, box, area=box[2] * box[3]))
    categories = (CocoCategory(1, "person"), CocoCategory(2, "car"))
    save_coco(CocoDataset(tuple(records), tuple(boxes), categories), folder / "annotations.json")
    return source


def published(store: ArtifactStore, work: Path) -> Splits:
    """Pack both splits into archives of a store and return them."""
    run = start_run(store, "data_prep")
    for name in ("train", "eval"):
        pack(work / name, f"{run}/coco_{name}_dataset")
    return open_split(f"{run}/coco_train_dataset", "train"), open_split(f"{run}/coco_eval_dataset", "eval")


def start_run(store: ArtifactStore, step: str) -> str:
    """Start a run and return its URL."""
    now = datetime.now(timezone.utc)
    record = RunRecord(run_id="", status=RunStatus.RUNNING, started=now, producer=Producer(library="benchmark"))
    return store.url_of(store.start_run(StepAddress("benchmark", "train", step), record, now=now))


def contenders(
    params: TrainParams, work: Path, store: ArtifactStore, archives: Splits, plain: Splits
) -> dict[str, Callable[[], float]]:
    """Return each contender: a call that trains once and returns the seconds that took, scoring left out."""
    start = work / "start.pth"
    with timed_training():  # also warms up what is read and compiled once
        train_detector(params, train=plain[0], evaluate=plain[1], weights=None, work=work / "warm")
    shutil.copyfile(work / "warm" / "start.pth", start)

    def ours(splits: Splits, cache: str = "none") -> Callable[[], float]:
        def train() -> float:
            told = params.model_copy(update={"cache": cache})
            with tempfile.TemporaryDirectory(dir=work) as folder, timed_training() as seconds:
                checkpoints = Checkpoints(start_run(store, "model_train"))
                train_detector(
                    told, train=splits[0], evaluate=splits[1], weights=None, work=folder, checkpoints=checkpoints
                )
                checkpoints.clear()
            return sum(seconds)

        return train

    def bare(splits: Splits) -> Callable[[], float]:
        def train() -> float:
            with tempfile.TemporaryDirectory(dir=work) as folder, timed_training() as seconds, quiet(Path(folder)):
                bare_runner(params, splits, Path(folder), start).train()
            return sum(seconds)

        return train

    return {
        OURS: ours(archives),
        BARE: bare(archives),
        OURS_PLAIN: ours(plain),
        BARE_PLAIN: bare(plain),
        OURS_RAM: ours(archives, "ram"),
        OURS_DISK: ours(archives, "disk"),
    }


def bare_runner(params: TrainParams, splits: Splits, work: Path, start: Path) -> Runner:
    """Return mmengine's Runner on the configuration of model_train, with mmengine's sampler and mmdet's dataset."""
    recipe = choose_recipe(params, has_weights=False)
    place = TrainingPlace(reading_place(splits[0]), reading_place(splits[1]), str(work))
    images = len(splits[0].dataset.images)
    config = build_config(params, recipe, classes=splits[0].classes, train_images=images, place=place)
    config.train_dataloader.dataset = config.train_dataloader.dataset.dataset
    config.train_dataloader.sampler.type = "DefaultSampler"
    config.load_from = str(start)
    config.experiment_name = f"bare-{time.time_ns()}"
    return Runner.from_cfg(config)


@contextlib.contextmanager
def timed_training() -> Iterator[list[float]]:
    """Give a list that holds the seconds of the loop of training, and those of each scoring inside it, negative."""
    seconds: list[float] = []
    whole, scoring = EpochBasedTrainLoop.run, ValLoop.run

    def timed(run: Callable[..., Any], sign: int) -> Callable[..., Any]:
        def work(loop: Any) -> Any:
            began = time.perf_counter()
            found = run(loop)
            seconds.append(sign * (time.perf_counter() - began))
            return found

        return work

    EpochBasedTrainLoop.run, ValLoop.run = timed(whole, 1), timed(scoring, -1)
    try:
        yield seconds
    finally:
        EpochBasedTrainLoop.run, ValLoop.run = whole, scoring


def report(seconds: dict[str, list[float]], *, images: int) -> str:
    """Return the table: images per second, and how that compares with the bare Runner."""
    rows = []
    for name, each in seconds.items():
        spread = f"{images / max(each):.1f} to {images / min(each):.1f}"
        beside = f"{ratio(seconds, name, BARE):.2f}"
        rows.append([name, f"{images / statistics.median(each):.1f}", spread, beside])
    return render(["trained by, from", "images/s", "in all rounds", "beside the bare Runner"], rows)


if __name__ == "__main__":
    sys.exit(main())
