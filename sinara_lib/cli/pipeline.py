"""Commands over the steps' repositories: `sinara pipeline create | clone | status | pull | push | checkout | lock`."""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sinara_lib.repositories.checkouts import Answer

_OVER_ALL = {
    "clone": "clone those that are not there yet",
    "pull": "bring each branch forward to its upstream, never by a merge",
    "push": "push each branch and the tags of runs on it",
}


def add_pipeline_commands(commands: Any, *, show: Any) -> None:
    """Add the command to an argparse subparsers action; `show` prints what the function `args.lines` yields."""
    parser = commands.add_parser("pipeline", help="work on all repositories of a pipeline's steps, side by side")
    ways = parser.add_subparsers(required=True, metavar="COMMAND")
    create = ways.add_parser("create", help="make a pipeline's folder from the repositories of its steps")
    create.add_argument("name", metavar="NAME", help="of the pipeline and of its folder")
    each = "a step and its repository; repeat it, in the order they run"
    create.add_argument("--step", action="append", default=[], required=True, metavar="NAME=URL", help=each)
    create.set_defaults(command=show, lines=_create)
    for name, text in _OVER_ALL.items():
        ways.add_parser(name, help=text).set_defaults(command=show, lines=_over_all, work=name)
    status = "branch, commit, ahead and behind, uncommitted, locked, last run's tag"
    ways.add_parser("status", help=status).set_defaults(command=show, lines=_status)
    checkout = ways.add_parser("checkout", help="go over to a branch in each; a new one where it is nowhere")
    checkout.add_argument("branch", metavar="BRANCH")
    checkout.set_defaults(command=show, lines=_over_all, work="checkout")
    library = "write where the library comes from, pipeline.library, into each step's requirements.txt"
    ways.add_parser("requirements", help=library).set_defaults(command=show, lines=_requirements)
    lock = "write the commits that the steps' refs mean now into sinara.lock"
    ways.add_parser("lock", help=lock).set_defaults(command=show, lines=_lock)


def _create(args: argparse.Namespace) -> Iterator[str]:
    from sinara_lib.repositories.creation import create_pipeline

    yield from _told(create_pipeline(args.name, args.step, into=Path.cwd()), "create")


def _over_all(args: argparse.Namespace) -> Iterator[str]:
    from sinara_lib.repositories import checkouts

    base, sources = _pipeline()
    works = {"clone": checkouts.clone, "pull": checkouts.pull, "push": checkouts.push}
    work = works[args.work] if args.work in works else checkouts.checkout(args.branch)
    yield from _told(checkouts.for_each(sources, base, work), args.work)


def _status(args: argparse.Namespace) -> Iterator[str]:
    from sinara_lib.repositories.checkouts import for_each, status
    from sinara_lib.tables import text_table

    base, sources = _pipeline()
    rows: list[list[str]] = [["step", "branch", "commit", "upstream", "files", "lock", "last run"]]

    def work(source: Any, folder: Path) -> str:
        rows.append(status(source, folder))
        return ""

    answers = for_each(sources, base, work)
    yield from text_table(rows)
    yield from _told([answer for answer in answers if not answer.good], "status")


def _requirements(args: argparse.Namespace) -> Iterator[str]:
    from sinara_lib.repositories.places import checkout_of
    from sinara_lib.scaffold.requirement import write_library
    from sinara_lib.settings_file import SETTINGS_FILE, read_settings_file

    base, sources = _pipeline()
    library = read_settings_file(base / SETTINGS_FILE).pipeline.library
    tops = [(s, checkout_of(s, base) if s.git else base / str(s.folder)) for s in sources]
    yield from _told([write_library(s.name, top and top / s.path, library, base) for s, top in tops], "requirements")


def _lock(args: argparse.Namespace) -> Iterator[str]:
    from sinara_lib.repositories.lock import LOCK_FILE, write_lock

    base, sources = _pipeline()
    for step in write_lock(sources, base):
        yield f"{step.name}  {step.commit}" + (f"  {step.ref}" if step.ref else "")
    yield f"written: {base / LOCK_FILE}"


def _pipeline() -> tuple[Path, Sequence[Any]]:
    from sinara_lib.pipeline import pipeline_steps
    from sinara_lib.settings import load_settings

    settings = load_settings()
    steps = pipeline_steps(settings)
    return settings.folder or Path.cwd(), [step.source for step in steps]


def _told(answers: "Sequence[Answer]", command: str) -> Iterator[str]:
    """Yield a line for each, and at the end raise for those that failed."""
    from sinara_lib.errors import StepFailedError

    for answer in answers:
        yield f"{answer.name}  {'' if answer.good else 'FAILED: '}{answer.text}"
    if bad := [answer.name for answer in answers if not answer.good]:
        raise StepFailedError(f"sinara pipeline {command}: failed for {', '.join(bad)}; the others are done.")
