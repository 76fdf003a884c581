"""The members of a zip or tar archive, one after the other; what an archive does to harm its reader is refused."""

import bz2
import calendar
import errno
import gzip
import logging
import lzma
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import IO, Any

from sinara_lib.downloads.names import coding_of
from sinara_lib.errors import ArchiveError, SinaraError

# zip stores no time before it.
log = logging.getLogger(__name__)

UTF8 = 0x800
"""Flag of a zip member whose name is UTF-8."""
ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)
LOCAL_HEADER = 30
"""Bytes of a zip member's own header without its name."""
HEADER_READ = 4 << 20
"""No header of a tar is read whole beyond this, in bytes; contents are read in smaller blocks."""
OPENERS: dict[bytes, Callable[[Path], IO[bytes]]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\x00": lzma.open,
}
"""Openers by the first bytes of a compressed tar."""
# What the readers of zip and tar raise on damaged or unsupported content.
UNREADABLE = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    NotImplementedError,
    OSError,
    ValueError,
    RuntimeError,
    KeyError,
    IndexError,
)
NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})
DAMAGE = frozenset({None, errno.EINVAL})
"""Numbers of the OSErrors that damaged content leads to: seeking to where nothing is."""
UNUSABLE_NAME = frozenset({errno.ENAMETOOLONG, errno.EILSEQ})


@dataclass(frozen=True)
class Member:
    """One file of an archive: name, promised size in bytes, time in seconds since 1970, and how to open it."""

    name: str
    size: int
    mtime: int
    open: Callable[[], IO[bytes]]


def is_archive(path: Path) -> bool:
    """Return whether the file is a zip or a tar, compressed or not, judged by its content."""
    if zipfile.is_zipfile(path):
        return True
    try:
        with _open_tar(path):
            return True
    except UNREADABLE:
        return False


@contextmanager
def open_members(archive: Path, where: str, *, most: int, coding: str | None = None) -> Iterator[Iterator[Member]]:
    """Give an archive's files one by one, and refuse a zip that announces more than `most`.

    Whatever goes wrong inside becomes an ArchiveError that begins with `where`; so do links, devices, encryption, and
    members of a zip that share their bytes. Folders are passed over.
    """
    try:
        if zipfile.is_zipfile(archive):
            _refuse_crowd(archive, where, most=most)
            with zipfile.ZipFile(archive) as opened:
                yield _zip_members(opened, where, coding=coding)
        else:
            with _open_tar(archive) as opened_tar:
                yield _tar_members(opened_tar, where, coding=coding)
    except SinaraError:
        raise
    except MemoryError as error:
        raise ArchiveError(f"{where}: asks for more memory than there is; refused as a bomb.") from error
    except UNREADABLE as error:
        raise _failure(error, where) from error


def _failure(error: Exception, where: str) -> Exception:
    """Return the error in plain words; one of the disk stays what it is."""
    number = error.errno if isinstance(error, OSError) else None
    if number in NO_ROOM:
        return ArchiveError(
            f"{where}: no room on the disk to unpack it. Free some space, or point TMPDIR at a larger disk."
        )
    if number in UNUSABLE_NAME:
        return ArchiveError(f"{where}: a member has a name that this disk cannot hold ({error}). Rename it.")
    if number not in DAMAGE:
        return error
    return ArchiveError(
        f"{where}: is damaged, or is not a zip or tar archive: {error}. Fetch it again or check the URL."
    )


def _refuse_crowd(archive: Path, where: str, *, most: int) -> None:
    """Refuse before the list of members is read, which takes a kilobyte of memory for each."""
    tail_size = min(archive.stat().st_size, 22 + 65_535 + 20 + 56)
    with archive.open("rb") as file:
        file.seek(-tail_size, 2)
        tail = file.read()
    count = 0
    if (at := tail.rfind(b"PK\5\6")) >= 0 and len(tail) >= at + 12:
        count = struct.unpack_from("<H", tail, at + 10)[0]
    if (at := tail.rfind(b"PK\6\6")) >= 0 and len(tail) >= at + 40:
        count = max(count, struct.unpack_from("<Q", tail, at + 32)[0])
    if count > most:
        raise too_many(where, most)


def too_many(where: str, most: int) -> ArchiveError:
    """Return the error for an archive with more than `most` files."""
    return ArchiveError(
        f"{where}: holds more than {most:,} files, which is the limit. "
        f"Raise max_unpacked_files if the archive is to be trusted."
    )


def _refuse_overlap(infos: list[zipfile.ZipInfo], where: str) -> None:
    """Members that share bytes unpack to many times what the archive holds."""
    ordered = sorted(infos, key=lambda info: info.header_offset)
    for one, following in pairwise(ordered):
        if one.header_offset + LOCAL_HEADER + one.compress_size > following.header_offset:
            raise ArchiveError(
                f"{where}: {one.filename} and {following.filename} share their bytes; refused as a bomb."
            )


