"""Checkpoints: what a long run leaves behind as it goes, so that another run can go on where it was killed.

A checkpoint is an entity of the run, `checkpoint_<number>`, committed whole. Only the newest is kept. No step resolves
it: it is read by a run that was started to resume this one (`--resume`), and by nobody else.
"""

import re
from pathlib import Path

from sinara_lib.layout import EntityAddress, RunAddress, split_run_url
from sinara_lib.store import ArtifactStore, fetch_folder, publish_folder, store_at
from sinara_lib.store.files import StoreFiles
from sinara_lib.store.manifest import SUCCESS_FILE

RESUME_VARIABLE = "SINARA_RESUME"
"""URL of the checkpoint that a run goes on from; empty in a run that starts anew."""

_NAME = re.compile(r"checkpoint_(\d+)")


class Checkpoints:
    """The checkpoints of one run, and the one it resumes, if it does.

    run_url: the run that publishes. resumed: URL of the checkpoint to go on from.
    """

    def __init__(self, run_url: str, *, resumed: str | None = None) -> None:
        self.run_url = run_url
        self.resumed = resumed

    def publish(self, folder: str | Path, number: int) -> str:
        """Commit the files of a folder as checkpoint `number`, remove the older ones, and return its URL."""
        url = f"{self.run_url}/checkpoint_{number:06d}"
        publish_folder(folder, url)
        self._remove(before=number)
        return url

    def fetch_resumed(self, folder: str | Path) -> Path | None:
        """Copy the checkpoint to go on from into a folder, checked, and return the folder; None where there is none."""
        return fetch_folder(self.resumed, folder) if self.resumed else None

    def clear(self) -> None:
        """Remove the checkpoints of this run: it has published what they were for."""
        self._remove()

    def _remove(self, *, before: int | None = None) -> None:
        root, run = split_run_url(self.run_url)
        store = store_at(root)
        files = StoreFiles(store.fs)
        for number, entity in _checkpoints(store, run):
            if before is None or number < before:
                files.remove_file(f"{store.root}/{entity.path}/{SUCCESS_FILE}")
                files.remove_folder(f"{store.root}/{entity.path}")


def newest_checkpoint(store: ArtifactStore, run: RunAddress) -> EntityAddress | None:
    """Return the newest checkpoint that a run left, or None."""
    return max(_checkpoints(store, run), key=lambda each: each[0], default=(0, None))[1]


def is_checkpoint(name: str) -> bool:
    """Tell whether an entity of that name is a checkpoint."""
    return _NAME.fullmatch(name) is not None


def _checkpoints(store: ArtifactStore, run: RunAddress) -> list[tuple[int, EntityAddress]]:
    found = ((_NAME.fullmatch(entity.name), entity) for entity in store.entities(run))
    return [(int(match[1]), entity) for match, entity in found if match]
