"""Unpacking an archive: written out of sight by several threads, then moved to its place, or not at all."""

import os
import secrets
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

from sinara_lib.archive.content import Content, Piece
from sinara_lib.archive.format import Place
from sinara_lib.errors import ArchiveError
from sinara_lib.parallel import Check, in_threads, thread_count
from sinara_lib.progress import progress


def unpack_files(
    content: Content, files: dict[str, list[Place]], folder: Path, *, places: list[Place], threads: int | None = None
) -> None:
    """Write all files below `folder`; after a failure it is what it was before, absent or with what it held.

    `places` are the rows of `files` in shard order. Raises ArchiveError when a file is there already, when names
    are one to the file system, or when the disk is too small.
    """
    with _staging(folder, files, needed=sum(place.length for place in places)) as staging:
        split = {name for name, rows in files.items() if len(rows) > 1}
        with _plain_errors(folder):
            _make_folders(staging, files)
            for name in split:
                os.close(_new_file(staging, name))
        _write_files(content, staging, folder, places=places, split=split, threads=threads or thread_count())
        with _plain_errors(folder):
            for name in split:
                os.utime(staging / name, ns=(files[name][0].mtime_us * 1000,) * 2)
            if staging.parent == folder:
                _join(staging, folder)
            else:
                os.rename(staging, folder)


@contextmanager
def _staging(folder: Path, files: Iterable[str], *, needed: int) -> Iterator[Path]:
    """Give a new hidden folder on the disk of `folder`, removed at the end: in it, or beside it while it is absent."""
    with _plain_errors(folder):
        home = folder if os.path.lexists(folder) else folder.parent
        home.mkdir(parents=True, exist_ok=True)
        _check_target(folder, files)
        _check_space(home, folder, needed)
        staging = home / f".unpack-{secrets.token_hex(8)}"
        staging.mkdir()
    try:
        yield staging
    finally:
        if staging.exists():
            shutil.rmtree(staging)


@contextmanager
def _plain_errors(folder: Path) -> Iterator[None]:
    """Turn what the disk says inside the block into ArchiveError that says where and what to do."""
    try:
        yield
    except OSError as error:
        raise ArchiveError(
            f"Cannot unpack into {folder}: {error.strerror or error}. Make room or give rights there, or unpack into "
            "another folder. Nothing was left behind."
        ) from error


def _check_target(folder: Path, files: Iterable[str]) -> None:
    if not folder.exists():
        return
    with os.scandir(folder) as entries:
        if next(entries, None) is None:
            return
    for name in files:
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


def _make_folders(staging: Path, files: Iterable[str]) -> None:
    """Make every folder once, so that two which the file system takes for one are found."""
    known = {""}
    for name in files:
        missing = []
        folder = name.rpartition("/")[0]
        while folder not in known:
            missing.append(folder)
            known.add(folder)
            folder = folder.rpartition("/")[0]
        for path in reversed(missing):
            try:
                os.mkdir(staging / path)
            except FileExistsError as error:
                raise _clash(path) from error


def _new_file(staging: Path, name: str) -> int:
    try:
        return os.open(f"{staging}/{name}", os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0), 0o666)
    except FileExistsError as error:
        raise _clash(name) from error


def _clash(name: str) -> ArchiveError:
    return ArchiveError(
        f"Cannot unpack {name!r}: this file system takes another name of the archive for the same, because it ignores "
        "case or the form of Unicode. Unpack on another file system, or read the file with open_archive(url).read."
    )


def _write_files(
    content: Content, staging: Path, folder: Path, *, places: list[Place], split: set[str], threads: int
) -> None:
    lock = Lock()
    with progress(label="unpack", total=sum(place.length for place in places), unit="B") as bar:

        def write(batch: list[Place], check: Check) -> None:
            for piece in content.stream(batch):
                check()
                if not piece.place.name.endswith("/"):
                    with _plain_errors(folder):
                        _write_piece(staging, piece, is_split=piece.place.name in split)
                with lock:
                    bar.update(len(piece.data))

        for _ in in_threads(write, content.batches(places), threads=threads):
            pass


def _write_piece(staging: Path, piece: Piece, *, is_split: bool) -> None:
    place, first = piece.place, piece.at == 0 and not is_split
    path = f"{staging}/{place.name}"
    file = _new_file(staging, place.name) if first else os.open(path, os.O_WRONLY | getattr(os, "O_CLOEXEC", 0))
    try:
        at, data = place.start + piece.at, piece.data
        while data:
            count = os.pwrite(file, data, at)
            at, data = at + count, data[count:]
        if not is_split:
            os.utime(file, ns=(place.mtime_us * 1000,) * 2)
    finally:
        os.close(file)


def _join(staging: Path, folder: Path) -> None:
    """Move what was written into `folder`, joining folders that are there already."""
    for entry in os.scandir(staging):
        target = folder / entry.name
        if entry.is_dir(follow_symlinks=False) and target.is_dir():
            _join(Path(entry.path), target)
        elif os.path.lexists(target):
            raise ArchiveError(f"Cannot unpack {target}: it was made meanwhile. Unpack into an empty folder.")
        else:
            os.rename(entry.path, target)
