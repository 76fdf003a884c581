"""data_load beside the tools whose files it reads: coco-mini, written by their own writers, and loaded.

    python benchmarks/interop_formats.py [--data ../shared/data] [--only datumaro] [--keep FOLDER] [--check]

Each tool is installed from the package index into an environment of its own below a temporary folder, or the one that
--keep names, which then serves again. What it wrote is loaded by data_load's own door; each object of the source is
paired with the nearest of its class and image, and the largest distance of two edges is shown. `expected` is what the
tool keeps: datumaro leaves crowds out of YOLO. Supervisely's SDK writes whole pixels, the last is the side less one.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from scipy.optimize import linear_sum_assignment

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[1] / "data_load"))

from benchmarks.table import Target, conclude, render, say
from coco_fetch import fetch_dataset
from fetch_params import FetchParams
from sinara_lib.errors import SinaraError
from sinara_lib.vision.coco import CocoDataset, load_coco

ROOT = Path(__file__).parents[1]
NEAR = 0.5
"""Pixels that two edges may differ by."""
PACKAGES = {"datasets": ["datasets", "pillow"]}
"""What a tool needs where its name does not say it."""


@dataclass(frozen=True)
class Export:
    """One file or folder that a tool writes; `leaves_out` are kinds of objects, `near` pixels that it rounds by."""

    tool: str
    format: str
    leaves_out: str = ""
    near: float = NEAR


EXPORTS = [
    Export("datumaro", "coco_instances"),
    Export("datumaro", "voc_detection"),
    Export("datumaro", "yolo", leaves_out="crowds"),
    Export("datumaro", "cvat"),
    Export("datumaro", "open_images"),
    Export("datumaro", "kitti_detection"),
    Export("datumaro", "label_me"),
    Export("supervision", "coco"),
    Export("supervision", "yolo"),
    Export("globox", "cvat"),
    Export("globox", "labelme"),
    Export("globox", "via"),
    Export("globox", "voc"),
    Export("labelme", "labelme"),
    Export("labelImg", "createml"),
    Export("datasets", "parquet"),
    Export("supervisely", "project", near=1.0),
]


@dataclass(frozen=True)
class Loaded:
    """What came of an export: the format as detected, counts, and the largest distance; `failure` where nothing did."""

    export: Export
    format: str = ""
    images: int = 0
    expected: int = 0
    boxes: int = 0
    largest: float | None = None
    failure: str = ""


def main() -> int:
    """Run the comparison; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data", help="folder of coco-mini")
    parser.add_argument("--only", action="append", help="a tool; may be given several times")
    parser.add_argument("--keep", type=Path, help="folder for the tools' environments")
    parser.add_argument("--check", action="store_true", help="exit 1 when a box is lost or further off than allowed")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        document, images = coco_mini(arguments.data / "coco-mini", work)
        source, tools = load_coco(document), (arguments.keep or work / "tools").resolve()
        chosen = [one for one in EXPORTS if not arguments.only or one.tool in arguments.only]
        found = []
        for one in chosen:
            found.append(compare(one, source, document, images, work / f"{one.tool}-{one.format}", tools))
            say(f"  {one.tool}: {one.format}: {found[-1].boxes} boxes, {found[-1].largest} {found[-1].failure}")
    say(report(found))
    return conclude(targets(found), check=arguments.check)


def coco_mini(data: Path, work: Path) -> tuple[Path, Path]:
    """Unpack the document and the images; return their places."""
    images = work / "images"
    images.mkdir()
    with zipfile.ZipFile(data / "val2017.zip") as archive:
        for name in archive.namelist():
            if name.endswith(".jpg"):
                (images / PurePosixPath(name).name).write_bytes(archive.read(name))
    document = work / "instances.json"
    with zipfile.ZipFile(data / "annotations_trainval2017.zip") as archive:
        document.write_bytes(archive.read("annotations/instances_val2017.json"))
    return document, images


