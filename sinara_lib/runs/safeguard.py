"""Refuses to run a step from the wrong place."""

from pathlib import Path

from sinara_lib.errors import StepFailedError
from sinara_lib.runs.checkout import current_branch


class StepSafeguard:
    """Refuses to run a step from the wrong place."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()

    def step_is_in_dir(self, parent: Path) -> None:
        """Raise StepFailedError unless the step's folder lies below `parent`."""
        if parent.resolve() not in self._folder.parents:
            raise StepFailedError(f"{self._folder} is not below {parent}: run the step from there.")

    def step_is_in_branch(self, branch: str) -> None:
        """Raise StepFailedError unless `branch` is checked out."""
        found = current_branch(self._folder)
        if found != branch:
            raise StepFailedError(f"{self._folder} is on branch {found or 'none'}, not on {branch}: check it out.")
