"""Packing and unpacking take a bounded amount of memory, also with the most threads and a file much larger than it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

MOST_BYTES = 500_000_000
CODE = """
import sys
from pathlib import Path
from sinara_lib.archive import unpacking as archive_unpacking
from sinara_lib.archive import writer as archive_writer
from sinara_lib.archive import pack, unpack
from sinara_lib.parallel import MOST_THREADS
for module in (archive_unpacking, archive_writer):
    module.thread_count = lambda: MOST_THREADS
{"pack": pack, "unpack": unpack}[sys.argv[1]](sys.argv[2], sys.argv[3])
# Linux counts the parent's memory into a child's ru_maxrss; VmHWM starts anew.
print(int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) * 1024)
"""


@pytest.mark.parametrize("root", ["file"], indirect=True)
def test_600_megabytes_are_packed_and_unpacked_in_less_than_500(url: str, tmp_path: Path) -> None:
    source, target = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    block = os.urandom(1 << 20)
    with (source / "large.bin").open("wb") as file:
        for number in range(600):
            file.write(number.to_bytes(8, "big") + block[8:])
    assert _peak("pack", source, url) < MOST_BYTES
    assert _peak("unpack", url, target) < MOST_BYTES
    assert _same(source / "large.bin", target / "large.bin")


def _peak(way: str, source: Path | str, target: Path | str) -> int:
    command = [sys.executable, "-c", CODE, way, str(source), str(target)]
    return int(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


def _same(one: Path, other: Path) -> bool:
    with one.open("rb") as first, other.open("rb") as second:
        while data := first.read(1 << 20):
            if second.read(1 << 20) != data:
                return False
        return not second.read(1)
