"""Extraction takes what is wanted, exactly, and refuses archives made to do harm."""

import errno
import stat
import tarfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive_cases import by_name, make_tar, make_zip
from data_sources.extract import copy_folder, extract, is_archive
from fetch_params import Limits
from sinara_lib.errors import ArchiveError

EVIL_NAMES = ["../evil.jpg", "a/../../evil.jpg", "/etc/evil.jpg", "..\\evil.jpg", "C:\\evil.jpg", "C:evil.jpg", "a/.."]


@pytest.fixture
def target(tmp_path: Path) -> Path:
    folder = tmp_path / "target"
    folder.mkdir()
    return folder


@pytest.mark.parametrize(
    ("make", "name"),
    [(make_zip, "a.zip"), (make_tar, "a.tar.gz"), (lambda p, m: make_tar(p, m, "w:xz"), "a.tar.xz")],
)
def test_wanted_members_come_out_flat_with_their_bytes_and_times(make, name: str, tmp_path: Path, target: Path) -> None:
    archive = make(tmp_path / name, {"val/1.jpg": b"one", "val/deep/2.jpg": b"two", "val/readme.txt": b"not wanted"})

    taken = extract(archive, target, choose=by_name)

    assert (taken.names, taken.size, taken.left_out) == (["1.jpg", "2.jpg"], 6, 1)
    assert {path.name: path.read_bytes() for path in target.iterdir()} == {"1.jpg": b"one", "2.jpg": b"two"}
    assert (target / "1.jpg").stat().st_mtime == 1_504_269_008
    assert is_archive(archive)


@pytest.mark.parametrize("make", [make_zip, make_tar])
@pytest.mark.parametrize("name", EVIL_NAMES)
def test_a_name_that_leads_outside_is_refused_even_when_not_wanted(
    make, name: str, tmp_path: Path, target: Path
) -> None:
    archive = make(tmp_path / "evil", {name: b"evil"})

    with pytest.raises(ArchiveError, match="leads out of the folder"):
        extract(archive, target, choose=lambda member: None)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["evil", "target"]


