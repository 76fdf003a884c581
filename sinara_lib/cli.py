"""The command line: `sinara run | ls | show | serve | containerize`."""

import argparse
from collections.abc import Sequence

from sinara_lib import __version__
from sinara_lib.exit_code import exit_code_of

ENVIRONMENT_HELP = "environment: user (default), test, prod, or one of sinara.toml"


def main(argv: Sequence[str] | None = None) -> int:
    """Parse the command line, do what it asks, and return the exit code."""
    args = _parser().parse_args(argv)
    return exit_code_of(lambda: args.command(args))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="sinara", description="Run, look at and serve a REST CV-pipeline.")
    parser.add_argument("--version", action="version", version=f"sinara {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    run = commands.add_parser("run", help="run the steps of the pipeline in order")
    run.add_argument("steps", nargs="*", metavar="STEP", help="only these steps (default: all)")
    run.add_argument("--from", dest="start", metavar="STEP", help="begin with this step")
    run.add_argument("--env", choices=("user", "prod"), default="user", help="user: working tree; prod: HEAD, tagged")
    run.add_argument("--params", metavar="sample|FILE", help="the built-in sample, or a file in each step's folder")
    run.set_defaults(command=_run)

    ls = commands.add_parser("ls", help="list runs and what they published")
    ls.add_argument("--env", default="user", help=ENVIRONMENT_HELP)
    ls.set_defaults(command=_ls)

    show = commands.add_parser("show", help="show a run or an entity")
    show.add_argument("target", metavar="RUN_OR_URL")
    show.add_argument("--env", default="user", help=ENVIRONMENT_HELP)
    show.set_defaults(command=_show)

    serve = commands.add_parser("serve", help="serve a packed model over REST")
    serve.add_argument("url", nargs="?", metavar="URL", help="a bento_service entity (default: the newest)")
    serve.add_argument("--env", default="user", help=ENVIRONMENT_HELP)
    serve.add_argument("--host", default="127.0.0.1", help="address to listen on (default: this machine only)")
    serve.add_argument("--port", type=int, default=3000)
    serve.add_argument("--workers", type=int, metavar="N", help="processes that share the cores (default: 1)")
    serve.set_defaults(command=_serve)
    _add_containerize(commands.add_parser("containerize", help="build an image of a packed model"))
    return parser


def _add_containerize(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("url", nargs="?", metavar="URL", help="a bento_service entity (default: the newest)")
    parser.add_argument("--env", default="user", help=ENVIRONMENT_HELP)
    parser.add_argument("--tag", metavar="NAME:VERSION", help="default: the bento's name and version")
    parser.add_argument("--push", action="store_true", help="push it to the registry in the tag")
    parser.add_argument("--base", metavar="IMAGE", help="base image with the same Python (default: python:3.X-slim)")
    parser.add_argument("--onnxruntime", choices=("cpu", "gpu"), help="default: what the bento was packed with")
    parser.add_argument("--builder", choices=("docker", "podman", "buildah"), help="default: the first that works")
    parser.add_argument("--sbom", metavar="FILE", help="write the list of packages there too (CycloneDX JSON)")
    parser.set_defaults(command=_containerize)


def _run(args: argparse.Namespace) -> None:
    from sinara_lib.pipeline import choose_steps, closing_lines, pipeline_steps, run_pipeline
    from sinara_lib.settings import load_settings
    from sinara_lib.step import StepResult

    done: list[StepResult] = []
    steps = choose_steps(pipeline_steps(load_settings()), args.steps, args.start)
    try:
        run_pipeline(steps, env=args.env, params=args.params, done=done)
    finally:
        print()
        rows = []
        for result in done:
            urls = list(result.outputs.values()) or [result.run_url]
            rows += [
                [result.step, result.run_id, f"{result.seconds:.0f}", urls[0]],
                *[["", "", "", u] for u in urls[1:]],
            ]
        _table(["step", "run", "seconds", "published"], rows)
    print("", *closing_lines(done), sep="\n")


def _ls(args: argparse.Namespace) -> None:
    from sinara_lib.settings import load_settings

    store = load_settings().store(args.env)
    rows = []
    for step in store.steps():
        for run in store.runs(step):
            record = store.run_record(run)
            entities = ", ".join(e.name for e in store.entities(run) if not e.name.startswith("reports_"))
            rows.append([step.step, run.run_id, record.status.value if record else "(SinaraML)", entities or "-"])
    print(store.url)
    _table(["step", "run", "status", "published"], sorted(rows, key=lambda row: row[1]))


def _show(args: argparse.Namespace) -> None:
    from sinara_lib.settings import load_settings
    from sinara_lib.show import describe

    for line in describe(load_settings().store(args.env), args.target):
        print(line)


def _serve(args: argparse.Namespace) -> None:
    from sinara_lib.bento import serve_bentoservice
    from sinara_lib.settings import load_settings

    url = args.url or load_settings().store(args.env).newest_url("bento_service")
    serve_bentoservice(url, host=args.host, port=args.port, workers=args.workers)


def _containerize(args: argparse.Namespace) -> None:
    from sinara_lib.containerize import ONNXRUNTIME, containerize, how_to_run
    from sinara_lib.settings import load_settings

    image = containerize(
        args.url or load_settings().store(args.env).newest_url("bento_service"),
        tag=args.tag,
        base=args.base,
        onnxruntime=ONNXRUNTIME.get(args.onnxruntime),
        builder=args.builder,
        push=args.push,
        sbom=args.sbom,
    )
    print(*how_to_run(image), sep="\n")


def _table(headers: list[str], rows: list[list[str]]) -> None:
    widths = [max(len(row[i]) for row in [headers, *rows]) for i in range(len(headers))]
    for row in [headers, *rows]:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
