"""A step from its folder: run in `dev` or `prod`, by Python or from the command line."""

import functools
import logging
import os
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path

from sinara_lib.params import FULL_JOB, ParamsFile, load_params, override
from sinara_lib.runs.checkout import uncommitted_files
from sinara_lib.runs.exit_code import exit_code_of
from sinara_lib.runs.instructions import PIPELINE_RUN_VARIABLE, Instructions, read_pairs
from sinara_lib.runs.resume import Resumption, find_resumption
from sinara_lib.runs.run_tags import check_tag, tag_run
from sinara_lib.runs.safeguard import StepSafeguard
from sinara_lib.runs.worktrees import head_worktree
from sinara_lib.settings import Settings, load_settings
from sinara_lib.step_models import step_models
from sinara_lib.step_parser import StepParser
from sinara_lib.step_run import RUN_ID_VARIABLE, Step, StepResult

__all__ = ["RUN_ID_VARIABLE", "Step", "StepResult", "StepSafeguard", "main", "run_step", "step_at"]

ENV_OF_MODE = {"dev": "user", "prod": "prod"}

log = logging.getLogger(__name__)


def run_step(
    folder: Path,
    *,
    mode: str,
    params_file: Path = FULL_JOB,
    assignments: Sequence[str] = (),
    run_id: str | None = None,
    resume: str | None = None,
    settings: Settings | None = None,
    push: bool = False,
    instructions: Instructions | None = None,
    tree: Path | None = None,
    on_start: Callable[[str], object] | None = None,
) -> StepResult:
    """Run a step: in `dev` its working tree, in `prod` the committed code of HEAD, tagged when it succeeds.

    Where the environments live is read around `folder` in both, unless `settings` are given.
    `resume` names a run, by id or URL, to go on from: its parameters and inputs are taken, not those of `params_file`.
    `instructions` say which runs of other steps are read; `tree` is the step as it stands in HEAD, where the caller has
    checked it out; `on_start` is told the URL of the run as it begins.
    """
    folder = folder.resolve()
    settings = settings or load_settings(folder)
    resumption = find_resumption(settings, resume, env=ENV_OF_MODE[mode]) if resume else None
    step_in = functools.partial(
        step_at,
        mode=mode,
        params_file=params_file,
        assignments=assignments,
        run_id=run_id,
        settings=settings,
        resumption=resumption,
        instructions=instructions,
    )
    if mode == "dev":
        return step_in(folder).run(on_start=on_start)
    with nullcontext(tree) if tree else head_worktree(folder) as head:
        check_tag(head, run_id or os.environ.get(RUN_ID_VARIABLE), push=push)
        if left_out := uncommitted_files(folder):
            log.info("prod runs HEAD; left out, not committed: %s", _some(left_out))
        result = step_in(head).run(on_start=on_start)
        tag_run(head, result.run_id, url=result.run_url, push=push)
    return result


def step_at(
    place: Path,
    *,
    mode: str,
    params_file: Path = FULL_JOB,
    assignments: Sequence[str] = (),
    run_id: str | None = None,
    settings: Settings | None = None,
    resumption: Resumption | None = None,
    instructions: Instructions | None = None,
) -> Step:
    """Return the step in the folder `place`, which is the working tree's in `dev` and one of HEAD's in `prod`.

    Raises ParamsError for parameters that it does not take; nothing is run.
    """
    library = next((p for p in place.parents if (p / "sinara_lib" / "step.py").is_file()), None)
    return Step(
        place,
        _params(place, file=params_file, mode=mode, assignments=assignments, resumption=resumption),
        params_file=params_file,
        run_id=run_id,
        settings=settings,
        library=library if mode == "prod" else None,
        resumption=resumption,
        instructions=instructions,
    )


def main(folder: Path, *, mode: str, argv: Sequence[str] | None = None) -> int:
    """Run a step from the command line (step.dev.py, step.prod.py) and return the exit code."""
    args = StepParser(folder, mode=mode).parse_args(argv)

    def work() -> None:
        result = run_step(
            folder,
            mode=mode,
            params_file=args.params,
            assignments=args.set,
            run_id=args.run_id,
            resume=args.resume,
            push=getattr(args, "push", False),
            instructions=Instructions(
                pipeline_run=args.pipeline_run or os.environ.get(PIPELINE_RUN_VARIABLE),
                read=read_pairs(args.read),
                run_id_file=args.run_id_file,
            ),
        )
        for url in result.outputs.values():
            log.info("published  %s", url)
        log.info("%s done in %.0f s", result.step, result.seconds)

    return exit_code_of(work)


def _params(
    folder: Path, *, file: Path, mode: str, assignments: Sequence[str] = (), resumption: Resumption | None = None
) -> ParamsFile:
    params = resumption.params if resumption else load_params(folder / file)
    pipeline = params.pipeline_params.model_copy(update={"env_name": ENV_OF_MODE[mode]})
    params = params.model_copy(update={"pipeline_params": pipeline})
    if not assignments:
        return params
    return override(params, list(assignments), known={n: m.model_fields for n, m in step_models(folder).items()})


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - 10} more" if len(names) > 10 else ""
    return ", ".join(names[:10]) + more
