"""Commands about what is stored: `sinara ls | show | fetch | verify | lineage | gc | cache`; `cli` prints the lines."""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sinara_lib.cli.arguments import ENVIRONMENT_HELP, age, count
from sinara_lib.tables import text_table


def add_store_commands(commands: Any, *, show: Any) -> None:
    """Add the commands to an argparse subparsers action; `show` prints what the function `args.lines` yields."""
    ls = commands.add_parser("ls", help="list runs and what they published")
    ls.add_argument("--env", default="user", help=ENVIRONMENT_HELP)
    ls.add_argument("--pipelines", action="store_true", help="list runs of the whole pipeline instead")
    ls.set_defaults(command=show, lines=_ls)

    one = commands.add_parser("show", help="show a run, an entity, or a run of the pipeline")
    one.add_argument("target", metavar="RUN_OR_URL")
    one.add_argument("--env", default="user", help=ENVIRONMENT_HELP)
    one.set_defaults(command=show, lines=_show)

    fetch = commands.add_parser("fetch", help="write the files of an entity into a folder, each checked")
    fetch.add_argument("url", metavar="URL", help="of the entity, on a disk or in an object store")
    fetch.add_argument("folder", metavar="FOLDER", help="what is in it stays as it is")
    fetch.set_defaults(command=show, lines=_fetch)

    verify = commands.add_parser("verify", help="read everything again and name what was changed or lost")
    verify.add_argument("targets", nargs="*", metavar="RUN_OR_URL", help="runs and entities")
    verify.add_argument("--all", action="store_true", help="every run of the environment")
    verify.add_argument("--env", default="user", help=ENVIRONMENT_HELP)
    verify.set_defaults(command=show, lines=_verify)

    lineage = commands.add_parser("lineage", help="show what something was made from, and what was made from it")
    lineage.add_argument("target", metavar="RUN_OR_URL")
    lineage.add_argument("--json", action="store_true", help="print the graph as JSON")
    way = lineage.add_mutually_exclusive_group()
    way.add_argument("--back", action="store_true", help="only what it was made from")
    way.add_argument("--forward", action="store_true", help="only what was made from it")
    lineage.add_argument("--env", default="user", help=ENVIRONMENT_HELP)
    lineage.set_defaults(command=show, lines=_lineage)

    _add_retention_commands(commands, show=show)


def _add_retention_commands(commands: Any, *, show: Any) -> None:
    gc = commands.add_parser(
        "gc",
        help="remove what dead runs left, and old runs that no kept run was made from",
        description="Removes what dead runs left. With --keep-last or --older-than finished runs as well; with both, "
        "those that both select. Each step's newest success stays, and what kept runs anywhere were made from.",
    )
    gc.add_argument("--keep-last", type=count, metavar="N", help="finished runs that are not among their step's last N")
    gc.add_argument("--older-than", type=age, metavar="AGE", help="runs that started longer ago: 12h, 30d or 8w")
    gc.add_argument(
        "--keep",
        action="append",
        default=[],
        metavar="RUN",
        help="leave this run, named by its id or any URL of it",
    )
    gc.add_argument("--dry-run", action="store_true", help="print what would be removed, and touch nothing")
    gc.add_argument("--env", default="user", help=ENVIRONMENT_HELP)
    gc.set_defaults(command=show, lines=_gc)

    cache = commands.add_parser("cache", help="list or clear what was downloaded").add_subparsers(
        required=True, metavar="ls|clear"
    )
    cache.add_parser("ls", help="list it, with sizes and what broke off").set_defaults(command=show, lines=_cache_ls)
    clear = cache.add_parser("clear", help="remove it; a download that goes on is left")
    clear.add_argument("--unused-for", type=age, metavar="AGE", help="only what no run used for 12h, 30d or 8w")
    clear.set_defaults(command=show, lines=_cache_clear)


def _ls(args: argparse.Namespace) -> Iterator[str]:
    from sinara_lib.catalog.catalog import read_runs
    from sinara_lib.catalog.pipeline_show import pipeline_rows
    from sinara_lib.catalog.show import run_rows
    from sinara_lib.settings import load_settings

    store = load_settings().store(args.env)
    yield store.url
    if args.pipelines:
        yield from text_table(pipeline_rows(store))
    else:
        yield from text_table([["step", "run", "status", "published"], *run_rows(read_runs(args.env, store))])


