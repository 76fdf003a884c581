"""Files that arrive in a folder: written out of sight, then moved to their place, or not at all."""

import os
import secrets
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sinara_lib.errors import ArchiveError


@contextmanager
def arrival(folder: Path, names: Iterable[str], *, needed: int) -> Iterator[Path]:
    """Give a new hidden folder on the disk of `folder`; what a clean block wrote there is moved into `folder`.

    The hidden folder lies in `folder`, or beside it while it is absent: then all files appear in one rename. After a
    failure `folder` is what it was before. `names` will be written (a folder's ends with a slash), `needed` bytes.
    Raises ArchiveError when one of them is there already, when the disk is too small, or when it refuses.
    """
    with refusing(folder):
        home = folder if os.path.lexists(folder) else folder.parent
        home.mkdir(parents=True, exist_ok=True)
        _check_target(folder, names)
        _check_space(home, folder, needed)
        hidden = home / f".unpack-{secrets.token_hex(8)}"
        hidden.mkdir()
    try:
        yield hidden
        with refusing(folder):
            if home == folder:
                _join(hidden, folder)
            else:
                os.rename(hidden, folder)
    finally:
        if hidden.exists():
            shutil.rmtree(hidden)


@contextmanager
def refusing(folder: Path) -> Iterator[None]:
    """Turn what the disk says inside the block into what `refusal` says."""
    try:
        yield
    except OSError as error:
        raise refusal(folder, error) from error


def refusal(folder: Path, error: OSError) -> ArchiveError:
    """Return the error that says where nothing could be written, why, and what to do."""
    return ArchiveError(
        f"Cannot unpack into {folder}: {error.strerror or error}. Make room or give rights there, or unpack into "
        "another folder. Nothing was left behind."
    )


def _check_target(folder: Path, names: Iterable[str]) -> None:
    if not folder.exists():
        return
    with os.scandir(folder) as entries:
        if next(entries, None) is None:
            return
    for name in names:
        target = folder / name
        if os.path.lexists(target) and not (name.endswith("/") and target.is_dir()):
            raise ArchiveError(f"Cannot unpack {target}: it is there already. Unpack into an empty folder.")
        parent = target.parent
        while parent != folder:
            if os.path.lexists(parent) and (parent.is_symlink() or not parent.is_dir()):
                raise ArchiveError(f"Cannot unpack {target}: {parent} is no folder. Unpack into an empty folder.")
            parent = parent.parent


def _check_space(home: Path, folder: Path, needed: int) -> None:
    free = shutil.disk_usage(home).free
    if needed > free:
        raise ArchiveError(f"Cannot unpack into {folder}: {needed} bytes are needed, {free} are free on its disk.")


def _join(hidden: Path, folder: Path) -> None:
    """Move what was written into `folder`, joining folders that are there already, or take all of it back."""
    moved: list[tuple[str, Path]] = []
    try:
        for source, target in _moves(hidden, folder):
            os.rename(source, target)
            moved.append((source, target))
    except BaseException:
        for source, target in reversed(moved):
            os.rename(target, source)
        raise


def _moves(hidden: Path, folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield what is to be moved and where to, whole folders where the name is free. Raises ArchiveError."""
    for entry in sorted(os.scandir(hidden), key=lambda entry: entry.name):
        target = folder / entry.name
        if entry.is_dir(follow_symlinks=False) and target.is_dir():
            yield from _moves(Path(entry.path), target)
        elif os.path.lexists(target):
            raise ArchiveError(f"Cannot unpack {target}: it was made meanwhile. Unpack into an empty folder.")
        else:
            yield entry.path, target
