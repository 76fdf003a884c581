"""What brings the library, in a step's requirements.txt: a released version, a git URL, or a folder of wheels."""

import re
from pathlib import Path

from sinara_lib import __version__
from sinara_lib.errors import ParamsError
from sinara_lib.repositories.checkouts import Answer
from sinara_lib.step_sources import check_git_url

_VERSION = re.compile(r"[0-9]+(\.[0-9A-Za-z]+)*")
_LINE = re.compile(r"^(?:--find-links .*\n)?sinara_lib(\[[\w,-]+\])?.*$", re.MULTILINE)


def library_lines(extras: str, library: str | None, base: Path) -> str:
    """Return the lines for the extras, such as `[notebook]`; `library` is what `pipeline.library` says, None: released.

    A folder starts at `base`. Raises ParamsError for a URL with a password and for a folder that is not there.
    """
    if library is None:
        return f"sinara_lib{extras}>={__version__}"
    if _VERSION.fullmatch(library):
        return f"sinara_lib{extras}=={library}"
    if library.startswith("git+"):
        return f"sinara_lib{extras} @ git+{check_git_url(library.removeprefix('git+'), 'pipeline.library')}"
    folder = (base / Path(library).expanduser()).resolve()
    if not folder.is_dir():
        raise ParamsError(f"pipeline.library: {library!r} is no version, no git+URL, and no folder of wheels.")
    return f"--find-links {folder}\nsinara_lib{extras}"


def with_library(text: str, library: str | None, base: Path) -> str:
    """Return a requirements.txt whose line of the library says where it comes from; its extras and all else stay."""
    found = _LINE.search(text)
    if found is None:
        raise ParamsError("it has no line of sinara_lib: add `sinara_lib[notebook]`.")
    return text[: found.start()] + library_lines(found[1] or "", library, base) + text[found.end() :]


def write_library(name: str, folder: Path | None, library: str | None, base: Path) -> Answer:
    """Write `with_library` into the requirements.txt of a step's folder, and tell what came of it."""
    if folder is None:
        return Answer(name, "it has no checkout here: `sinara pipeline clone` makes it.", good=False)
    path = folder / "requirements.txt"
    try:
        text = path.read_text(encoding="utf-8")
        path.write_text(with_library(text, library, base), encoding="utf-8")
    except (ParamsError, OSError) as error:
        return Answer(name, f"{path}: {error}", good=False)
    return Answer(name, f"written: {path}")