def _show(args: argparse.Namespace) -> Iterator[str]:
    from sinara_lib.catalog.pipeline_show import find_pipeline_runs, names_pipeline_run, pipeline_run_lines
    from sinara_lib.catalog.show import describe
    from sinara_lib.settings import load_settings

    store = load_settings().store(args.env)
    if names_pipeline_run(args.target):
        for runs, record in find_pipeline_runs(store, args.target):
            yield from pipeline_run_lines(runs, record)
    else:
        yield from describe(store, args.target)


def _fetch(args: argparse.Namespace) -> Iterator[str]:
    from sinara_lib.archive import fetch

    names = fetch(args.url, args.folder)
    yield f"{len(names)} files in {args.folder}"


def _verify(args: argparse.Namespace) -> Iterator[str]:
    from sinara_lib.catalog.find import find_targets
    from sinara_lib.catalog.verify import all_runs, verify_targets
    from sinara_lib.errors import ArtifactCorruptError, ParamsError
    from sinara_lib.settings import load_settings

    if args.all == bool(args.targets):
        raise ParamsError("Name runs or URLs to verify, or --all for every run of the environment.")
    settings = load_settings()
    store = settings.store(args.env)
    targets = all_runs(store) if args.all else [t for text in args.targets for t in find_targets(store, text)]
    found = verify_targets(targets)
    for url in found.unverifiable:
        yield f"cannot be verified (SinaraML wrote no checksums)  {url}"
    yield from map(str, found.findings)
    yield found.closing_line()
    if found.findings:
        raise ArtifactCorruptError("the store is not as it was committed, see above; run the producing steps again.")


def _lineage(args: argparse.Namespace) -> Iterator[str]:
    import json

    from sinara_lib.catalog.catalog import read_catalog
    from sinara_lib.catalog.find import find_targets
    from sinara_lib.catalog.lineage_reading import read_lineage
    from sinara_lib.settings import load_settings

    settings = load_settings()
    targets = find_targets(settings.store(args.env), args.target)
    catalog = read_catalog(settings, runs=not args.back)
    found = read_lineage(targets, catalog, back=not args.forward, forward=not args.back)
    if args.json:
        yield json.dumps(found.page(), indent=1)
    else:
        yield from found.lines(back=not args.forward, forward=not args.back)


def _gc(args: argparse.Namespace) -> Iterator[str]:
    from datetime import datetime, timezone

    from sinara_lib.catalog.catalog import read_catalog
    from sinara_lib.catalog.garbage import collect_garbage
    from sinara_lib.errors import StoreUnavailableError
    from sinara_lib.runs.leftovers import find_leftovers, remove_leftovers
    from sinara_lib.settings import load_settings

    settings, here = load_settings(), Path.cwd()
    done = collect_garbage(
        settings.store(args.env),
        keep_last=args.keep_last,
        older_than=args.older_than,
        now=datetime.now(timezone.utc),
        dry_run=args.dry_run,
        others=read_catalog(settings, leave_out=args.env),
        keep=args.keep,
    )
    leftovers = find_leftovers()
    if not args.dry_run:
        remove_leftovers(leftovers, near=here)
    yield from (one.line("would remove" if args.dry_run else "removed") for one in leftovers)
    yield from done.lines()
    if done.unknown and (args.keep_last or args.older_than):
        raise StoreUnavailableError(
            "no finished run was removed: what other runs read is not known, see above. Make it readable, or take an "
            "environment that is no more out of the settings."
        )


def _cache_ls(args: argparse.Namespace) -> Iterator[str]:
    from sinara_lib.downloads.cache import download_cache, download_rows, total

    cache = download_cache()
    yield str(cache.folder)
    yield from text_table([["size", "fetched", "url"], *download_rows(cache.downloads())])
    yield total(cache.downloads())


def _cache_clear(args: argparse.Namespace) -> Iterator[str]:
    import time

    from sinara_lib.downloads.cache import download_cache, total

    before = time.time() - args.unused_for.total_seconds() if args.unused_for else None
    removed, busy = download_cache().clear(unused_since=before)
    yield f"removed {total(removed)}"
    yield from (f"left, a run is at work on it: {one.url}" for one in busy)
