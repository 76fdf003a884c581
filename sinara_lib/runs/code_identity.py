"""Which code made something: one sha256 over a step's files, and the library with its own where it can be edited."""

import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import sinara_lib
from sinara_lib.runs.git import GitError, run_git

_MADE = {"__pycache__", ".ipynb_checkpoints", ".git", ".venv", "build", "dist", "tmp"}
"""Folders that tools make; where there is no git to ask, they are no code."""
_INSTALLED = {"site-packages", "dist-packages"}


def code_of(folder: Path) -> str:
    """Return one sha256 over every file below `folder` that git tracks or would track, by its path from there.

    A link counts with what it names. Outside a repository all files count but those in hidden folders and in folders
    that tools make.
    """
    digest = hashlib.sha256()
    for name, content in code_files(folder):
        digest.update(name + b"\0" + content.encode() + b"\n")
    return digest.hexdigest()


def code_files(folder: Path) -> Iterator[tuple[bytes, str]]:
    """Yield path from `folder` and sha256, or the target of a link, of every file that `code_of` counts."""
    for name in sorted(set(_tracked(folder) or _walked(folder))):
        if (content := _content(folder / os.fsdecode(name))) is not None:
            yield name, content


def library_of(folder: Path | None = None) -> str:
    """Return the library's name and version, and what its code is where it is not an installed one but a checkout.

    `folder` is the package's folder where a kernel imports another one than this process.
    """
    folder = folder or Path(sinara_lib.__file__).parent
    named = f"sinara_lib {sinara_lib.__version__}"
    return named if _INSTALLED.intersection(folder.parts) else f"{named} code {code_of(folder)[:16]}"


def _tracked(folder: Path) -> list[bytes]:
    """Return what git tracks or would track below `folder`; empty outside a repository and without git."""
    try:
        listed = run_git(folder, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    except GitError:  # who reads the commit says why
        return []
    return [os.fsencode(name) for name in listed.split("\0") if name]


def _walked(folder: Path) -> Iterator[bytes]:
    for place, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name not in _MADE and not name.startswith(".")]
        yield from _names(Path(place).relative_to(folder), files)


def _names(place: Path, files: Iterable[str]) -> Iterator[bytes]:
    for file in files:
        if not file.endswith((".pyc", ".pyo")):
            yield os.fsencode((place / file).as_posix())


def _content(path: Path) -> str | None:
    """Return the sha256 of a file, or the target of a link to elsewhere; None for what is gone or no file."""
    if path.is_symlink():
        # An editor's lock is a link to nothing: it comes and goes while somebody types.
        return f"-> {os.readlink(path)}" if path.exists() else None
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None
