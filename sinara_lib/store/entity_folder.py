"""A local folder as an entity of plain files, and back."""

import os
from pathlib import Path

from sinara_lib.errors import LayoutError
from sinara_lib.parallel import in_threads
from sinara_lib.progress import progress
from sinara_lib.store.entity import EntityReader
from sinara_lib.store.entity_writer import EntityWriter

THREADS = 8
"""Files under way at once: object stores answer each one slowly and all of them fast."""


def plain_files(folder: Path) -> list[Path]:
    """Return the files below a folder, sorted.

    Raises LayoutError for a folder that is not there, and for what an entity of plain files cannot hold: empty folders,
    links to folders, devices. Nothing is left out in silence.
    """
    if not folder.is_dir():
        raise LayoutError(f"{folder} cannot be published: it is no folder.")
    files = []
    for path in sorted(folder.rglob("*")):
        if path != Path(os.fsencode(path).decode(errors="replace")):
            raise LayoutError(f"{os.fsencode(path)!r} cannot be published: its name is not UTF-8. Rename it.")
        if path.is_file():
            files.append(path)
        elif path.is_symlink() or not path.is_dir():
            raise LayoutError(f"{path} cannot be published: it is neither file nor folder. Copy what it stands for.")
        elif not any(path.iterdir()):
            raise LayoutError(
                f"{path} cannot be published: it is empty, and an entity of plain files has files only. Remove it, or "
                "publish with sinara_lib.archive.pack, which keeps empty folders."
            )
    return files


def put_files(writer: EntityWriter, folder: Path) -> None:
    """Copy the files of a folder into an entity, several at once. Raises LayoutError, see `plain_files`."""
    files = plain_files(folder)

    def put(file: Path, _: object) -> None:
        writer.put(file, file.relative_to(folder).as_posix())

    for _ in progress(in_threads(put, files, threads=THREADS), label="publish", total=len(files), unit="file"):
        pass


def fetch_files(reader: EntityReader, folder: Path) -> None:
    """Copy the files of an entity into a folder, several at once, checked."""

    def fetch(name: str, _: object) -> None:
        reader.copy(name, folder / name)

    names = [entry.path for entry in reader.manifest.files]
    for _ in progress(in_threads(fetch, names, threads=THREADS), label="fetch", total=len(names), unit="file"):
        pass
