"""Commands for people who read: `sinara report | diff | reproduce | compare`; `cli` prints the lines."""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sinara_lib.cli.arguments import ENVIRONMENT_HELP, count

RUN_HELP = "a run's id or URL"
WHERE_HELP = "environment to look for ids in (default: all)"


def add_report_commands(commands: Any, *, show: Any) -> None:
    """Add the commands to an argparse subparsers action; `show` prints what the function `args.lines` yields."""
    _add_report(
        commands.add_parser("report", help="print where the report of a run is, open it, or sum it up"), show=show
    )
    _add_diff(commands.add_parser("diff", help="show what differs between two runs"), show=show)
    _add_reproduce(
        commands.add_parser("reproduce", help="run a run again, apart from the store, and compare what comes out"),
        show=show,
    )
    _add_compare(
        commands.add_parser("compare", help="put runs of a step, with all they were made from, into a table"), show=show
    )
    _add_tensorboard(
        commands.add_parser("tensorboard", help="gather the TensorBoard logs of runs in one folder"), show=show
    )


def _add_report(parser: argparse.ArgumentParser, *, show: Any) -> None:
    parser.add_argument("run", metavar="RUN", help=RUN_HELP)
    parser.add_argument("--open", action="store_true", help="open it in the browser")
    parser.add_argument("--format", choices=("path", "md"), default="path", help="md: text for a pull request")
    parser.add_argument("--base", metavar="RUN", help="run to compare with (default: the step's success before it)")
    parser.add_argument("--env", help=WHERE_HELP)
    parser.set_defaults(command=show, lines=_report)


def _add_diff(parser: argparse.ArgumentParser, *, show: Any) -> None:
    parser.add_argument("run_a", metavar="RUN_A", help=RUN_HELP)
    parser.add_argument("run_b", metavar="RUN_B", help=RUN_HELP)
    parser.add_argument("--html", type=Path, metavar="FILE", help="write it as a page")
    parser.add_argument("--json", action="store_true", help="print it as JSON")
    parser.add_argument("--save", action="store_true", help="keep it in the store beside RUN_B, as diff.<run>.<run>")
    parser.add_argument("--env", help=WHERE_HELP)
    parser.set_defaults(command=show, lines=_diff)


def _add_reproduce(parser: argparse.ArgumentParser, *, show: Any) -> None:
    parser.add_argument("run", metavar="RUN", help=RUN_HELP)
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep what it publishes in this new folder")
    parser.add_argument("--env", help=WHERE_HELP)
    parser.set_defaults(command=show, lines=_reproduce)


def _add_compare(parser: argparse.ArgumentParser, *, show: Any) -> None:
    parser.add_argument("--step", metavar="STEP", help="rows are its runs (default: the pipeline's last with runs)")
    parser.add_argument("--pipelines", action="store_true", help="rows are runs of the whole pipeline instead")
    parser.add_argument("--metric", action="append", default=[], metavar="NAME", help="show it; may be repeated")
    parser.add_argument("--costs", action="store_true", help="show time, processors, memory and bytes of each run")
    parser.add_argument("--param", action="append", default=[], metavar="NAME", help="default: those that differ")
    parser.add_argument("--sort", metavar="NAME", help="column to sort by, largest first (default: newest first)")
    parser.add_argument("--ascending", action="store_true", help="with --sort: smallest first")
    parser.add_argument("--limit", type=count, default=50, metavar="N", help="the newest N runs (default: 50)")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write it as CSV")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write it as a page with a plot")
    parser.add_argument("--env", default="user", help=ENVIRONMENT_HELP)
    parser.set_defaults(command=show, lines=_compare)


def _add_tensorboard(parser: argparse.ArgumentParser, *, show: Any) -> None:
    parser.add_argument("runs", nargs="*", metavar="RUN", help=f"{RUN_HELP} (default: the newest of each step)")
    parser.add_argument("--pipeline", metavar="NAME", help="without RUN: of this pipeline (default: all)")
    parser.add_argument("--step", metavar="STEP", help="without RUN: of this step (default: all)")
    parser.add_argument(
        "--limit", type=count, default=20, metavar="N", help="the newest N runs of a step (default: 20)"
    )
    parser.add_argument("--to", type=Path, metavar="FOLDER", help="add them there (default: a cache, emptied before)")
    parser.add_argument("--env", help="environment (default: user; for RUN: all)")
    parser.set_defaults(command=show, lines=_tensorboard)


def _report(args: argparse.Namespace) -> Iterator[str]:
    from sinara_lib.catalog.find import find_run
    from sinara_lib.catalog.pipeline_show import names_pipeline_run
    from sinara_lib.comparison.run_report import markdown, open_page, read_base, report_pages, show_place
    from sinara_lib.comparison.run_summary import read_summary
    from sinara_lib.settings import load_settings

    settings = load_settings()
    if names_pipeline_run(args.run):
        yield from _report_of_pipeline(args, settings)
        return
    run = read_summary(find_run(settings, args.run, env=args.env))
    pages = report_pages(run)
    if args.format == "md":
        given = find_run(settings, args.base, env=args.env) if args.base else None
        yield from markdown(run, read_base(run, given))
    else:
        yield from (f"{show_place(page.url)}  ({page.what})" for page in pages)
    if args.open:
        open_page(pages[0])


