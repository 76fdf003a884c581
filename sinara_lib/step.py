"""A step from its folder: run in `dev` or `prod`, by Python or from the command line.

The command line judges the parameters before it imports what runs a step, so that a wrong one is told at once. The
other names here are those of `step_modes` and `step_run`, which are imported when one is asked for.
"""

import importlib
import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sinara_lib.runs.exit_code import exit_code_of
from sinara_lib.step_models import ask_params, check_step_params
from sinara_lib.step_parser import StepParser

if TYPE_CHECKING:
    from sinara_lib.runs.safeguard import StepSafeguard
    from sinara_lib.step_modes import run_step, step_at
    from sinara_lib.step_run import RUN_ID_VARIABLE, Step, StepResult

__all__ = ["RUN_ID_VARIABLE", "Step", "StepResult", "StepSafeguard", "exit_code_of", "main", "run_step", "step_at"]

_PLACES = {"StepSafeguard": "runs.safeguard", "run_step": "step_modes", "step_at": "step_modes"}
_PLACES |= dict.fromkeys(("RUN_ID_VARIABLE", "Step", "StepResult"), "step_run")

log = logging.getLogger(__name__)


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"sinara_lib.{_PLACES[name]}"), name)


def main(folder: Path, *, mode: str, argv: Sequence[str] | None = None) -> int:
    """Run a step from the command line (step.dev.py, step.prod.py) and return the exit code."""
    args = StepParser(folder, mode=mode).parse_args(argv)

    def work() -> None:
        run_mode = mode
        if mode == "dev" and not args.resume:  # others take the parameters of HEAD, or of another run
            params = ask_params(folder, file=args.params, assignments=args.set)
            check_step_params(folder, params)
            run_mode = "test" if params.pipeline_params.env_name == "test" else mode
        from sinara_lib.runs.instructions import PIPELINE_RUN_VARIABLE, Instructions, read_pairs
        from sinara_lib.step_modes import run_step

        result = run_step(
            folder,
            mode=run_mode,
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
