"""The command line: `sinara run | serve | containerize`; the rest is in `cli_store` and `cli_reports`."""

import argparse
import atexit
import gc
import json
import os
import shutil
import sys
from collections.abc import Iterator, Sequence

from sinara_lib import __version__
from sinara_lib.cli.arguments import ENVIRONMENT_HELP
from sinara_lib.cli.catalog import add_store_commands
from sinara_lib.cli.comparison import add_report_commands
from sinara_lib.cli.pipeline import add_pipeline_commands
from sinara_lib.cli.scaffold import add_new_commands
from sinara_lib.runs.exit_code import exit_code_of
from sinara_lib.tables import printable, text_table

EVERY = "*"
"""What `--force` without a step says."""


def main(argv: Sequence[str] | None = None) -> int:
    """Parse the command line, do what it asks, and return the exit code."""
    atexit.register(gc.freeze)  # Python ends by looking for garbage in every module: a fifth of a short command's time
    args = _parser().parse_args(argv)
    return exit_code_of(lambda: args.command(args))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="sinara", description="Run, look at and serve a REST CV-pipeline.")
    parser.add_argument("--version", action="version", version=f"sinara {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    run = commands.add_parser("run", help="run the steps of the pipeline in order")
    run.add_argument("steps", nargs="*", metavar="STEP", help="only these steps (default: all)")
    run.add_argument("--from", dest="start", metavar="STEP", help="begin with this step")
    run.add_argument(
        "--base", metavar="RUN", help="run of the pipeline to take earlier steps from (default: newest whole)"
    )
    run.add_argument("--env", choices=("user", "test", "prod"), default="user", help="prod: HEAD, tagged")
    every = "run this step, or all, whatever has changed"
    run.add_argument("--force", nargs="?", const=EVERY, action="append", default=[], metavar="STEP", help=every)
    way = run.add_mutually_exclusive_group()
    way.add_argument("--explain", action="store_true", help="only say of each step whether it would run, and why")
    again = "go on with a run that failed or was killed (default: the newest), with its steps and parameters"
    way.add_argument("--resume", nargs="?", const="", metavar="RUN", help=again)
    file = (
        "the built-in sample; a file below the pipeline's folder, {step} in it standing for the step; or in each step's"
    )
    run.add_argument("--params", metavar="sample|FILE", help=file)
    one = "override one parameter of a step; may be repeated"
    run.add_argument("--set", action="append", default=[], metavar="STEP.KEY=VALUE", help=one)
    run.add_argument("--push", action="store_true", help="push the runs' tags to each step's origin (prod)")
    run.add_argument(
        "--unlocked", action="store_true", help="prod: what the refs mean now, not the commits of sinara.lock"
    )
    run.set_defaults(command=_run)

    dag = commands.add_parser("dag", help="show which step reads which")
    dag.add_argument("--env", choices=("user", "prod"), default="user", help="as in run")
    dag.add_argument("--params", metavar="sample|FILE", help="as in run")
    shape = dag.add_mutually_exclusive_group()
    shape.add_argument("--mermaid", action="store_true", help="print a Mermaid flowchart")
    shape.add_argument("--svg", metavar="FILE", help="write a picture")
    dag.set_defaults(command=_print_lines, lines=_dag)

    params = commands.add_parser("params", help="list what a step can be told")
    params.add_argument("step", metavar="STEP", help="a step of the pipeline, or a step's folder")
    form = params.add_mutually_exclusive_group()
    form.add_argument("--schema", action="store_true", help="print the JSON Schema of its params file")
    form.add_argument("--markdown", action="store_true", help="print the tables of its README")
    form.add_argument("--write", action="store_true", help="write the tables into its README.md, between the marks")
    params.set_defaults(command=_print_lines, lines=_params)

    add_new_commands(commands, show=_print_lines)
    add_pipeline_commands(commands, show=_print_lines)
    add_store_commands(commands, show=_print_lines)

    serve = commands.add_parser("serve", help="serve a packed model over REST")
    serve.add_argument("url", nargs="?", metavar="URL", help="a bento_service entity (default: the newest not refused)")
    serve.add_argument("--env", default="user", help=ENVIRONMENT_HELP)
    serve.add_argument("--host", default="127.0.0.1", help="address to listen on (default: this machine only)")
    serve.add_argument("--port", type=int, default=3000)
    serve.add_argument("--workers", type=int, metavar="N", help="processes that share the cores (default: 1)")
    serve.set_defaults(command=_serve)
    _add_containerize(commands.add_parser("containerize", help="build an image of a packed model"))
    add_report_commands(commands, show=_print_lines)
    return parser


def _add_containerize(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "url", nargs="?", metavar="URL", help="a bento_service entity (default: the newest not refused)"
    )
    parser.add_argument("--env", default="user", help=ENVIRONMENT_HELP)
    parser.add_argument("--tag", metavar="NAME:VERSION", help="default: the bento's name and version")
    parser.add_argument("--push", action="store_true", help="push it to the registry in the tag")
    parser.add_argument("--base", metavar="IMAGE", help="base image with the same Python (default: python:3.X-slim)")
    parser.add_argument("--onnxruntime", choices=("cpu", "gpu"), help="default: what the bento was packed with")
    parser.add_argument("--builder", choices=("docker", "podman", "buildah"), help="default: the first that works")
    parser.add_argument("--sbom", metavar="FILE", help="write the list of packages there too (CycloneDX JSON)")
    parser.set_defaults(command=_containerize)


def _run(args: argparse.Namespace) -> None:
    from sinara_lib.errors import ParamsError
    from sinara_lib.pipeline import (
        choose_steps,
        closing_lines,
        explain_pipeline,
        forced_steps,
        pipeline_steps,
        published_rows,
        resume_pipeline,
        run_pipeline,
    )
    from sinara_lib.settings import load_settings
    from sinara_lib.step import StepResult

    done: list[StepResult] = []
    begun: list[str] = []
    whole = pipeline_steps(load_settings())
    steps = choose_steps(whole, args.steps, args.start)
    force = forced_steps(steps, args.force)
    told = {"assignments": args.set, "unlocked": args.unlocked}
    if args.explain:
        for line in explain_pipeline(steps, env=args.env, params=args.params, base=args.base, force=force, **told):
            print(printable(line))
        return
    if args.push and args.env != "prod":
        raise ParamsError("--push sends the tags of runs, and only runs in prod have them: add --env prod.")
    if args.resume is not None and args.set:
        raise ParamsError("--resume goes on with the parameters of that run: leave --set out.")
    ended_well = False
    try:
        if args.resume is not None:
            resume_pipeline(whole, env=args.env, run=args.resume or None, done=done, begun=begun)
        else:
            run_pipeline(
                steps,
                env=args.env,
                params=args.params,
                done=done,
                begun=begun,
                base=args.base,
                force=force,
                push=args.push,
                **told,
            )
        ended_well = True
    finally:
        print()
        print(*text_table([["step", "run", "seconds", "published"], *published_rows(done)]), sep="\n")
        runs = [result.run_url for result in done]
        shown = [*runs, *(url for url in begun if url not in runs)]
        index = _write_index(shown) if begun else _standing_index(shown)
        print("", *closing_lines(done if ended_well else [], index=index), sep="\n")


def _dag(args: argparse.Namespace) -> Iterator[str]:
    from pathlib import Path

    from sinara_lib.pipeline import pipeline_graph, pipeline_steps
    from sinara_lib.settings import load_settings

    graph = pipeline_graph(pipeline_steps(load_settings()), env=args.env, params=args.params)
    if args.svg:
        Path(args.svg).write_text(graph.svg(), encoding="utf-8")
        yield f"written: {args.svg}"
    else:
        yield from graph.mermaid() if args.mermaid else graph.lines()


def _params(args: argparse.Namespace) -> Iterator[str]:
    from sinara_lib.params_table import help_text, parameter_table, params_schema, with_tables
    from sinara_lib.pipeline import find_step
    from sinara_lib.settings import load_settings
    from sinara_lib.step_models import step_models

    folder = find_step(load_settings(), args.step)
    models = step_models(folder)
    if args.schema:
        yield from json.dumps(params_schema(models, step=folder.resolve().name), indent=2).splitlines()
    elif args.markdown:
        for notebook, model in models.items():
            yield from (notebook, "", *parameter_table(model).splitlines(), "")
    elif args.write:
        page = folder / "README.md"
        page.write_text(with_tables(page.read_text(encoding="utf-8"), models), encoding="utf-8")
        yield f"written: {page}"
    else:
        yield from help_text(models, width=shutil.get_terminal_size().columns).lstrip("\n").splitlines()


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


def _serve(args: argparse.Namespace) -> None:
    from sinara_lib.bento.release import newest_service
    from sinara_lib.bento.service import serve_bentoservice
    from sinara_lib.settings import load_settings

    url = args.url or newest_service(load_settings().store(args.env))
    serve_bentoservice(url, host=args.host, port=args.port, workers=args.workers)


def _containerize(args: argparse.Namespace) -> None:
    from sinara_lib.bento.release import newest_service
    from sinara_lib.container.containerize import ONNXRUNTIME, containerize, how_to_run
    from sinara_lib.settings import load_settings

    image = containerize(
        args.url or newest_service(load_settings().store(args.env)),
        tag=args.tag,
        base=args.base,
        onnxruntime=ONNXRUNTIME.get(args.onnxruntime),
        builder=args.builder,
        push=args.push,
        sbom=args.sbom,
    )
    print(*how_to_run(image), sep="\n")


def _print_lines(args: argparse.Namespace) -> None:
    for line in args.lines(args):
        try:
            print(printable(line), flush=True)
        except BrokenPipeError:  # as in `sinara ls | head`: nobody reads on, what is to be done is done all the same
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
