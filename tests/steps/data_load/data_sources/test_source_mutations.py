"""A thousand archives with random damage: each unpacks, or is refused in words, and writes nothing outside."""

import io
import random
import tarfile
import zipfile
from pathlib import Path, PurePosixPath

from data_sources.extract import extract, is_archive
from fetch_params import Limits
from sinara_lib.errors import ArchiveError

MUTATIONS = 1000
LIMITS = Limits(files=100, total_bytes=1 << 20, free_bytes=1 << 16)
FILES = {"val/1.jpg": b"one" * 200, "val/deep/2.jpg": bytes(range(256)) * 4, "val/notes.txt": b"words"}


def seeds() -> list[bytes]:
    """One small archive of each kind."""
    made = []
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", method) as archive:
            for name, data in FILES.items():
                archive.writestr(name, data)
        made.append(buffer.getvalue())
    for mode in ("w", "w:gz", "w:bz2", "w:xz"):
        for form in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
            buffer = io.BytesIO()
            with tarfile.open(fileobj=buffer, mode=mode, format=form) as archive:
                for name, data in {**FILES, "long/" * 30 + "\u00e9.jpg": b"x"}.items():
                    info = tarfile.TarInfo(name)
                    info.size = len(data)
                    archive.addfile(info, io.BytesIO(data))
            made.append(buffer.getvalue())
    return made


def mutate(data: bytes, rng: random.Random) -> bytes:
    """A few bytes changed, a piece lost, doubled or moved, or the end lost."""
    changed = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        at, size = rng.randrange(len(changed)), rng.randint(1, 64)
        match rng.randrange(6):
            case 0 | 1:
                changed[at] = rng.randrange(256)
            case 2:
                changed[at : at + 4] = rng.choice([b"\xff" * 4, bytes(4), b"\x00\x00\x00\x80"])
            case 3:
                del changed[at : at + size]
            case 4:
                changed[at:at] = changed[at : at + size]
            case 5:
                del changed[rng.randrange(len(changed) // 2, len(changed)) :]
        if not changed:
            return b""
    return bytes(changed)


def test_each_of_a_thousand_damaged_archives_unpacks_or_is_refused_in_words(tmp_path: Path) -> None:
    rng, archives = random.Random(7), seeds()
    path, home = tmp_path / "archive", tmp_path / "home"
    taken, refusals = 0, list[str]()
    for number in range(MUTATIONS):
        path.write_bytes(mutate(archives[number % len(archives)], rng))
        target = home / str(number)
        target.mkdir(parents=True)
        is_archive(path)
        count = 0

        def choose(member: str) -> str | None:
            nonlocal count
            count += 1
            return f"{count:08d}" if PurePosixPath(member).suffix == ".jpg" else None

        try:
            extract(path, target, choose=choose, limits=LIMITS, where="https://host/archive")
            taken += 1
        except ArchiveError as error:
            refusals.append(str(error))
        assert sum(file.stat().st_size for file in target.iterdir()) <= 2 * LIMITS.total_bytes
    assert [words for words in refusals if not words.startswith("https://host/archive: ") or not words.encode()] == []
    assert (len(refusals) > MUTATIONS / 4, taken > 50, len(refusals) + taken) == (True, True, MUTATIONS)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["archive", "home"]
    assert all(one.parent.parent == home for one in home.rglob("*") if one.is_file())
