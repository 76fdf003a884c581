"""Takes wanted members out of an archive or a folder into one folder, within limits, under names that cannot clash."""

import os
import re
import shutil
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from data_sources.archives import Member, is_archive, open_members, too_many
from fetch_params import Limits
from sinara_lib.downloads.folders import files_below
from sinara_lib.errors import ArchiveError
from sinara_lib.progress import progress

__all__ = ["Choice", "Extraction", "Limits", "copy_folder", "extract", "is_archive"]

BLOCK = 1 << 20
WINDOWS_DRIVE = re.compile(r"^[A-Za-z]:")

Choice = Callable[[str], str | None]


@dataclass(frozen=True)
class Extraction:
    """What was taken out: file names in the target folder, their bytes, and how many members were left."""

    names: list[str]
    size: int
    left_out: int


def extract(
    archive: Path,
    folder: Path,
    *,
    choose: Choice,
    limits: Limits | None = None,
    where: str | None = None,
    names_coding: str | None = None,
) -> Extraction:
    """Write each member for which `choose(name)` gives a file name into `folder` under that name.

    Members keep their times. All names are checked, also those left out. `where` names the archive in errors.

    Raises:
        ArchiveError: not an archive, damaged, encrypted; a name or link that leads outside; two members for one name;
            more than the limits allow.
    """
    limits, where = limits or Limits(), where or str(archive)
    packed = archive.stat().st_size
    targets = Targets(where)
    entries = seen = size = 0
    with open_members(archive, where, most=limits.files, coding=names_coding) as members:
        for member in progress(members, label=f"Unpacking {archive.name}", unit="file"):
            _check(where, member.name)
            entries, size = entries + 1, size + member.size
            _enforce(where, limits, files=entries, size=size, packed=packed)
            if member.name.endswith("/"):
                continue
            seen += 1
            target = choose(member.name)
            if target is not None:
                targets.take(target, member.name)
                _write(where, member, folder / target)
    return targets.extraction(folder, seen=seen)


class Targets:
    """Which member became which file; two that differ in case or accents alone are one file on Windows and macOS."""

    def __init__(self, where: str) -> None:
        self._where = where
        self._folded: dict[str, str] = {}
        self._names: list[str] = []

    def take(self, target: str, member: str) -> None:
        """Take a file name. Raises ArchiveError when another member has it."""
        folded = unicodedata.normalize("NFC", target).casefold()
        if folded in self._folded:
            raise ArchiveError(
                f"{self._where}: {self._folded[folded]} and {member} would both become {target}, at least on Windows "
                f"and macOS. Give the files different names."
            )
        self._folded[folded] = member
        self._names.append(target)

    def extraction(self, folder: Path, *, seen: int) -> Extraction:
        """Return what lies in the folder now."""
        total = sum((folder / name).stat().st_size for name in self._names)
        return Extraction(sorted(self._names), total, seen - len(self._names))


def _check(where: str, name: str) -> None:
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or WINDOWS_DRIVE.match(name) or ".." in path.parts or "\0" in name:
        raise ArchiveError(f"{where}: the member {name!r} leads out of the folder. Nothing of this archive is used.")


def _enforce(where: str, limits: Limits, *, files: int, size: int, packed: int) -> None:
    if files > limits.files:
        raise too_many(where, limits.files)
    if size > limits.total_bytes:
        raise ArchiveError(
            f"{where}: would unpack to more than {limits.total_bytes:,} bytes, the limit. "
            f"Raise max_unpacked_gib if the archive is to be trusted."
        )
    if size > limits.free_bytes and size > packed * limits.ratio:
        raise ArchiveError(
            f"{where}: {packed:,} bytes would unpack to more than {limits.ratio} times as much "
            f"({size:,} bytes so far); refused as a bomb. Raise max_unpacked_ratio if the archive is to be trusted."
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
    targets = Targets(str(source))
    paths = files_below(source)
    for path in progress(paths, label=f"Copying {source.name}", unit="file"):
        name = path.relative_to(source).as_posix()
        target = choose(name)
        if target is not None:
            targets.take(target, name)
            shutil.copy2(path, folder / target)
    return targets.extraction(folder, seen=len(paths))
