"""Archives outside of any run: in a folder or below a URL of one's own, as SinaraML's custom inputs and outputs name.

They hold the shards and an empty `_SUCCESS`, as SinaraML's archives do: no manifest, since no run has made them.
"""

import tempfile
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path

from sinara_lib.errors import ArchiveError, LayoutError
from sinara_lib.layout import EntityAddress, RunAddress, StepAddress, new_run_id, split_entity_url
from sinara_lib.store import store_at
from sinara_lib.store.entity import EntityReader
from sinara_lib.store.manifest import MANIFEST_FILE, SUCCESS_FILE, Manifest, Producer, RunRecord, RunStatus
from sinara_lib.store.root import connect

_STEP = StepAddress("outside", "outside", "outside")


def is_outside(url: str) -> bool:
    """Tell whether a URL or path leads to no entity of a run."""
    try:
        split_entity_url(url)
    except LayoutError:
        return True
    return False


def open_outside(url: str) -> EntityReader:
    """Open the archive in a folder of one's own. Raises ArtifactNotFoundError when there is none."""
    fs, path, _ = connect(url)
    run = RunAddress(_STEP, new_run_id(datetime.now(timezone.utc)))
    return EntityReader(fs, path, EntityAddress(run, "outside"))


def write_outside(url: str, write: Callable[[str], Manifest]) -> Manifest:
    """Let `write` pack into a temporary store, and move the shards to `url`, which must not be there or be empty.

    `_SUCCESS` is written last. Raises ArchiveError when something is there.
    """
    fs, path, _ = connect(url)
    if fs.exists(path) and fs.find(path):
        raise ArchiveError(f"{url} holds files already: name a new or empty folder.")
    now = datetime.now(timezone.utc)
    record = RunRecord(run_id="", status=RunStatus.RUNNING, started=now, producer=Producer(library="outside"))
    with tempfile.TemporaryDirectory(prefix="sinara-outside-") as folder:
        store = store_at(folder)
        entity = store.start_run(_STEP, record, now=now).entity("outside")
        manifest = write(store.url_of(entity))
        fs.makedirs(path, exist_ok=True)
        for file in sorted((Path(folder) / entity.path).iterdir()):
            if file.name not in {SUCCESS_FILE, MANIFEST_FILE}:
                fs.put_file(str(file), f"{path}/{file.name}")
        fs.pipe_file(f"{path}/{SUCCESS_FILE}", b"")
    return manifest
