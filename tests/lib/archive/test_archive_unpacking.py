"""Unpacking: all of an archive stands in the folder afterwards, or the folder is what it was."""

import errno
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from folder_contents import contents
from sinara_lib.archive import format as archive_format
from sinara_lib.archive import open_archive, pack, unpack
from sinara_lib.archive import unpacking as archive_unpacking
from sinara_lib.archive.format import check_member, clashing_names
from sinara_lib.errors import ArchiveError
from sinara_lib.store import ArtifactStore


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A folder with files at several depths."""
    for name in ("a", "images/1.jpg", "images/deep/2.jpg", "labels/1.txt"):
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / name).write_text(name)
    return tmp_path / "in"


@pytest.fixture
def packed(source: Path, url: str) -> str:
    """URL of `source` packed."""
    pack(source, url)
    return url


def test_files_join_what_is_in_the_folder_already(packed: str, source: Path, tmp_path: Path) -> None:
    (tmp_path / "out" / "images" / "deep").mkdir(parents=True)
    (tmp_path / "out" / "images" / "mine.jpg").write_text("mine")
    unpack(packed, tmp_path / "out")
    found = contents(tmp_path / "out")
    assert found.pop("images/mine.jpg") is not None
    assert found == contents(source)


@pytest.mark.parametrize("name", ["a", "images/deep/2.jpg", "images/1.jpg/x", "labels"])
def test_nothing_is_overwritten_and_nothing_is_added_when_one_file_is_there(
    packed: str, tmp_path: Path, name: str
) -> None:
    (tmp_path / "out" / name).parent.mkdir(parents=True)
    (tmp_path / "out" / name).write_text("mine")
    before = contents(tmp_path / "out")
    with pytest.raises(ArchiveError, match=r"(is there already|is no folder)\. Unpack into an empty folder"):
        unpack(packed, tmp_path / "out")
    assert contents(tmp_path / "out") == before


def test_a_link_in_the_folder_leads_nothing_out_of_it(packed: str, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out" / "images").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ArchiveError, match=r"images is no folder"):
        unpack(packed, tmp_path / "out")
    assert list((tmp_path / "elsewhere").iterdir()) == []


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_a_full_disk_leaves_the_folder_as_it_was(
    packed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    calls = []

    def fail(file: int, data: Any, at: int) -> int:
        calls.append(at)
        if len(calls) == number:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(file, data, at)

    write, before = os.pwrite, os.listdir(tmp_path)
    monkeypatch.setattr(os, "pwrite", fail)
    with pytest.raises(ArchiveError, match=r"out: No space left on device\. Make room"):
        unpack(packed, tmp_path / "out")
    assert os.listdir(tmp_path) == before


def test_a_disk_that_is_too_small_is_told_before_anything_is_written(
    packed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(100, 90, 10))
    monkeypatch.setattr(archive_unpacking, "_write_files", None)
    with pytest.raises(ArchiveError, match=r"out: \d\d bytes are needed, 10 are free on its disk"):
        unpack(packed, tmp_path / "out")


def _meanwhile(monkeypatch: pytest.MonkeyPatch, make: Callable[[], object]) -> None:
    """Let something be made when all files are written, and not yet in their place."""
    write = archive_unpacking._write_files

    def then_make(*args: Any, **options: Any) -> None:
        write(*args, **options)
        make()

    monkeypatch.setattr(archive_unpacking, "_write_files", then_make)


@pytest.mark.parametrize("name", ["a", "images/1.jpg", "labels/1.txt"])
def test_a_file_made_meanwhile_is_not_overwritten_and_stays_alone(
    packed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    for folder in ("images", "labels"):
        (tmp_path / "out" / folder).mkdir(parents=True)
    _meanwhile(monkeypatch, lambda: (tmp_path / "out" / name).write_text("mine"))
    with pytest.raises(ArchiveError, match=rf"out/{name}: it was made meanwhile"):
        unpack(packed, tmp_path / "out")
    found = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert [path.read_text() for path in found] == ["mine"]
    assert not list((tmp_path / "out").glob(".unpack-*"))


def test_a_folder_made_and_filled_meanwhile_is_left_alone(
    packed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _meanwhile(monkeypatch, lambda: shutil.copytree(tmp_path / "in" / "labels", tmp_path / "out"))
    with pytest.raises(ArchiveError, match=r"out: Directory not empty"):
        unpack(packed, tmp_path / "out")
    assert contents(tmp_path / "out") == contents(tmp_path / "in" / "labels")
    assert not list(tmp_path.glob(".unpack-*"))


def test_a_new_folder_is_seen_with_all_its_files_or_not_at_all(
    packed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[bool] = []
    _meanwhile(monkeypatch, lambda: seen.append((tmp_path / "out").exists()))
    unpack(packed, tmp_path / "out")
    assert seen == [False]
    (tmp_path / "plain").mkdir()
    assert (tmp_path / "out").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_file_where_the_folder_shall_be_is_told_before_anything_is_written(packed: str, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    with pytest.raises(ArchiveError, match=r"out: File exists"):
        unpack(packed, tmp_path / "out")
    assert (tmp_path / "out").read_text() == "a file"


CLASHES = [("Road.jpg", "road.jpg"), ("caf\u00e9.txt", "cafe\u0301.txt"), ("A/1.jpg", "a/2.jpg"), ("x/Big", "x/big")]


@pytest.mark.parametrize(("one", "other"), CLASHES)
def test_names_that_a_file_system_merges_are_refused_there_and_told_when_packed(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, one: str, other: str
) -> None:
    for name in (one, other):
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / name).write_text(name)
    monkeypatch.setattr(archive_format, "ROW_BYTES", 5)  # so that some files are split
    pack(tmp_path / "in", url)
    assert "names that some file systems take for one" in caplog.text
    unpack(url, tmp_path / "apart")
    assert contents(tmp_path / "apart") == contents(tmp_path / "in")
    _merge_names(monkeypatch)
    with pytest.raises(ArchiveError, match=r"this file system takes another name of the archive for the same"):
        unpack(url, tmp_path / "merged")
    assert not (tmp_path / "merged").exists()


def _merge_names(patch: pytest.MonkeyPatch) -> None:
    """Let folders and new files behave as on a disk that ignores case and the form of Unicode."""
    make, create = os.mkdir, os.open
    made: set[str] = set()

    def key(path: Any) -> str:
        return archive_format.unicodedata.normalize("NFC", str(path)).casefold()

    def claim(path: Any) -> None:
        if key(path) in made:
            raise FileExistsError(errno.EEXIST, "File exists", str(path))
        made.add(key(path))

    def mkdir(path: Any, mode: int = 0o777, **options: Any) -> None:
        claim(path)
        make(path, mode, **options)

    def open_file(path: Any, flags: int, mode: int = 0o777, **options: Any) -> int:
        if flags & os.O_EXCL:
            claim(path)
        return create(path, flags, mode, **options)

    patch.setattr(os, "mkdir", mkdir)
    patch.setattr(os, "open", open_file)


def test_names_that_differ_enough_are_no_clash() -> None:
    assert clashing_names(["a/b", "a/c", "ab", "a/B/", "A"]) == [("a/b", "a/B"), ("a", "A")]
    assert clashing_names(["a/b", "a/c", "ab", "c/"]) == []


@pytest.mark.parametrize("name", ["con", "a/NUL.txt", "aux/b", "x/Com1", "lpt9.tar.gz", "prn/"])
def test_names_that_windows_keeps_for_devices_are_refused(name: str) -> None:
    with pytest.raises(ArchiveError, match=r"Windows keeps it for a device"):
        check_member(name)
    longer = name.replace("/", "x/").replace(".", "x.") + "x"
    assert check_member(longer) == longer


@pytest.mark.parametrize("name", ["12:30.jpg", "a/C:x", "...", "..a", "a..", "-rf", " ", "_INDEX"])
def test_odd_but_safe_names_are_taken(name: str) -> None:
    assert check_member(name) == name


def test_a_path_of_more_than_255_bytes_comes_back(url: str, tmp_path: Path) -> None:
    deep = tmp_path / "in" / "/".join(["n" * 100] * 8)
    deep.mkdir(parents=True)
    (deep / ("f" * 255)).write_bytes(b"deep")
    pack(tmp_path / "in", url)
    unpack(url, tmp_path / "out")
    assert contents(tmp_path / "out") == contents(tmp_path / "in")


KILLED = """
import os, sys, time
from sinara_lib.archive import unpack
write = os.pwrite
def slow(file, data, at):
    count = write(file, data[: len(data) // 2 + 1], at)
    print("writing", flush=True)
    time.sleep(0.05)
    return count
os.pwrite = slow
unpack(sys.argv[1], sys.argv[2])
"""


@pytest.mark.parametrize("root", ["file"], indirect=True)
def test_a_killed_unpack_leaves_no_half_file_under_a_final_name(
    store: ArtifactStore, packed: str, tmp_path: Path
) -> None:
    command = [sys.executable, "-c", KILLED, packed, str(tmp_path / "out")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "writing\n"
        time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert not (tmp_path / "out").exists()
    unpack(packed, tmp_path / "out")
    assert (tmp_path / "out" / "images" / "1.jpg").read_text() == "images/1.jpg"


def test_unpacking_twice_into_one_folder_is_refused_and_changes_nothing(packed: str, tmp_path: Path) -> None:
    unpack(packed, tmp_path / "out")
    before = contents(tmp_path / "out")
    with pytest.raises(ArchiveError, match=r"is there already"):
        open_archive(packed).unpack(tmp_path / "out")
    assert contents(tmp_path / "out") == before
