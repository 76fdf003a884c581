"""The command line of a step: its options, and in its help the parameters of its notebooks."""

import argparse
import shutil
from pathlib import Path

from sinara_lib.errors import ParamsError
from sinara_lib.layout import step_name
from sinara_lib.params import FULL_JOB
from sinara_lib.step_models import step_models


class StepParser(argparse.ArgumentParser):
    """Reads the command line of the step in `folder`, run in `mode`."""

    def __init__(self, folder: Path, *, mode: str) -> None:
        super().__init__(description=f"Run step {step_name(folder.resolve().name)} in {mode} mode.")
        self._folder = folder
        source = self.add_mutually_exclusive_group()
        where = f"a params file; a relative path starts at the step's folder (default: {FULL_JOB})"
        source.add_argument("--params", type=Path, default=FULL_JOB, metavar="FILE", help=where)
        source.add_argument("--resume", metavar="RUN", help="go on from the last checkpoint of a run that did not end")
        self.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="override one parameter")
        self.add_argument("--run-id", help="use this run id instead of a new one")
        reads = "read this run, by id or URL, of an upstream step; may be repeated (SINARA_READ: JSON)"
        self.add_argument("--read", nargs=2, action="append", default=[], metavar=("STEP", "RUN"), help=reads)
        belongs = "record that the run belongs to this run of a pipeline, in any words (SINARA_PIPELINE_RUN)"
        self.add_argument("--pipeline-run", metavar="TEXT", help=belongs)
        self.add_argument("--run-id-file", type=Path, metavar="FILE", help="write the new run's id into this file")
        if mode == "prod":
            self.add_argument("--push", action="store_true", help="push the run's tag to origin")

    def format_help(self) -> str:
        """Return the options, and below them the parameters by type, default and meaning."""
        from sinara_lib.params_table import help_text

        width = shutil.get_terminal_size().columns - 2
        try:
            parameters = help_text(step_models(self._folder), width=width)
        except ParamsError as error:
            parameters = f"\nparameters: {error}"
        return f"{super().format_help()}{parameters}\n"
