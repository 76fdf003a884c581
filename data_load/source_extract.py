"""Takes wanted members out of a zip or tar archive into one folder, and refuses archives made to do harm."""

import calendar
import errno
import lzma
import os
import re
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO

from sinara_lib.errors import ArchiveError, SinaraError
from sinara_lib.progress import progress

BLOCK = 1 << 20
# zip stores no time before it.
ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)
WINDOWS_DRIVE = re.compile(r"^[A-Za-z]:")
# What the readers of zip and tar raise on damaged or unsupported content.
UNREADABLE = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    NotImplementedError,
    OSError,
    ValueError,
)

Choice = Callable[[str], str | None]


@dataclass(frozen=True)
class Limits:
    """What an archive may hold at most; the ratio of unpacked to packed bytes counts from `free_bytes` on."""

    files: int = 5_000_000
    total_bytes: int = 500 << 30
    ratio: int = 200
    free_bytes: int = 64 << 20


@dataclass(frozen=True)
class Extraction:
    """What was taken out: file names in the target folder, their bytes, and how many members were left."""

    names: list[str]
    size: int
    left_out: int


@dataclass(frozen=True)
class Member:
    """One file of an archive: name, promised size in bytes, time in seconds since 1970, and how to open it."""

    name: str
    size: int
    mtime: int
    open: Callable[[], IO[bytes]]


def is_archive(path: Path) -> bool:
    """Whether the file is a zip or a tar, compressed or not, judged by its content."""
    return zipfile.is_zipfile(path) or tarfile.is_tarfile(path)


def extract(
    archive: Path, folder: Path, *, choose: Choice, limits: Limits | None = None, where: str | None = None
) -> Extraction:
    """Write each member for which `choose(name)` gives a file name into `folder` under that name.

    Members keep their times. All names are checked, also those left out. `where` names the archive in errors.

    Raises:
        ArchiveError: not an archive, damaged, encrypted; a name or link that leads outside; two members for one name;
            more than the limits allow.
    """
    limits, where = limits or Limits(), where or str(archive)
    packed = archive.stat().st_size
    names: dict[str, str] = {}
    seen = size = 0
    with _members(archive, where) as members:
        for member in progress(members, label=f"Unpacking {archive.name}", unit="file"):
            seen += 1
            size += member.size
            _check(where, member.name)
            _enforce(where, limits, files=seen, size=size, packed=packed)
            target = choose(member.name)
            if target is None:
                continue
            if target in names:
                raise ArchiveError(
                    f"{where}: {names[target]} and {member.name} would both become {target}. "
                    f"Give the files different names."
                )
            names[target] = member.name
            _write(where, member, folder / target)
    total = sum((folder / name).stat().st_size for name in names)
    return Extraction(sorted(names), total, seen - len(names))


@contextmanager
def _members(archive: Path, where: str) -> Iterator[Iterator[Member]]:
    """The archive's files one by one; whatever its reader raises becomes an ArchiveError."""
    try:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as opened:
                yield _zip_members(opened, where)
        else:
            with tarfile.open(archive, mode="r:*") as opened_tar:
                yield _tar_members(opened_tar, where)
    except SinaraError:
        raise
    except UNREADABLE as error:
        if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise ArchiveError(
                f"{where}: no room on the disk to unpack it. Free some space, or point TMPDIR at a larger disk."
            ) from error
        if isinstance(error, OSError) and error.errno:
            raise
        raise ArchiveError(
            f"{where}: is damaged, or is not a zip or tar archive: {error}. Fetch it again or check the URL."
        ) from error


def _zip_members(opened: zipfile.ZipFile, where: str) -> Iterator[Member]:
    for info in opened.infolist():
        if info.is_dir():
            _check(where, info.filename)
            continue
        if stat.S_ISLNK(info.external_attr >> 16):
            raise ArchiveError(
                f"{where}: {info.filename} is a link; only plain files are taken. Pack the files themselves."
            )
        if info.flag_bits & 1:
            raise ArchiveError(f"{where}: {info.filename} is encrypted. Give an archive without a password.")
        yield Member(info.filename, info.file_size, _zip_time(info), partial(opened.open, info))


def _tar_members(opened: tarfile.TarFile, where: str) -> Iterator[Member]:
    for info in opened:
        if info.isdir():
            _check(where, info.name)
            continue
        if not info.isfile():
            raise ArchiveError(
                f"{where}: {info.name} is a link or a device; only plain files are taken. Pack the files themselves."
            )
        yield Member(info.name, info.size, int(info.mtime), partial(_tar_file, opened, info))


def _tar_file(opened: tarfile.TarFile, info: tarfile.TarInfo) -> IO[bytes]:
    file = opened.extractfile(info)
    if file is None:
        raise ArchiveError(f"{opened.name!s}: {info.name} cannot be read from the archive.")
    return file


def _zip_time(info: zipfile.ZipInfo) -> int:
    """A zip names no time zone; its times are read as UTC, so that they are the same on every machine."""
    year, month, day, *_ = info.date_time
    valid = year >= 1980 and 1 <= month <= 12 and 1 <= day <= 31
    return calendar.timegm(info.date_time if valid else ZIP_EPOCH)


def _check(where: str, name: str) -> None:
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or WINDOWS_DRIVE.match(name) or ".." in path.parts or "\0" in name:
        raise ArchiveError(f"{where}: the member {name!r} leads out of the folder. Nothing of this archive is used.")


def _enforce(where: str, limits: Limits, *, files: int, size: int, packed: int) -> None:
    if files > limits.files:
        raise ArchiveError(f"{where}: holds more than {limits.files:,} files, which is the limit.")
    if size > limits.total_bytes:
        raise ArchiveError(
            f"{where}: would unpack to more than {limits.total_bytes:,} bytes, the limit. "
            f"Raise max_unpacked_gib if the archive is to be trusted."
        )
    if size > limits.free_bytes and size > packed * limits.ratio:
        raise ArchiveError(
            f"{where}: {packed:,} bytes would unpack to more than {limits.ratio} times as much "
            f"({size:,} bytes so far); refused as a bomb."
        )


def _write(where: str, member: Member, target: Path) -> None:
    """Copy one member, and no more than it promised."""
    left = member.size
    with member.open() as source, target.open("xb") as file:
        while block := source.read(min(BLOCK, left + 1)):
            left -= len(block)
            if left < 0:
                raise ArchiveError(f"{where}: {member.name} is longer than the archive says ({member.size:,} bytes).")
            file.write(block)
    if left:
        raise ArchiveError(f"{where}: {member.name} ends {left:,} bytes early; the archive is truncated.")
    os.utime(target, (member.mtime, member.mtime))


def copy_folder(source: Path, folder: Path, *, choose: Choice) -> Extraction:
    """Copy each file below `source` for which `choose` gives a name, as `extract` does for an archive."""
    names: dict[str, str] = {}
    paths = sorted(path for path in source.rglob("*") if path.is_file())
    for path in progress(paths, label=f"Copying {source.name}", unit="file"):
        name = path.relative_to(source).as_posix()
        target = choose(name)
        if target is None:
            continue
        if target in names:
            raise ArchiveError(f"{source}: {names[target]} and {name} would both become {target}. Rename one of them.")
        names[target] = name
        shutil.copy2(path, folder / target)
    total = sum((folder / name).stat().st_size for name in names)
    return Extraction(sorted(names), total, len(paths) - len(names))
