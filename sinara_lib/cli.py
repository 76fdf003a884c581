"""The command line `sinara …`: the pipeline, what it published, the service; reports are in `cli_reports`."""

import argparse
import atexit
import gc
import re
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sinara_lib import __version__
from sinara_lib.cli_reports import add_report_commands, count
from sinara_lib.exit_code import exit_code_of

ENVIRONMENT_HELP = "environment: user (default), test, prod, or one of sinara.toml"


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

    fetch = commands.add_parser("fetch", help="write the files of an entity into a folder, each checked")
    fetch.add_argument("url", metavar="URL", help="of the entity, on a disk or in an object store")
    fetch.add_argument("folder", metavar="FOLDER", help="what is in it stays as it is")
    fetch.set_defaults(command=_fetch)

    _add_store_commands(commands)

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


def _add_store_commands(commands: Any) -> None:
    """Add what looks after the store: verify, lineage, gc."""
    verify = commands.add_parser("verify", help="read everything again and name what was changed or lost")
    verify.add_argument("targets", nargs="*", metavar="RUN_OR_URL", help="runs and entities")
    verify.add_argument("--all", action="store_true", help="every run of the environment")
    verify.add_argument("--env", default="user", help=ENVIRONMENT_HELP)
    verify.set_defaults(command=_verify)

    lineage = commands.add_parser("lineage", help="show what something was made from, and what was made from it")
    lineage.add_argument("target", metavar="RUN_OR_URL")
    lineage.add_argument("--json", action="store_true", help="print the graph as JSON")
    way = lineage.add_mutually_exclusive_group()
    way.add_argument("--back", action="store_true", help="only what it was made from")
    way.add_argument("--forward", action="store_true", help="only what was made from it")
    lineage.add_argument("--env", default="user", help=ENVIRONMENT_HELP)
    lineage.set_defaults(command=_lineage)

    gc = commands.add_parser(
        "gc",
        help="remove what dead runs left, and old runs that no kept run was made from",
        description="Removes what dead runs left. With --keep-last or --older-than finished runs as well; with both, "
        "those that both select. Each step's newest success stays, and what kept runs anywhere were made from.",
    )
    gc.add_argument("--keep-last", type=count, metavar="N", help="finished runs that are not among their step's last N")
    gc.add_argument("--older-than", type=_age, metavar="AGE", help="runs that started longer ago: 12h, 30d or 8w")
    gc.add_argument("--keep", action="append", default=[], metavar="RUN", help="leave this run; may be repeated")
    gc.add_argument("--dry-run", action="store_true", help="print what would be removed, and touch nothing")
    gc.add_argument("--env", default="user", help=ENVIRONMENT_HELP)
    gc.set_defaults(command=_gc)

    cache = commands.add_parser("cache", help="list or clear what was downloaded").add_subparsers(
        required=True, metavar="ls|clear"
    )
    cache.add_parser("ls", help="list it, with sizes and what broke off").set_defaults(command=_cache_ls)
    clear = cache.add_parser("clear", help="remove it; a download that goes on is left")
    clear.add_argument("--unused-for", type=_age, metavar="AGE", help="only what no run used for 12h, 30d or 8w")
    clear.set_defaults(command=_cache_clear)


def _run(args: argparse.Namespace) -> None:
    from sinara_lib.pipeline import choose_steps, closing_lines, pipeline_steps, published_rows, run_pipeline
    from sinara_lib.settings import load_settings
    from sinara_lib.step import StepResult

    done: list[StepResult] = []
    begun: list[str] = []
    steps = choose_steps(pipeline_steps(load_settings()), args.steps, args.start)
    ended_well = False
    try:
        run_pipeline(steps, env=args.env, params=args.params, done=done, begun=begun)
        ended_well = True
    finally:
        print()
        _table(["step", "run", "seconds", "published"], published_rows(done))
        print("", *closing_lines(done if ended_well else [], index=_write_index(begun)), sep="\n")


def _write_index(runs: list[str]) -> str | None:
    """Write the page in front of these runs and return where; None without runs, or when it cannot be written."""
    from sinara_lib.errors import SinaraError
    from sinara_lib.reports.pipeline_index import write_index
    from sinara_lib.settings import load_settings

    try:
        return write_index(runs, load_settings()) if runs else None
    except SinaraError as error:
        print(f"no page in front of the reports: {error}")
        return None


def _ls(args: argparse.Namespace) -> None:
    from sinara_lib.settings import load_settings
    from sinara_lib.show import run_rows
    from sinara_lib.store.catalog import read_runs

    store = load_settings().store(args.env)
    print(store.url)
    _table(["step", "run", "status", "published"], run_rows(read_runs(args.env, store)))