def _zip_members(opened: zipfile.ZipFile, where: str, *, coding: str | None) -> Iterator[Member]:
    _refuse_overlap(opened.infolist(), where)
    _read_names(opened.infolist(), where, coding=coding)
    for info in opened.infolist():
        if info.is_dir():
            yield Member(info.filename, 0, 0, _no_content)
            continue
        kind = stat.S_IFMT(info.external_attr >> 16)
        if kind not in {0, stat.S_IFREG}:
            raise _no_plain_file(where, info.filename)
        if info.flag_bits & 1:
            raise ArchiveError(f"{where}: {info.filename} is encrypted. Give an archive without a password.")
        yield Member(info.filename, info.file_size, _zip_time(info), partial(opened.open, info))


def _tar_members(opened: tarfile.TarFile, where: str, *, coding: str | None) -> Iterator[Member]:
    for info in opened:
        info.name = _tar_name(info.name, where, coding=coding)
        if info.isdir():
            yield Member(f"{info.name}/", 0, 0, _no_content)
            continue
        if not info.isfile():
            raise _no_plain_file(where, info.name)
        yield Member(info.name, info.size, int(info.mtime), partial(_tar_file, opened, info))


def _read_names(infos: list[zipfile.ZipInfo], where: str, *, coding: str | None) -> None:
    """Read names again that the archive does not call UTF-8: zip's own rule, cp437, is what few tools keep to."""
    doubtful = [info for info in infos if not info.flag_bits & UTF8 and not info.filename.isascii()]
    raw = {info.filename: _zip_bytes(info.filename) for info in doubtful}
    told = coding or coding_of(one for one in raw.values() if one is not None)
    for info in doubtful:
        if (data := raw[info.filename]) is not None:
            info.filename = _decoded(data, told, where)
    if doubtful:
        _tell(where, len(doubtful), told, coding)


def _zip_bytes(name: str) -> bytes | None:
    """Return a name's bytes; None where a field of its own said what it is."""
    try:
        return name.encode("cp437")
    except UnicodeEncodeError:
        return None


def _tar_name(name: str, where: str, *, coding: str | None) -> str:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        data = name.encode("utf-8", "surrogateescape")
        told = coding or coding_of([data])
        _tell(where, 1, told, coding)
        return _decoded(data, told, where)
    return name


def _decoded(data: bytes, coding: str, where: str) -> str:
    try:
        return data.decode(coding)
    except UnicodeDecodeError as error:
        raise ArchiveError(f"{where}: the name {data!r} is not {coding}. Correct names_coding.") from error


def _tell(where: str, count: int, coding: str, given: str | None) -> None:
    log.log(
        logging.INFO if given or coding == "utf-8" else logging.WARNING,
        "%s: %d names are read as %s, %s",
        where,
        count,
        coding.upper(),
        "as the parameters say" if given else "since the archive does not say it; if not, set names_coding",
    )


def _tar_file(opened: tarfile.TarFile, info: tarfile.TarInfo) -> IO[bytes]:
    file = opened.extractfile(info)
    if file is None:
        raise ArchiveError(f"{opened.name!s}: {info.name} cannot be read from the archive.")
    return file


def _zip_time(info: zipfile.ZipInfo) -> int:
    """Return a zip names no time zone; its times are read as UTC, so that they are the same on every machine."""
    year, month, day, *_ = info.date_time
    valid = year >= 1980 and 1 <= month <= 12 and 1 <= day <= 31
    return calendar.timegm(info.date_time if valid else ZIP_EPOCH)


def _no_plain_file(where: str, name: str) -> ArchiveError:
    return ArchiveError(
        f"{where}: {name} is a link or a device; only plain files are taken. Pack the files themselves."
    )


def _no_content() -> IO[bytes]:
    raise ValueError("a folder has no content")


class _Measured:
    """A stream that refuses to be read in one piece beyond HEADER_READ: tarfile reads headers whole, however long."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= HEADER_READ:
            raise tarfile.ReadError(f"a header of {size:,} bytes")
        return self._file.read(size)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


@contextmanager
def _open_tar(path: Path) -> Iterator[tarfile.TarFile]:
    with path.open("rb") as file:
        start = file.read(6)
    opener = next((opener for magic, opener in OPENERS.items() if start.startswith(magic)), None)
    with ExitStack() as stack:
        stream = stack.enter_context(opener(path) if opener else path.open("rb"))
        yield stack.enter_context(tarfile.open(fileobj=_Measured(stream), mode="r:", errors="surrogateescape"))
