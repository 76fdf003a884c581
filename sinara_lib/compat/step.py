"""SinaraML's `sinara.step`: Step, StepSafeguard and StepReport, as `step.dev.py` and `step.prod.py` call them."""

import argparse
import fnmatch
import logging
import os
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, ClassVar

from sinara_lib.compat.dropped import dropped
from sinara_lib.compat.variables import PIPELINE_RUN_ID, warn_of_variables
from sinara_lib.errors import ParamsError, StepFailedError, StopStep
from sinara_lib.params import ENV_VARIABLE, ParamsFile, load_params, load_pipeline_params, override
from sinara_lib.progress import show_log
from sinara_lib.runs.checkout import current_branch, uncommitted_files
from sinara_lib.runs.exit_code import FAILED, STOPPED
from sinara_lib.runs.git import repository_of
from sinara_lib.runs.output import keep_output_open
from sinara_lib.runs.run_tags import tag_run
from sinara_lib.runs.worktrees import head_worktree
from sinara_lib.settings import load_settings
from sinara_lib.step_run import Step as LibraryStep
from sinara_lib.step_run import StepResult

DEFAULT_ZONE = "zone"
"""Where SinaraML published what named no zone."""

log = logging.getLogger("sinara_lib.compat")  # imported as `sinara`, the module has another name

Globs = str | Sequence[str]


class StepNotebook:
    """One notebook of a step. The first that is run runs the step, whose run all of them are."""

    def __init__(self, step: "Step", name: str) -> None:
        self.input_nb_name = name
        self._step = step

    def run(self) -> StepResult:
        """Run the step, unless another notebook has."""
        return self._step.run()


class Step:
    """A step in the current folder. What is wrong with its parameters is raised when its first notebook is run.

    `step_params_file_globs` must fit one file; `pipeline_params_file_globs` one whose pipeline_params hold instead.
    """

    last: ClassVar["Step | None"] = None

    def __init__(
        self,
        step_params_file_globs: Globs,
        pipeline_params_file_globs: Globs | None = None,
        env_name: str | None = None,
    ) -> None:
        keep_output_open()
        show_log()
        warn_of_variables(os.environ)
        Step.last = self
        self.exit_code = 0
        self.result: StepResult | None = None
        self.folder = Path.cwd()
        self._problem: Exception | None = None
        self._options = _options()
        self._params: ParamsFile | None = None
        try:
            self._params = self._read(step_params_file_globs, pipeline_params_file_globs, env_name)
        except (ParamsError, StepFailedError) as error:
            self._problem = error
        names = [one.substep_name for one in self._params.substeps_params] if self._params else [""]
        self.notebooks = [StepNotebook(self, name) for name in names]

    def run(self) -> StepResult:
        """Run the notebooks, once: in the working tree, or, after `StepSafeguard.git_reset()`, as HEAD has them."""
        if self._params is None:
            raise self._problem or ParamsError("the step has no parameters.")
        if self.result is None:
            run_id = self._options.run_id or os.environ.get(PIPELINE_RUN_ID)
            settings = load_settings(self.folder)
            with head_worktree(self.folder) if StepSafeguard.committed_only else nullcontext(self.folder) as place:
                params = with_kernel(self._params, place)
                self.result = LibraryStep(place, params, run_id=run_id, settings=settings).run()
        return self.result

    def handle_exception(self, e: Exception) -> None:
        """Say what went wrong, and keep the exit code: 254 for what was stopped on purpose, else 1."""
        self.exit_code = STOPPED if isinstance(e, StopStep) else FAILED
        log.warning("%s: %s", "stopped" if isinstance(e, StopStep) else "failed", e)

    def handle_exit(self) -> None:
        """End the process with the exit code, but not IPython."""
        if not hasattr(__import__("builtins"), "__IPYTHON__"):
            sys.exit(self.exit_code)

    def _read(self, step_globs: Globs, pipeline_globs: Globs | None, env_name: str | None) -> ParamsFile:
        params = load_params(_only_file(self.folder, step_globs))
        pipeline = params.pipeline_params
        if pipeline_globs:
            pipeline = load_pipeline_params(_only_file(self.folder, pipeline_globs))
        if env := env_name or os.environ.get(ENV_VARIABLE):
            pipeline = pipeline.model_copy(update={"env_name": env})
        if "zone_name" not in pipeline.model_fields_set:
            pipeline = pipeline.model_copy(update={"zone_name": DEFAULT_ZONE})
        return override(params.model_copy(update={"pipeline_params": pipeline}), self._options.set)


