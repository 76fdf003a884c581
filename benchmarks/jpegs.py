"""JPEG files of real size for the benchmarks: COCO's own where they lie beside the checkout, else drawn scenes."""

import os
import sys
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
COCO = ROOT.parent / "shared" / "data" / "coco-mini" / "val2017.zip"
DRAWN, SIDE = 24, 900
WHEN = 1_700_000_000


def write_jpegs(folder: Path, count: int) -> str:
    """Write `count` different files into `folder`, the same on every call; return what they were made from.

    A few originals are repeated; a comment with the number of the copy makes each file's bytes its own.
    """
    originals, kind = (_coco(), f"{COCO}") if COCO.is_file() else (_drawn(), "drawn scenes")
    folder.mkdir(parents=True)
    for number in range(count):
        path = folder / f"{number:06d}.jpg"
        path.write_bytes(_numbered(originals[number % len(originals)], number))
        os.utime(path, (WHEN + number, WHEN + number))
    return kind


def _coco() -> list[bytes]:
    with zipfile.ZipFile(COCO) as archive:
        return [archive.read(name) for name in sorted(archive.namelist()) if name.endswith(".jpg")]


def _drawn() -> list[bytes]:
    sys.path.insert(0, str(ROOT / "data_load"))
    from sample_scenes.sample import write_scenes
    from scenes_url import ScenesRequest

    with tempfile.TemporaryDirectory() as folder:
        write_scenes(ScenesRequest(images=DRAWN, size=SIDE, defects=0), folder)
        return [path.read_bytes() for path in sorted(Path(folder, "images").iterdir())]


def _numbered(jpeg: bytes, number: int) -> bytes:
    comment = b"\xff\xfe\x00\x0a" + f"{number:08d}".encode()
    return jpeg[:2] + comment + jpeg[2:]