def _report_of_pipeline(args: argparse.Namespace, settings: Any) -> Iterator[str]:
    from sinara_lib.catalog.find import find_run
    from sinara_lib.comparison.pipeline_runs_read import find_pipeline_run, pipeline_markdown
    from sinara_lib.comparison.run_report import open_page, report_pages, show_place
    from sinara_lib.comparison.run_summary import read_summary

    run = find_pipeline_run(settings, args.run, env=args.env)
    pages = [page for one in run.summaries.values() if one and one.reports for page in report_pages(one)]
    if args.format == "md":
        base = read_summary(find_run(settings, args.base, env=args.env)) if args.base else None
        yield from pipeline_markdown(run, base)
    else:
        yield from (f"{show_place(page.url)}  ({page.what})" for page in pages)
    if args.open and pages:
        open_page(pages[-1])


def _diff(args: argparse.Namespace) -> Iterator[str]:
    import json

    from sinara_lib.catalog.find import find_run
    from sinara_lib.catalog.pipeline_show import names_pipeline_run
    from sinara_lib.comparison.pipeline_runs_read import find_pipeline_run, pipeline_diff_lines
    from sinara_lib.comparison.run_diff_reading import diff_html, read_diff, save_diff
    from sinara_lib.errors import ParamsError
    from sinara_lib.settings import load_settings

    settings = load_settings()
    named = [names_pipeline_run(text) for text in (args.run_a, args.run_b)]
    if all(named):
        if args.json or args.html or args.save:
            raise ParamsError("Two runs of the pipeline are shown as text alone; name runs of a step for other forms.")
        one, other = (find_pipeline_run(settings, text, env=args.env) for text in (args.run_a, args.run_b))
        yield from pipeline_diff_lines(one, other, settings)
        return
    if any(named):
        raise ParamsError(
            "A run of the pipeline is compared with another one of it, a run of a step with one of a step."
        )
    a, b = (find_run(settings, text, env=args.env) for text in (args.run_a, args.run_b))
    found = read_diff(a, b, settings)
    if args.json:
        yield json.dumps(found.page(), indent=1)
    else:
        yield from found.lines()
    if args.html:
        args.html.write_text(diff_html(found), encoding="utf-8")
    if args.save:
        url = save_diff(found)
        if not args.json:
            yield f"kept  {url}"


def _reproduce(args: argparse.Namespace) -> Iterator[str]:
    from sinara_lib.catalog.find import find_run
    from sinara_lib.comparison.reproduction import reproduce
    from sinara_lib.errors import StepFailedError
    from sinara_lib.settings import load_settings

    settings = load_settings()
    found = reproduce(find_run(settings, args.run, env=args.env), settings, keep=args.keep)
    yield ""
    yield from found.lines()
    if args.keep:
        yield f"kept  {found.place}"
    if found.different:
        raise StepFailedError(f"not reproduced: {', '.join(found.different)} came out different.")


def _compare(args: argparse.Namespace) -> Iterator[str]:
    from sinara_lib.catalog.find import choose_step
    from sinara_lib.comparison.pipeline_runs_read import read_pipeline_chains
    from sinara_lib.comparison.run_table import read_chains, tabulate
    from sinara_lib.comparison.run_table_page import table_html
    from sinara_lib.settings import load_settings

    settings = load_settings()
    store = settings.store(args.env)
    if args.pipelines:
        what, chains = "the pipeline", read_pipeline_chains(store, limit=args.limit)
    else:
        step = choose_step(settings, store, args.step)
        what, chains = step.step, read_chains(settings, store, step, limit=args.limit)
    table = tabulate(
        chains,
        params=args.param,
        metrics=args.metric,
        costs=args.costs,
        sort=args.sort,
        ascending=args.ascending,
    )
    yield f"runs of {what} in {store.url}" if args.pipelines else f"runs of {store.url}/{step.path}"
    yield from table.lines()
    yield from (f"{chain.last.run_id}: removed: {', '.join(chain.missing)}" for chain in chains if chain.missing)
    if args.csv:
        args.csv.write_text(table.csv(), encoding="utf-8")
    if args.html:
        args.html.write_text(table_html(table, title=f"Runs of {what}"), encoding="utf-8")


def _tensorboard(args: argparse.Namespace) -> Iterator[str]:
    from sinara_lib.comparison.logged_runs import named_runs, new_log_cache, newest_logged_runs
    from sinara_lib.runs.tensorboard_logs import gather_logs
    from sinara_lib.settings import load_settings

    settings = load_settings()
    if args.runs:
        runs = list(named_runs(settings, args.runs, env=args.env))
    else:
        store = settings.store(args.env or "user")
        runs = list(newest_logged_runs(store, limit=args.limit, pipeline=args.pipeline, step=args.step))
    folder = args.to or new_log_cache()
    for run in gather_logs(runs, folder):
        yield f"{run.step.path}  {run.run_id}"
    yield f"tensorboard --logdir {folder}"
