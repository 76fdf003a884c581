"""Unpacking an archive: its files written by several threads."""

import os
from collections.abc import Iterable
from pathlib import Path

from sinara_lib.archive.arrival import arrival, refusal, refusing
from sinara_lib.archive.content import Content, ContentPiece
from sinara_lib.archive.format import FilePlace
from sinara_lib.errors import ArchiveError
from sinara_lib.parallel import Check, in_threads, thread_count
from sinara_lib.progress import progress

_WRITE = os.O_WRONLY | getattr(os, "O_CLOEXEC", 0)


def unpack_files(
    content: Content,
    files: dict[str, list[FilePlace]],
    folder: Path,
    *,
    places: list[FilePlace],
    threads: int | None = None,
) -> None:
    """Write all files below `folder`; after a failure it is what it was before, absent or with what it held.

    `places` are the rows of `files` in shard order. Raises ArchiveError when a file is there already, when names
    are one to the file system, or when the disk is too small.
    """
    with arrival(folder, files, needed=sum(place.length for place in places)) as hidden:
        split = {name for name, rows in files.items() if len(rows) > 1}
        with refusing(folder):
            _make_folders(hidden, files)
            for name in split:
                os.close(_new_file(hidden, name))
        _write_files(content, hidden, folder, places=places, split=split, threads=threads or thread_count())
        with refusing(folder):
            for name in split:
                os.utime(hidden / name, ns=(files[name][0].mtime_us * 1000,) * 2)


def _make_folders(hidden: Path, files: Iterable[str]) -> None:
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
                os.mkdir(hidden / path)
            except FileExistsError as error:
                raise _clash(path) from error


def _new_file(hidden: Path, name: str) -> int:
    try:
        return os.open(f"{hidden}/{name}", _WRITE | os.O_CREAT | os.O_EXCL, 0o666)
    except FileExistsError as error:
        raise _clash(name) from error


def _clash(name: str) -> ArchiveError:
    return ArchiveError(
        f"Cannot unpack {name!r}: this file system takes another name of the archive for the same, because it ignores "
        "case or the form of Unicode. Unpack on another file system, or read the file with open_archive(url).read."
    )


def _write_files(
    content: Content, hidden: Path, folder: Path, *, places: list[FilePlace], split: set[str], threads: int
) -> None:
    def write(batch: list[FilePlace], check: Check) -> int:
        for piece in content.stream(batch):
            check()
            if not piece.place.name.endswith("/"):
                try:
                    _write_piece(hidden, piece, is_split=piece.place.name in split)
                except OSError as error:
                    raise refusal(folder, error) from error
        return sum(place.length for place in batch)

    with progress(label="unpack", total=sum(place.length for place in places), unit="B") as bar:
        for written in in_threads(write, content.batches(places), threads=threads):
            bar.update(written)


def _write_piece(hidden: Path, piece: ContentPiece, *, is_split: bool) -> None:
    place, at, data = piece
    is_first = at == 0 and not is_split
    file = _new_file(hidden, place.name) if is_first else os.open(f"{hidden}/{place.name}", _WRITE)
    try:
        at += place.start
        while data:
            count = os.pwrite(file, data, at)
            at, data = at + count, data[count:]
        if not is_split:
            os.utime(file, ns=(place.mtime_us * 1000,) * 2)
    finally:
        os.close(file)
