"""A step from its folder, run in one of two modes: `dev` takes the working tree, `prod` what is committed."""

import functools
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path

from sinara_lib.params import FULL_JOB, ParamsFile
from sinara_lib.runs.checkout import uncommitted_files
from sinara_lib.runs.instructions import Instructions
from sinara_lib.runs.resume import Resumption, find_resumption
from sinara_lib.runs.run_tags import check_tag, tag_run
from sinara_lib.runs.worktrees import head_worktree
from sinara_lib.settings import Settings, load_settings
from sinara_lib.step_models import ask_params, overridden
from sinara_lib.step_run import RUN_ID_VARIABLE, Step, StepResult

ENV_OF_MODE = {"dev": "user", "test": "test", "prod": "prod"}

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
    """Run a step: in `dev` and `test` its working tree, in `prod` the committed code of HEAD, tagged when it succeeds.

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
    if mode != "prod":
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
        _params(
            place,
            file=params_file,
            mode=mode,
            assignments=assignments,
            resumption=resumption,
            pipeline=settings.pipeline if settings else None,
        ),
        params_file=params_file,
        run_id=run_id,
        settings=settings,
        library=library if mode == "prod" else None,
        resumption=resumption,
        instructions=instructions,
    )


def _params(
    folder: Path,
    *,
    file: Path,
    mode: str,
    assignments: Sequence[str],
    resumption: Resumption | None,
    pipeline: Mapping[str, str] | None,
) -> ParamsFile:
    if resumption:
        params = overridden(folder, resumption.params, assignments)
    else:
        params = ask_params(folder, file=file, assignments=assignments, pipeline=pipeline)
    place = params.pipeline_params.model_copy(update={"env_name": ENV_OF_MODE[mode]})
    return params.model_copy(update={"pipeline_params": place})


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - 10} more" if len(names) > 10 else ""
    return ", ".join(names[:10]) + more
