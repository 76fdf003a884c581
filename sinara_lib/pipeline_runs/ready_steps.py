"""The steps of a pipeline made ready: each one's code where it is run from, its parameters checked, nothing begun."""

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sinara_lib.keeping import Asked
from sinara_lib.runs.code_identity import library_of
from sinara_lib.runs.instructions import Instructions
from sinara_lib.runs.worktrees import head_worktrees
from sinara_lib.settings import Settings
from sinara_lib.step import Step, StepResult, run_step, step_at


@dataclass(frozen=True)
class ReadyStep:
    """A step that can run: its folder, and `place`, where its code lies: that folder, or in `prod` the one of HEAD."""

    name: str
    folder: Path
    place: Path
    mode: str
    params_file: Path
    settings: Settings
    step: Step
    assignments: Sequence[str] = ()
    push: bool = False
    library_of: Callable[[Path | None], str] = library_of

    def asked(self) -> Asked:
        """Return what has to be known to tell whether it needs to run."""
        return Asked(
            store=self.step.store,
            step=self.step.address,
            folder=self.place,
            params=self.step.params,
            identity=self.step.identity(self.library_of),
            committed_only=self.mode == "prod",
        )

    def run(
        self, instructions: Instructions, *, resume: str | None = None, on_start: Callable[[str], object]
    ) -> StepResult:
        """Run it; `resume` is the URL of a run to go on from."""
        return run_step(
            self.folder,
            mode=self.mode,
            params_file=self.params_file,
            assignments=self.assignments,
            settings=self.settings,
            push=self.push,
            resume=resume,
            instructions=instructions,
            tree=self.place if self.mode == "prod" else None,
            on_start=on_start,
        )


@contextmanager
def ready_steps(
    folders: Mapping[str, Path],
    *,
    mode: str,
    params_files: Mapping[str, Path],
    settings: Settings,
    assignments: Mapping[str, Sequence[str]] | None = None,
    push: bool = False,
) -> Iterator[dict[str, ReadyStep]]:
    """Give the steps by name. In `prod` all of one repository are of one commit, checked out for as long as this lasts.

    `params_files` and `assignments`, such as `key=value`, are by the steps' names; `push` sends tags to each origin.
    Raises ParamsError for parameters that a step does not take, StepFailedError for what is not committed.
    """
    library, told = functools.cache(library_of), assignments or {}
    with head_worktrees(folders) if mode == "prod" else _as_they_are(folders) as places:
        yield {
            name: ReadyStep(
                name,
                folder,
                places[name],
                mode,
                params_files[name],
                settings,
                step_at(
                    places[name],
                    mode=mode,
                    params_file=params_files[name],
                    assignments=told.get(name, ()),
                    settings=settings,
                ),
                told.get(name, ()),
                push,
                library,
            )
            for name, folder in folders.items()
        }


@contextmanager
def _as_they_are(folders: Mapping[str, Path]) -> Iterator[dict[str, Path]]:
    yield {name: folder.resolve() for name, folder in folders.items()}