def compare(export: Export, source: CocoDataset, document: Path, images: Path, folder: Path, tools: Path) -> Loaded:
    """Let a tool write, load what it wrote, and pair the objects."""
    folder.mkdir()
    python = environment(export.tool, tools)
    writer = [str(python), str(ROOT / "benchmarks" / "interop_writers.py"), export.tool, export.format]
    known = {**os.environ, "QT_QPA_PLATFORM": "offscreen", "PYTHONPATH": ""}
    ended = subprocess.run([*writer, document, images, folder], env=known, capture_output=True, text=True)
    if ended.returncode:
        return Loaded(export, failure=f"not written: {(ended.stderr.strip().splitlines() or ['?'])[-1][:120]}")
    return load(export, source, images, folder)


def environment(tool: str, tools: Path) -> Path:
    """Return the Python of the tool's environment, made where it is not there."""
    python = tools / tool / "bin" / "python"
    if not python.exists():
        subprocess.run(["uv", "venv", "--quiet", "--python", sys.executable, tools / tool], check=True)
        subprocess.run(["uv", "pip", "install", "--quiet", "--python", python, *PACKAGES.get(tool, [tool])], check=True)
    return python


def load(export: Export, source: CocoDataset, images: Path, folder: Path) -> Loaded:
    """Load what was written; where the tool copied no images, beside those of the source."""
    written = folder / "written"
    has_images = any(written.rglob("*.jpg")) or any(written.rglob("*.parquet"))
    urls = {"annotations_url": str(written)} | ({} if has_images else {"images_url": str(images)})
    wanted = [one for one in source.annotations if not (export.leaves_out == "crowds" and one.iscrowd)]
    try:
        loaded = fetch_dataset(FetchParams.model_validate(urls), folder / "work")
    except SinaraError as error:
        return Loaded(export, failure=f"not loaded: {str(error)[-160:]}", expected=len(wanted))
    expected = by_image(CocoDataset(source.images, tuple(wanted), source.categories))
    return Loaded(
        export,
        format=loaded.sources[0].format.removesuffix(", detected"),
        images=len(loaded.dataset.images) - len(loaded.missing),
        expected=len(wanted),
        boxes=len(loaded.dataset.annotations),
        largest=largest_distance(expected, by_image(loaded.dataset)),
    )


def by_image(dataset: CocoDataset) -> dict[tuple[str, str], list[tuple[float, ...]]]:
    """Return the boxes of each image, by its name without ending, and class."""
    names = {one.id: one.name for one in dataset.categories}
    stems = {one.id: PurePosixPath(one.file_name).stem for one in dataset.images}
    found: dict[tuple[str, str], list[tuple[float, ...]]] = {}
    for one in dataset.annotations:
        found.setdefault((stems[one.image_id], names[one.category_id]), []).append(one.bbox)
    return found


def largest_distance(
    expected: dict[tuple[str, str], list[tuple[float, ...]]], loaded: dict[tuple[str, str], list[tuple[float, ...]]]
) -> float | None:
    """Return the largest distance of two edges of paired boxes; None where a class of an image has others."""
    if {key: len(boxes) for key, boxes in expected.items()} != {key: len(boxes) for key, boxes in loaded.items()}:
        return None
    worst = 0.0
    for key, boxes in expected.items():
        one, other = edges(boxes), edges(loaded[key])
        distances = np.abs(one[:, None] - other[None]).max(axis=2)
        worst = max(worst, float(distances[linear_sum_assignment(distances)].max()))
    return worst


def edges(boxes: list[tuple[float, ...]]) -> "np.ndarray[tuple[int, int], np.dtype[np.float64]]":
    """Return left, top, right and bottom of boxes."""
    found = np.array(boxes, dtype=np.float64)
    return np.concatenate([found[:, :2], found[:, :2] + found[:, 2:]], axis=1)


def report(found: list[Loaded]) -> str:
    """Return the table."""
    head = ["format", "writer", "images", "boxes expected", "boxes loaded", "largest difference, pixels"]
    rows = [
        [
            one.failure or one.format,
            f"{one.export.tool} ({one.export.format})",
            one.images,
            one.expected,
            one.boxes,
            "-" if one.largest is None else f"{one.largest:.4f}",
        ]
        for one in found
    ]
    return render(head, rows)


def targets(found: list[Loaded]) -> list[Target]:
    """Return a promise for each export: no box lost, none further off than the tool rounds."""
    return [Target(f"{one.export.tool} {one.export.format}", one.largest, at_most=one.export.near) for one in found]


if __name__ == "__main__":
    sys.exit(main())
