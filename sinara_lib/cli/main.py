"""The command line: `sinara params | serve | containerize`, and the others from the modules beside this one."""

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
from sinara_lib.cli.run import add_run_commands
from sinara_lib.cli.scaffold import add_new_commands
from sinara_lib.runs.exit_code import exit_code_of
from sinara_lib.tables import printable


def main(argv: Sequence[str] | None = None) -> int:
    """Parse the command line, do what it asks, and return the exit code."""
    atexit.register(gc.freeze)  # Python ends by looking for garbage in every module: a fifth of a short command's time
    args = _parser().parse_args(argv)
    return exit_code_of(lambda: args.command(args))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="sinara", description="Run, look at and serve a REST CV-pipeline.")
    parser.add_argument("--version", action="version", version=f"sinara {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    add_run_commands(commands, show=_print_lines)
    _add_params(commands.add_parser("params", help="list what a step can be told"))
    add_new_commands(commands, show=_print_lines)
    add_pipeline_commands(commands, show=_print_lines)
    add_store_commands(commands, show=_print_lines)

    _add_serve(commands.add_parser("serve", help="serve a packed model over REST"))
    _add_containerize(commands.add_parser("containerize", help="build an image of a packed model"))
    add_report_commands(commands, show=_print_lines)
    return parser


def _add_params(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("step", metavar="STEP", help="a step of the pipeline, or a step's folder")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--schema", action="store_true", help="print the JSON Schema of its params file")
    form.add_argument("--markdown", action="store_true", help="print the tables of its README")
    form.add_argument("--write", action="store_true", help="write the tables into its README.md, between the marks")
    parser.set_defaults(command=_print_lines, lines=_params)


def _add_serve(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "url", nargs="?", metavar="URL", help="a bento_service entity (default: the newest not refused)"
    )
    parser.add_argument("--env", default="user", help=ENVIRONMENT_HELP)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: this machine only)")
    parser.add_argument("--port", type=int, default=3000)
    parser.add_argument("--workers", type=int, metavar="N", help="processes that share the cores (default: 1)")
    parser.set_defaults(command=_serve)


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
