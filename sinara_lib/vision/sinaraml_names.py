"""Names of files inside what SinaraML's own steps publish, so that a pipeline can be moved step by step."""

import atexit
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

from sinara_lib.archive import Readable
from sinara_lib.errors import DataError
from sinara_lib.store.work_folders import sign

DOCUMENT = "instances.json"
"""What data_load of this repository calls the annotations it publishes."""
_THEIRS = "instances_val2017.json"
_SPLIT_END = "_coco_annotations.json"


def find_annotations(folder: str | Path) -> Path:
    """Return the COCO document among the annotations that data_load published, SinaraML's or ours. Raises DataError."""
    for name in (DOCUMENT, _THEIRS):
        if (Path(folder) / name).is_file():
            return Path(folder) / name
    there = ", ".join(sorted(path.name for path in Path(folder).iterdir())) or "nothing"
    raise DataError(f"{folder} holds neither {DOCUMENT} nor SinaraML's {_THEIRS}, but {there}. Run data_load again.")


def split_document(names: Iterable[str]) -> str | None:
    """Return the document of a split that SinaraML's data_prep published, such as `train_coco_annotations.json`."""
    found = [name for name in names if name.endswith(_SPLIT_END) and "/" not in name]
    return found[0] if len(found) == 1 else None


def lay_out_split(files: Readable, *, document: str, annotations: str, images: str) -> Path:
    """Write a split of SinaraML into a temporary folder as ours lie: the document, and the images in a folder.

    It is removed when the process ends.
    """
    folder = sign(Path(tempfile.mkdtemp(prefix="sinara-split-")))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    for name in files.names():
        path = folder / (annotations if name == document else f"{images}/{name}")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(files.read(name))
    return folder