@given(name=st.text(st.sampled_from("./\\aC:"), min_size=1, max_size=12))
def test_no_name_writes_outside_the_target(name: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    home = tmp_path_factory.mktemp("home")
    (home / "target").mkdir()
    archive = make_tar(home / "any.tar", {f"{name}.jpg": b"x"}, "w")

    try:
        extract(archive, home / "target", choose=by_name)
    except ArchiveError:
        assert list((home / "target").iterdir()) == []
    assert sorted(path.name for path in home.iterdir()) == ["any.tar", "target"]


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_in_a_tar_are_refused(kind: bytes, tmp_path: Path, target: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        info = tarfile.TarInfo("1.jpg")
        info.type, info.linkname = kind, "/etc/passwd"
        archive.addfile(info)

    with pytest.raises(ArchiveError, match=r"1\.jpg is a link or a device"):
        extract(tmp_path / "a.tar", target, choose=by_name)
    assert list(target.iterdir()) == []


def test_a_link_in_a_zip_is_refused(tmp_path: Path, target: Path) -> None:
    info = zipfile.ZipInfo("1.jpg")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(info, "/etc/passwd")

    with pytest.raises(ArchiveError, match=r"1\.jpg is a link"):
        extract(tmp_path / "a.zip", target, choose=by_name)


def test_an_encrypted_zip_is_refused(tmp_path: Path, target: Path) -> None:
    path = make_zip(tmp_path / "a.zip", {"1.jpg": b"data"})
    data = bytearray(path.read_bytes())
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)

    with pytest.raises(ArchiveError, match=r"1\.jpg is encrypted"):
        extract(path, target, choose=by_name)


@pytest.mark.parametrize("make", [make_zip, make_tar])
def test_a_bomb_is_refused_before_it_unpacks(make, tmp_path: Path, target: Path) -> None:
    archive = make(tmp_path / "bomb", {f"{i}.jpg": bytes(3_000_000) for i in range(4)})

    with pytest.raises(ArchiveError, match="refused as a bomb"):
        extract(archive, target, choose=by_name, limits=Limits(free_bytes=1 << 20))
    assert list(target.iterdir()) == []


def test_limits_of_count_and_size_are_kept(tmp_path: Path, target: Path) -> None:
    archive = make_zip(tmp_path / "a.zip", {f"{i}.jpg": b"12345" for i in range(4)})

    with pytest.raises(ArchiveError, match="more than 3 files"):
        extract(archive, target, choose=lambda name: None, limits=Limits(files=3))
    with pytest.raises(ArchiveError, match=r"more than 12 bytes, the limit\. Raise max_unpacked_gib"):
        extract(archive, target, choose=lambda name: None, limits=Limits(total_bytes=12))


def test_a_zip_that_lies_about_a_size_is_refused(tmp_path: Path, target: Path) -> None:
    path = make_zip(tmp_path / "a.zip", {"1.jpg": b"x" * 1000})
    data = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        at = data.index(signature) + offset
        data[at : at + 4] = (10).to_bytes(4, "little")
    path.write_bytes(data)

    with pytest.raises(ArchiveError):
        extract(path, target, choose=by_name)


@pytest.mark.parametrize("make", [make_zip, make_tar])
def test_two_members_for_one_name_are_refused_by_both_names(make, tmp_path: Path, target: Path) -> None:
    archive = make(tmp_path / "a", {"left/1.jpg": b"one", "right/1.jpg": b"two"})

    with pytest.raises(ArchiveError, match=r"left/1\.jpg and right/1\.jpg would both become 1\.jpg"):
        extract(archive, target, choose=by_name)


@pytest.mark.parametrize("make", [make_zip, make_tar])
@pytest.mark.parametrize("keep", [0.3, 0.9])
def test_a_truncated_archive_is_an_archive_error(make, keep: float, tmp_path: Path, target: Path) -> None:
    archive = make(tmp_path / "a", {f"{i}.jpg": bytes(range(256)) * 40 * (i + 1) for i in range(5)})
    data = archive.read_bytes()
    archive.write_bytes(data[: int(len(data) * keep)])

    with pytest.raises(ArchiveError, match=r"damaged|truncated"):
        extract(archive, target, choose=by_name)


def test_damaged_bytes_in_a_member_are_found(tmp_path: Path, target: Path) -> None:
    path = make_zip(tmp_path / "a.zip", {"1.jpg": bytes(range(256)) * 100})
    data = bytearray(path.read_bytes())
    data[60:70] = b"\xff" * 10
    path.write_bytes(data)

    with pytest.raises(ArchiveError, match="damaged"):
        extract(path, target, choose=by_name)


def test_what_is_no_archive_is_said_to_be_none(tmp_path: Path, target: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"just words" * 100)

    with pytest.raises(ArchiveError, match=r"a\.zip: is damaged, or is not a zip or tar archive"):
        extract(tmp_path / "a.zip", target, choose=by_name)
    assert not is_archive(tmp_path / "a.zip")


def test_a_full_disk_is_told(tmp_path: Path, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("data_sources.extract._write", full)

    with pytest.raises(ArchiveError, match=r"a\.zip: no room on the disk to unpack it\. Free some space"):
        extract(make_zip(tmp_path / "a.zip", {"1.jpg": b"x"}), target, choose=by_name)


def test_a_folder_is_copied_flat_and_a_clash_is_refused(tmp_path: Path, target: Path) -> None:
    for name in ("in/a/1.jpg", "in/b/2.jpg", "in/b/notes.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)

    taken = copy_folder(tmp_path / "in", target, choose=by_name)

    assert (taken.names, taken.left_out) == (["1.jpg", "2.jpg"], 1)
    (tmp_path / "in/b/1.jpg").touch()
    with pytest.raises(ArchiveError, match=r"a/1\.jpg and b/1\.jpg would both become 1\.jpg"):
        copy_folder(tmp_path / "in", target, choose=by_name)


def test_names_that_differ_in_case_alone_are_refused(tmp_path: Path, target: Path) -> None:
    archive = make_zip(tmp_path / "a.zip", {"A.jpg": b"one", "a.jpg": b"two"})

    with pytest.raises(ArchiveError, match=r"A\.jpg and a\.jpg would both become a\.jpg, at least on Windows"):
        extract(archive, target, choose=by_name)


@pytest.mark.parametrize("kind", [stat.S_IFCHR, stat.S_IFIFO, stat.S_IFSOCK])
def test_a_device_in_a_zip_is_refused(kind: int, tmp_path: Path, target: Path) -> None:
    info = zipfile.ZipInfo("1.jpg")
    info.external_attr = (kind | 0o644) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(info, "")

    with pytest.raises(ArchiveError, match=r"1\.jpg is a link or a device"):
        extract(tmp_path / "a.zip", target, choose=by_name)
