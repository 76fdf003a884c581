"""data_prep beside a bare loop that only decodes every image on the same cores.

    python benchmarks/prep.py [--images 5000] [--rounds 3] [--check]

Images are COCO-sized JPEG files in the page cache, with seven polygons each. The bare loop reads the files of a
folder and decodes them in full, one thread per core, as training will. Checking reads the document and an archive of
the store with the same files, decodes and checks them all, and looks for copies; this is what has to keep pace with
decoding. data_prep then splits and publishes three archives and the summary; its pictures, whose number does not
depend on the number of images, are left out. Files are copies of a few originals with other bytes, so that copies are
found for every image, which is more work than usual.
Memory is that of the process, measured for a fifth of the images and for all; only thousands of images fill the buffers
that do not grow any more.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from pathlib import Path
from random import Random
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[1] / "data_prep"))

import cv2
import numpy as np
from PIL import Image

from benchmarks.jpegs import write_jpegs
from benchmarks.table import Seconds, Target, conclude, ratio, render, say, take_turns
from dataset_checks.checks import CheckedDataset, check_dataset
from dataset_conversion.parts import make_parts, published
from dataset_report.figures import publish_summary
from dataset_report.stats import measure_parts
from dataset_split import split_dataset
from prep_params import PrepParams
from sinara_lib.archive import open_archive, pack
from sinara_lib.layout import StepAddress
from sinara_lib.parallel import core_count
from sinara_lib.store import store_at
from sinara_lib.store.manifest import Producer, RunRecord, RunStatus
from sinara_lib.vision.coco import load_coco
from split_memory import record_split

DECODE, CHECK, WHOLE = "decoding alone", "reading and checking", "data_prep, published"
MOST_TIMES = 1.3
MOST_KB = 40
"""Of memory per further image: its records, with segmentations, as they are read and checked; its file has 160 KB."""
PARAMS = PrepParams()
OBJECTS = 7


def main() -> int:
    """Run the benchmark; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--check", action="store_true", help="exit 1 when a target is missed")
    parser.add_argument("--weigh", nargs=2, metavar=("IMAGES", "WORK"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.weigh:
        return weigh(arguments.weigh[0], Path(arguments.weigh[1]))
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        source = write_jpegs(work / "in", arguments.images)
        write_document(work, arguments.images)
        url = f"{new_run(work / 'source')}/images"
        pack(work / "in", url)
        size = sum(path.stat().st_size for path in (work / "in").iterdir())
        say(f"{arguments.images} JPEG files, {size / 1e6:.0f} MB, from {source}; {core_count()} cores")
        seconds = take_turns(contenders(work, url), rounds=arguments.rounds)
        memory = memory_per_image(work, url, arguments.images)
    say(report(seconds, arguments.images))
    times = ratio(seconds, DECODE, CHECK)
    return conclude(
        [
            Target("checking in times of decoding", times, at_most=MOST_TIMES),
            Target("KB of memory per further image", memory, at_most=MOST_KB),
        ],
        check=arguments.check,
    )


def write_document(work: Path, count: int) -> None:
    """Write a COCO document of all images, and one of their first fifth; objects lie at random, the same each time."""
    rng = Random(1)  # noqa: S311 - the same objects each time, no secret
    images, annotations = [], list[dict[str, Any]]()
    for number, path in enumerate(sorted((work / "in").iterdir()), start=1):
        with Image.open(path) as image:
            width, height = image.size
        images.append({"id": number, "file_name": path.name, "width": width, "height": height})
        annotations += [thing(number, OBJECTS * number + n, width, height, rng) for n in range(OBJECTS)]
    categories = [{"id": n, "name": f"class {n}"} for n in range(1, 7)]
    for name, share in (("all.json", count), ("fifth.json", count // 5)):
        document = {
            "images": images[:share],
            "annotations": annotations[: share * OBJECTS],
            "categories": categories,
        }
        (work / name).write_text(json.dumps(document))


def thing(image: int, number: int, width: int, height: int, rng: Random) -> dict[str, Any]:
    """Make an object with a segmentation of 24 points inside its box."""
    across, down = rng.uniform(10, width / 2), rng.uniform(10, height / 2)
    left, top = rng.uniform(0, width - across), rng.uniform(0, height - down)
    angles = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    xs, ys = left + across * (1 + np.cos(angles)) / 2, top + down * (1 + np.sin(angles)) / 2
    return {
        "id": number,
        "image_id": image,
        "category_id": 1 + number % 6,
        "bbox": [left, top, across, down],
        "area": across * down * 0.78,
        "iscrowd": 0,
        "segmentation": [np.column_stack([xs, ys]).ravel().round(2).tolist()],
    }


def contenders(work: Path, url: str) -> dict[str, Callable[[], float]]:
    """Return each contender: a call that does its work once and returns the seconds that took."""
    paths = sorted((work / "in").iterdir())

    def whole() -> None:
        prepare(work / "all.json", url, work)

    calls: dict[str, Callable[[], object]] = {
        DECODE: lambda: decode_all(paths),
        CHECK: lambda: check(work / "all.json", url),
        WHOLE: whole,
    }
    return {name: lambda call=call: timed(call, work) for name, call in calls.items()}  # type: ignore[misc]


def timed(call: Callable[[], object], work: Path) -> float:
    """Return the seconds of one call, which starts with a quiet disk and nothing published."""
    shutil.rmtree(work / "published", ignore_errors=True)
    os.sync()
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def decode_all(paths: list[Path]) -> None:
    """Decode every file in full, one thread per core, and do nothing else."""
    with ThreadPoolExecutor(core_count()) as pool:
        for image in pool.map(decode, paths):
            if image is None:
                raise RuntimeError("an image of the benchmark cannot be decoded")


def decode(path: Path) -> tuple[int, ...] | None:
    """Decode one file; return the picture's shape."""
    image = cv2.imdecode(np.frombuffer(path.read_bytes(), dtype=np.uint8), cv2.IMREAD_COLOR)
    return None if image is None else image.shape


def check(document: Path, url: str) -> CheckedDataset:
    """Check all images and annotations."""
    with open_archive(url) as files:
        return check_dataset(load_coco(document), files, options=PARAMS)


def prepare(document: Path, url: str, work: Path) -> None:
    """Do what the notebook does, without its pictures."""
    files = open_archive(url)
    checked = check_dataset(load_coco(document), files, options=PARAMS)
    splits = split_dataset(checked.dataset, PARAMS.fractions.model_dump(), seed=PARAMS.seed)
    record = record_split(splits, None, PARAMS, run_id="benchmark")
    parts = make_parts(splits, files, work / "published" / "parts", options=PARAMS)
    run = new_run(work / "published" / "store")
    for name, part in parts.items():
        part.publish(f"{run}/coco_{name}_dataset")
    summary = work / "published" / "summary"
    summary.mkdir()
    publish_summary(measure_parts(published(parts)), record, summary, f"{run}/dataset_summary")


def new_run(root: Path) -> str:
    """Start a run in a new store and return its URL."""
    store, now = store_at(str(root)), datetime.now(timezone.utc)
    record = RunRecord(run_id="", status=RunStatus.RUNNING, started=now, producer=Producer(library="benchmark"))
    return store.url_of(store.start_run(StepAddress("benchmark", "prep", "prep"), record, now=now))


def memory_per_image(work: Path, url: str, count: int) -> float:
    """KB that the process needs more for each further image, between a fifth of them and all."""
    peaks = []
    for document in ("fifth.json", "all.json"):
        shutil.rmtree(work / "published", ignore_errors=True)
        command = [sys.executable, __file__, "--weigh", url, str(work / document)]
        peaks.append(int(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.split()[-1]))
        say(f"  {document}: {peaks[-1] / 1e3:.0f} MB at most")
    return (peaks[1] - peaks[0]) / (count - count // 5)


def weigh(url: str, document: Path) -> int:
    """Prepare in this process, and say how many KB it needed at most."""
    prepare(document, url, document.parent)
    # Linux counts the parent's memory into a child's ru_maxrss; VmHWM starts anew.
    say(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0])
    return 0


def report(seconds: Seconds, count: int) -> str:
    """Return the table: median seconds, images per second, and the share of decoding's time."""
    rows = []
    for name, each in seconds.items():
        median = statistics.median(each)
        share = median / statistics.median(seconds[DECODE])
        rows.append([name, f"{median:.2f}", f"{count / median:.0f}", f"{share:.2f}"])
    return render(["", "seconds", "images per second", "times decoding"], rows)


if __name__ == "__main__":
    sys.exit(main())