def _show(args: argparse.Namespace) -> None:
    from sinara_lib.settings import load_settings
    from sinara_lib.show import describe

    for line in describe(load_settings().store(args.env), args.target):
        print(line)


def _fetch(args: argparse.Namespace) -> None:
    from sinara_lib.archive import fetch

    names = fetch(args.url, args.folder)
    print(f"{len(names)} files in {args.folder}")


def _verify(args: argparse.Namespace) -> None:
    from sinara_lib.errors import ArtifactCorruptError, ParamsError
    from sinara_lib.settings import load_settings
    from sinara_lib.store.verify import all_runs, verify_targets
    from sinara_lib.target import find_targets

    if args.all == bool(args.targets):
        raise ParamsError("Name runs or URLs to verify, or --all for every run of the environment.")
    settings = load_settings()
    store = settings.store(args.env)
    targets = all_runs(store) if args.all else [t for text in args.targets for t in find_targets(store, text)]
    found = verify_targets(targets)
    for url in found.unverifiable:
        print(f"cannot be verified (SinaraML wrote no checksums)  {url}")
    for finding in found.findings:
        print(finding)
    print(found.closing_line())
    if found.findings:
        raise ArtifactCorruptError("the store is not as it was committed, see above; run the producing steps again.")


def _lineage(args: argparse.Namespace) -> None:
    import json

    from sinara_lib.settings import load_settings
    from sinara_lib.store.catalog import read_catalog
    from sinara_lib.store.lineage_reading import read_lineage
    from sinara_lib.target import find_targets

    settings = load_settings()
    targets = find_targets(settings.store(args.env), args.target)
    catalog = read_catalog(settings, runs=not args.back)
    found = read_lineage(targets, catalog, back=not args.forward, forward=not args.back)
    if args.json:
        print(json.dumps(found.page(), indent=1))
    else:
        print(*found.lines(back=not args.forward, forward=not args.back), sep="\n")


def _gc(args: argparse.Namespace) -> None:
    from datetime import datetime, timezone

    from sinara_lib.errors import StoreUnavailableError
    from sinara_lib.settings import load_settings
    from sinara_lib.store.catalog import read_catalog
    from sinara_lib.store.garbage import collect_garbage

    settings = load_settings()
    done = collect_garbage(
        settings.store(args.env),
        keep_last=args.keep_last,
        older_than=args.older_than,
        now=datetime.now(timezone.utc),
        dry_run=args.dry_run,
        others=read_catalog(settings, leave_out=args.env),
        keep=args.keep,
    )
    print(*done.lines(), sep="\n")
    if done.unknown and (args.keep_last or args.older_than):
        raise StoreUnavailableError(
            "no finished run was removed: what other runs read is not known, see above. Make it readable, or take an "
            "environment that is no more out of the settings."
        )


def _cache_ls(args: argparse.Namespace) -> None:
    from sinara_lib.download_cache import download_cache, download_rows, total

    cache = download_cache()
    print(cache.folder)
    _table(["size", "fetched", "url"], download_rows(cache.downloads()))
    print(total(cache.downloads()))


def _cache_clear(args: argparse.Namespace) -> None:
    import time

    from sinara_lib.download_cache import download_cache, total

    before = time.time() - args.unused_for.total_seconds() if args.unused_for else None
    removed, busy = download_cache().clear(unused_since=before)
    print(f"removed {total(removed)}")
    for one in busy:
        print(f"left, a run is at work on it: {one.url}")


def _serve(args: argparse.Namespace) -> None:
    from sinara_lib.bento import serve_bentoservice
    from sinara_lib.release import newest_service
    from sinara_lib.settings import load_settings

    url = args.url or newest_service(load_settings().store(args.env))
    serve_bentoservice(url, host=args.host, port=args.port, workers=args.workers)


def _containerize(args: argparse.Namespace) -> None:
    from sinara_lib.image.containerize import ONNXRUNTIME, containerize, how_to_run
    from sinara_lib.release import newest_service
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
        print(line)


def _table(headers: list[str], rows: list[list[str]]) -> None:
    widths = [max(len(row[i]) for row in [headers, *rows]) for i in range(len(headers))]
    for row in [headers, *rows]:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _age(text: str) -> timedelta:
    match = re.fullmatch(r"([0-9]+)([hdw])", text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not an age: give hours, days or weeks, such as 12h, 30d or 8w")
    unit = {"h": "hours", "d": "days", "w": "weeks"}[match[2]]
    return timedelta(**{unit: int(match[1])})
