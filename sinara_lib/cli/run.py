"""Commands that run the pipeline or draw it: `sinara run | dag`."""

import argparse
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sinara_lib.tables import printable, text_table

if TYPE_CHECKING:
    from sinara_lib.pipeline import PipelineStep
    from sinara_lib.step import StepResult

EVERY = "*"
"""What `--force` without a step says."""


def add_run_commands(commands: Any, *, show: Any) -> None:
    """Add the commands to an argparse subparsers action; `show` prints what the function `args.lines` yields."""
    _add_run(commands.add_parser("run", help="run the steps of the pipeline in order"))
    _add_dag(commands.add_parser("dag", help="show which step reads which"), show=show)


def _add_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("steps", nargs="*", metavar="STEP", help="only these steps (default: all)")
    parser.add_argument("--from", dest="start", metavar="STEP", help="begin with this step")
    parser.add_argument(
        "--base", metavar="RUN", help="run of the pipeline to take earlier steps from (default: newest whole)"
    )
    parser.add_argument("--env", choices=("user", "test", "prod"), default="user", help="prod: HEAD, tagged")
    every = "run this step, or all, whatever has changed"
    parser.add_argument("--force", nargs="?", const=EVERY, action="append", default=[], metavar="STEP", help=every)
    way = parser.add_mutually_exclusive_group()
    way.add_argument("--explain", action="store_true", help="only say of each step whether it would run, and why")
    again = "go on with a run that failed or was killed (default: the newest), with its steps and parameters"
    way.add_argument("--resume", nargs="?", const="", metavar="RUN", help=again)
    file = (
        "the built-in sample; a file below the pipeline's folder, {step} in it standing for the step; or in each step's"
    )
    parser.add_argument("--params", metavar="sample|FILE", help=file)
    one = "override one parameter of a step; may be repeated"
    parser.add_argument("--set", action="append", default=[], metavar="STEP.KEY=VALUE", help=one)
    parser.add_argument("--push", action="store_true", help="push the runs' tags to each step's origin (prod)")
    parser.add_argument(
        "--unlocked", action="store_true", help="prod: what the refs mean now, not the commits of sinara.lock"
    )
    parser.set_defaults(command=_run)


def _add_dag(parser: argparse.ArgumentParser, *, show: Any) -> None:
    parser.add_argument("--env", choices=("user", "prod"), default="user", help="as in run")
    parser.add_argument("--params", metavar="sample|FILE", help="as in run")
    shape = parser.add_mutually_exclusive_group()
    shape.add_argument("--mermaid", action="store_true", help="print a Mermaid flowchart")
    shape.add_argument("--svg", metavar="FILE", help="write a picture")
    parser.set_defaults(command=show, lines=_dag)


def _run(args: argparse.Namespace) -> None:
    from sinara_lib.errors import ParamsError
    from sinara_lib.pipeline import choose_steps, explain_pipeline, forced_steps, pipeline_steps
    from sinara_lib.settings import load_settings

    whole = pipeline_steps(load_settings())
    steps = choose_steps(whole, args.steps, args.start)
    options: dict[str, Any] = {"base": args.base, "force": forced_steps(steps, args.force)}
    options |= {"params": args.params, "assignments": args.set, "unlocked": args.unlocked}
    if args.explain:
        for line in explain_pipeline(steps, env=args.env, **options):
            print(printable(line))
        return
    if args.push and args.env != "prod":
        raise ParamsError("--push sends the tags of runs, and only runs in prod have them: add --env prod.")
    if args.resume is not None and args.set:
        raise ParamsError("--resume goes on with the parameters of that run: leave --set out.")
    _run_and_tell(args, whole, steps, options)


def _run_and_tell(
    args: argparse.Namespace,
    whole: Sequence["PipelineStep"],
    steps: Sequence["PipelineStep"],
    options: dict[str, Any],
) -> None:
    """Run the steps, or go on with a run, and print what came of it, whatever its end."""
    from sinara_lib.pipeline import resume_pipeline, run_pipeline

    done: list[StepResult] = []
    begun: list[str] = []
    ended_well = False
    try:
        if args.resume is not None:
            resume_pipeline(whole, env=args.env, run=args.resume or None, done=done, begun=begun)
        else:
            run_pipeline(steps, env=args.env, done=done, begun=begun, push=args.push, **options)
        ended_well = True
    finally:
        _tell(done, begun, ended_well=ended_well)


def _tell(done: list["StepResult"], begun: list[str], *, ended_well: bool) -> None:
    from sinara_lib.pipeline import closing_lines, published_rows

    print()
    print(*text_table([["step", "run", "seconds", "published"], *published_rows(done)]), sep="\n")
    runs = [result.run_url for result in done]
    shown = [*runs, *(url for url in begun if url not in runs)]
    index = _write_index(shown) if begun else _standing_index(shown)
    print("", *closing_lines(done if ended_well else [], index=index), sep="\n")


def _dag(args: argparse.Namespace) -> Iterator[str]:
    from sinara_lib.pipeline import pipeline_graph, pipeline_steps
    from sinara_lib.settings import load_settings

    graph = pipeline_graph(pipeline_steps(load_settings()), env=args.env, params=args.params)
    if args.svg:
        Path(args.svg).write_text(graph.svg(), encoding="utf-8")
        yield f"written: {args.svg}"
    else:
        yield from graph.mermaid() if args.mermaid else graph.lines()


def _standing_index(runs: list[str]) -> str | None:
    """Return the page that an earlier run has written on this machine's disk, where nothing had to run."""
    page = f"{runs[-1].rsplit('/', 2)[0]}/index.html" if runs else ""
    return page if os.path.isfile(page.removeprefix("file://")) else None


def _write_index(runs: list[str]) -> str | None:
    """Write the page in front of these runs and return where; None without runs, or when it cannot be written."""
    from sinara_lib.comparison.pipeline_index import write_index
    from sinara_lib.errors import SinaraError
    from sinara_lib.settings import load_settings

    try:
        return write_index(runs, load_settings()) if runs else None
    except SinaraError as error:
        print(f"no page in front of the reports: {error}")
        return None
