"""What a notebook opened by hand hands to the next one: its tmp_outputs, kept until the next run has made its own."""

import os
import shutil
from pathlib import Path

import platformdirs

from sinara_lib.errors import InterfaceError
from sinara_lib.layout import is_run_id, sort_run_ids


def new_kept_folder(step: str, run_id: str, name: str) -> Path:
    """Make an empty folder `name` of a run of `step` and return it; of earlier runs the newest alone stays."""
    runs = _runs_folder(step)
    runs.mkdir(parents=True, exist_ok=True)
    earlier = [found for found in sort_run_ids(os.listdir(runs)) if found != run_id]
    for old in earlier[1:]:
        shutil.rmtree(runs / old, ignore_errors=True)
    folder = runs / run_id / name
    folder.mkdir(parents=True)
    return folder


def kept_folder(step: str, name: str) -> Path:
    """Return the folder `name` of the newest run of `step` by hand. Raises InterfaceError when there is none."""
    runs = _runs_folder(step)
    for run_id in sort_run_ids(os.listdir(runs)) if runs.is_dir() else []:
        if is_run_id(run_id) and (runs / run_id / name).is_dir():
            return runs / run_id / name
    raise InterfaceError(
        f"tmp_input {name!r} was not made: run the notebook of this step that lists it in tmp_outputs first, by hand "
        "as well; what a job hands on is gone with it."
    )


def _runs_folder(step: str) -> Path:
    home = os.environ.get("SINARA_CACHE") or platformdirs.user_cache_dir("sinara", appauthor=False)
    return Path(home) / "tmp_outputs" / step
