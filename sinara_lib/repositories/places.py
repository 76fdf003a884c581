"""The folder that a step runs from: its own, its checkout beside `sinara.toml`, or a clone in the user's cache."""

import logging
from pathlib import Path

from sinara_lib.errors import StepFailedError
from sinara_lib.repositories.clones import clone_of
from sinara_lib.runs.git import ask_git, repository_of, run_git
from sinara_lib.step_sources import StepSource, is_local_path
from sinara_lib.urls import without_credentials

log = logging.getLogger(__name__)


def step_folder(source: StepSource, base: Path, *, commit: str | None = None) -> Path:
    """Return the folder of a step of the pipeline in `base`, brought to what its origin has.

    A checkout beside the pipeline's file is taken as it stands. `commit` is the locked one, which has to be used:
    a checkout counts only where it stands on it. Raises StepFailedError where there is no step.
    """
    if source.git is None:
        return (base / str(source.folder)).resolve()
    checkout = checkout_of(source, base)
    if checkout is not None and commit in {None, run_git(checkout, "rev-parse", "HEAD")}:
        top = checkout
    else:
        top = clone_of(url_of(source, base), ref=source.ref, name=source.repository_folder, commit=commit)
    found = run_git(top, "rev-parse", "HEAD")
    log.info("%s  %s at %s", source.name, top if top == checkout else without_credentials(source.git), found[:12])
    return check_holds_step(top / source.path, source, found)


def url_of(source: StepSource, base: Path) -> str:
    """Return what git is given: a path on this machine starts at the pipeline's folder."""
    url = str(source.git)
    return str((base / Path(url).expanduser()).resolve()) if is_local_path(url) else url


def checkout_of(source: StepSource, base: Path) -> Path | None:
    """Return the step's checkout beside the pipeline's file; None where there is none of this repository."""
    place = base / source.repository_folder
    if source.git is None or not (place / ".git").exists() or repository_of(place) != place.resolve():
        return None
    if ask_git(place, "rev-parse", "--quiet", "--verify", "HEAD") is None:
        return None
    origin = ask_git(place, "config", "--get", "remote.origin.url") or ""
    same = without_credentials(origin) in {without_credentials(source.git), without_credentials(url_of(source, base))}
    if not same:
        raise StepFailedError(
            f"{place} is a checkout of {without_credentials(origin) or 'no origin'}, and sinara.toml names "
            f"{source.shown}: move it away, or mend sinara.toml."
        )
    return place


def check_holds_step(folder: Path, source: StepSource, commit: str) -> Path:
    """Return the folder of a step in a repository. Raises StepFailedError where it holds none."""
    if not folder.is_dir():
        raise StepFailedError(f"{source.shown} at {commit[:12]} has no such folder; check `path` and `ref`.")
    if not any(folder.glob("*.ipynb")) and not any(folder.glob("step.*.py")):
        inner = sorted({str(found.parent.relative_to(folder)) for found in folder.glob("*/step.*.py")})
        hint = f"steps lie in {', '.join(inner)}: name one as `path`" if inner else "check the URL and `ref`"
        raise StepFailedError(f"{source.shown} at {commit[:12]} holds no step (no step.dev.py, no notebook): {hint}.")
    return folder
