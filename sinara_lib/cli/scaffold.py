"""Commands that write what did not exist: `sinara new pipeline | step`."""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def add_new_commands(commands: Any, *, show: Any) -> None:
    """Add the command to an argparse subparsers action; `show` prints what the function `args.lines` yields."""
    kinds = commands.add_parser("new", help="make a pipeline, or a step that runs at once").add_subparsers(
        required=True, metavar="pipeline|step"
    )
    pipeline = kinds.add_parser("pipeline", help="make a pipeline's folder")
    step = kinds.add_parser("step", help="make a step of the pipeline around, and name it in sinara.toml")
    for parser in (pipeline, step):
        parser.add_argument("name", metavar="NAME")
        parser.add_argument("--git", action="store_true", help="make it a git repository of its own")
    pipeline.set_defaults(command=show, lines=_pipeline)
    more = {"action": "append", "default": []}
    step.add_argument("--reads", metavar="STEP.ENTITY", help="what it reads; may be repeated", **more)
    step.add_argument("--publishes", metavar="ENTITY", help="what it publishes; may be repeated", **more)
    step.add_argument("--substeps", metavar="A,B", default="", help="its notebooks, in order (default: one)")
    step.set_defaults(command=show, lines=_step)


def _pipeline(args: argparse.Namespace) -> Iterator[str]:
    from sinara_lib.scaffold import new_pipeline

    folder = new_pipeline(args.name, into=Path.cwd(), git=args.git)
    yield f"made {folder}; next: cd {args.name} && sinara new step NAME"


def _step(args: argparse.Namespace) -> Iterator[str]:
    from sinara_lib.scaffold import new_step

    folder = new_step(
        args.name,
        into=Path.cwd(),
        reads=args.reads,
        publishes=args.publishes,
        substeps=[name.strip() for name in args.substeps.split(",") if name.strip()],
        git=args.git,
    )
    yield f"made {folder}; next: python {folder.name}/step.dev.py"