class StepSafeguard:
    """Refuses to run a step from the wrong place; nothing of the working tree is touched."""

    committed_only: ClassVar[bool] = False

    @staticmethod
    def step_is_in_dir(globs: Globs) -> bool:
        """Raise StepFailedError unless the current folder fits one of the patterns."""
        here = str(Path.cwd()).lower()
        if any(fnmatch.fnmatch(here, pattern) for pattern in _listed(globs)):
            return True
        raise StepFailedError(f"{here} fits none of {', '.join(_listed(globs))}: run the step from there.")

    @staticmethod
    def step_is_in_branch(globs: Globs) -> bool:
        """Raise StepFailedError unless the branch that is checked out fits one of the patterns."""
        found = current_branch(Path.cwd()) or "none"
        if any(fnmatch.fnmatch(found.lower(), pattern) for pattern in _listed(globs)):
            return True
        raise StepFailedError(f"{Path.cwd()} is on branch {found}, not on {', '.join(_listed(globs))}: check it out.")

    @staticmethod
    def git_reset(branch: str | None = None) -> None:
        """Let the step run as HEAD has it, in a temporary worktree; the working tree stays as it is.

        Raises StepFailedError for another branch than the one that is checked out.
        """
        if branch is not None:
            StepSafeguard.step_is_in_branch(branch.lower())
        StepSafeguard.committed_only = True
        show_log()
        if changed := uncommitted_files(Path.cwd()):
            log.warning(
                "HEAD is run, not the working tree, which stays as it is; left out: %s", ", ".join(changed[:10])
            )


class StepReport:
    """The reports of a step's run, and the tag on its commit."""

    @staticmethod
    def save(run_id: str | None = None) -> None:
        """Say where the reports are: each run has published its own, failed or not."""
        result = Step.last.result if Step.last else None
        if result is not None:
            log.info("reports were published with the run: %s", result.run_url)

    @staticmethod
    def tag_commit_by_run(run_id: str | None = None, run_fs_path: str | None = None) -> None:
        """Tag HEAD with the run that ended well; nothing is pushed, and a failed run leaves no tag."""
        step = Step.last
        if step is None or step.result is None:
            log.warning("not tagged: no run has ended well")
        elif repository_of(step.folder) is None:
            log.warning("not tagged: %s is in no git repository", step.folder)
        elif not StepSafeguard.committed_only and (changed := uncommitted_files(step.folder)):
            log.warning("not tagged: the run was made with uncommitted changes (%s)", ", ".join(changed[:10]))
        else:
            name = run_id or step.result.run_id
            tag_run(step.folder, name, url=run_fs_path or step.result.run_url, push=False)
            log.info("to push the tag: git push origin %s", name)


def with_kernel(params: ParamsFile, folder: Path) -> ParamsFile:
    """Return parameters that name a kernel which is there: SinaraML never asked which one a notebook names."""
    from sinara_lib.runs.kernels import kernel_problem
    from sinara_lib.runs.notebook import kernel_of

    own = (params.pipeline_params.__pydantic_extra__ or {}).get("kernel_name")
    named = params.step_params.kernel_name or (str(own) if own else None)
    if named is None:
        notebooks = [folder / one.substep_name for one in params.substeps_params]
        missing = {kernel_of(path) for path in notebooks if path.suffix == ".ipynb" and path.is_file()}
        if not any(kernel_problem(name) for name in missing):
            return params
        named = "python3"
        log.warning("kernel %s, which the notebooks name, is not here: python3 runs them", ", ".join(sorted(missing)))
    return params.model_copy(update={"step_params": params.step_params.model_copy(update={"kernel_name": named})})


def __getattr__(name: str) -> Any:
    return dropped(__name__, name)


def _only_file(folder: Path, globs: Globs) -> Path:
    found = sorted({path for pattern in _listed(globs) for path in folder.glob(pattern)})
    if len(found) != 1:
        listed = ", ".join(str(path.relative_to(folder)) for path in found) or "none"
        raise ParamsError(f"{', '.join(_listed(globs))} must fit one file in {folder}; it fits: {listed}. Name one.")
    return found[0]


def _listed(globs: Globs) -> list[str]:
    return [globs] if isinstance(globs, str) else list(globs)


def _options() -> argparse.Namespace:
    """Read `--set` and `--run-id` of the command line; what else stands there is the script's own."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--set", action="append", default=[])
    parser.add_argument("--run-id")
    return parser.parse_known_args()[0]
