"""Archives that would fill a disk or the memory are refused before they do."""

import gzip
import tarfile
import zipfile
from pathlib import Path

import pytest

from archive_cases import by_name, make_zip
from data_sources.extract import extract
from fetch_params import Limits
from sinara_lib.errors import ArchiveError


@pytest.fixture
def target(tmp_path: Path) -> Path:
    folder = tmp_path / "target"
    folder.mkdir()
    return folder


def overlapping(path: Path) -> Path:
    """A zip in which ten names lead to the same bytes."""
    make_zip(path, {"0.jpg": bytes(1_000_000)})
    with zipfile.ZipFile(path, "a") as archive:
        for number in range(1, 10):
            twin = zipfile.ZipInfo(f"{number}.jpg")
            first = archive.infolist()[0]
            for name in ("header_offset", "CRC", "compress_size", "file_size", "compress_type"):
                setattr(twin, name, getattr(first, name))
            archive.filelist.append(twin)
            archive.NameToInfo[twin.filename] = twin
        archive._didModify = True
    return path


def test_members_that_share_their_bytes_are_refused(tmp_path: Path, target: Path) -> None:
    with pytest.raises(ArchiveError, match=r"0\.jpg and 1\.jpg share their bytes; refused as a bomb"):
        extract(overlapping(tmp_path / "a.zip"), target, choose=by_name)
    assert list(target.iterdir()) == []


@pytest.mark.parametrize("zip64", [False, True])
def test_a_zip_that_announces_a_million_members_is_refused_before_they_are_read(
    zip64: bool, tmp_path: Path, target: Path
) -> None:
    path = make_zip(tmp_path / "a.zip", {"1.jpg": b"one"})
    data = path.read_bytes()
    end = data.index(b"PK\x05\x06")
    if zip64:
        size, start = data[end + 12 : end + 16], data[end + 16 : end + 20]
        record = b"PK\x06\x06" + (44).to_bytes(8, "little") + bytes(12) + (10**6).to_bytes(8, "little") * 2
        record += size + bytes(4) + start + bytes(4)
        locator = b"PK\x06\x07" + bytes(4) + end.to_bytes(8, "little") + (1).to_bytes(4, "little")
        path.write_bytes(data[:end] + record + locator + data[end : end + 8] + b"\xff" * 12 + data[end + 20 :])
    else:
        path.write_bytes(data[: end + 8] + (60_000).to_bytes(2, "little") * 2 + data[end + 12 :])

    with pytest.raises(ArchiveError, match=r"holds more than 50,000 files, which is the limit\. Raise max_unpacked"):
        extract(path, target, choose=by_name, limits=Limits(files=50_000))


def test_folders_count_as_files(tmp_path: Path, target: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        for number in range(5):
            info = tarfile.TarInfo(f"folder{number}")
            info.type = tarfile.DIRTYPE
            archive.addfile(info)

    with pytest.raises(ArchiveError, match="more than 4 files"):
        extract(tmp_path / "a.tar", target, choose=by_name, limits=Limits(files=4))


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME])
def test_a_header_that_unpacks_to_gigabytes_takes_no_memory(kind: bytes, tmp_path: Path, target: Path) -> None:
    info = tarfile.TarInfo("1.jpg")
    info.type, info.size = kind, 1 << 33
    path = tmp_path / "a.tar.gz"
    with gzip.open(path, "wb") as file:
        file.write(info.tobuf(tarfile.GNU_FORMAT) + bytes(1 << 20))

    with pytest.raises(ArchiveError, match=r"a header of 8,5\d\d,\d{3},\d{3} bytes"):
        extract(path, target, choose=by_name)


def test_a_name_that_no_disk_can_hold_is_told(tmp_path: Path, target: Path) -> None:
    archive = make_zip(tmp_path / "a.zip", {f"{'n' * 300}.jpg": b"x"})

    with pytest.raises(ArchiveError, match="has a name that this disk cannot hold"):
        extract(archive, target, choose=by_name)


def test_a_name_that_is_no_text_can_be_told(tmp_path: Path, target: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        info = tarfile.TarInfo("\udcff.jpg")
        info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(info)

    with pytest.raises(ArchiveError, match="is a link") as caught:
        extract(tmp_path / "a.tar", target, choose=by_name)
    assert str(caught.value).encode()
