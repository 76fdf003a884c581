"""What a notebook wrote into the place of an entity by itself, with `open`, pandas or Spark: made an entity, whole.

Such files lie at the entity's URL, or, where a program took the URL for a path, in a folder `file:` or `s3:` beside the
notebook. They become an entity when the notebook has ended well, and are removed when it has not.
"""

import logging
import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from sinara_lib.layout import EntityAddress, split_entity_url
from sinara_lib.store.artifact_store import ArtifactStore
from sinara_lib.store.entity_folder import put_files
from sinara_lib.store.files import StoreFiles
from sinara_lib.store.local_files import remove_tree
from sinara_lib.store.manifest import SUCCESS_FILE
from sinara_lib.store.work_folders import work_folder

log = logging.getLogger(__name__)


def publish_written(store: ArtifactStore, urls: Iterable[str], *, beside: Path) -> list[str]:
    """Commit what was written into the places `urls`, and return the URLs of those that had anything.

    What is committed already stays; `beside` is the folder that the notebook ran in. Raises LayoutError for what an
    entity of plain files cannot hold, such as empty folders.
    """
    published = []
    for url in urls:
        entity = split_entity_url(url)[1]
        if _is_committed(store, entity):
            continue
        with work_folder("sinara-written-") as work:
            if _take(store, entity, url, beside=beside, to=work / "files"):
                with store.begin(entity) as writer:
                    put_files(writer, work / "files")
                published.append(url)
                log.info("published what the notebook wrote to %s", url)
    return published


def discard_written(store: ArtifactStore, urls: Iterable[str], *, beside: Path) -> None:
    """Remove what was written into the places `urls` and is not committed."""
    for url in urls:
        entity = split_entity_url(url)[1]
        if not _is_committed(store, entity):
            with work_folder("sinara-written-") as work:
                _take(store, entity, url, beside=beside, to=work / "files")


def _take(store: ArtifactStore, entity: EntityAddress, url: str, *, beside: Path, to: Path) -> bool:
    """Move what was written into a place into the folder `to`, without Spark's marks; tell whether there was any."""
    place = _path(store, entity)
    files = StoreFiles(store.fs)
    if files.local and os.path.lexists(place):
        _move(Path(place), to, name=entity.name)
    elif not files.local:
        for name in _names(files, place):
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            store.fs.get_file(f"{place}/{name}", str(to / name))
            files.remove_file(f"{place}/{name}")
    mistaken = beside / url  # a program that knows no URLs makes folders of it: `file:/srv/store/...`
    if os.path.lexists(mistaken):
        _move(mistaken, to, name=entity.name)
        for folder in mistaken.parents:
            if folder == beside or any(folder.iterdir()):
                break
            folder.rmdir()
    if to.is_dir():
        _remove_marks(to)
    return to.is_dir() and any(to.iterdir())


def _names(files: StoreFiles, place: str) -> list[str]:
    """Return the files below a place; some object stores name a folder that was emptied as well, by no name."""
    return [name for name in files.sizes(place) if name]


def _move(source: Path, target: Path, *, name: str) -> None:
    """Move a folder's files below `target`, or a file into it as `name`, over what is there."""
    if source.is_symlink() or not source.is_dir():
        target.mkdir(parents=True, exist_ok=True)
        shutil.move(source, target / name)
        return
    shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True)
    remove_tree(str(source))


def _remove_marks(folder: Path) -> None:
    """Remove Spark's mark and the checksums that it keeps beside its files: the manifest has better ones."""
    for path in [*folder.rglob(".*.crc"), folder / SUCCESS_FILE]:
        named = path.with_name(path.name[1:].removesuffix(".crc"))
        if path.name == SUCCESS_FILE or named.exists() or named.name == SUCCESS_FILE:
            path.unlink(missing_ok=True)


def _is_committed(store: ArtifactStore, entity: EntityAddress) -> bool:
    """Tell whether an entity stands complete; Spark's mark is empty, the store's is not."""
    files = StoreFiles(store.fs)
    if files.local and not os.path.isdir(_path(store, entity)):
        return False
    try:
        return bool(files.read(f"{_path(store, entity)}/{SUCCESS_FILE}").strip())
    except FileNotFoundError:
        return False


def _path(store: ArtifactStore, entity: EntityAddress) -> str:
    return f"{store.root}/{entity.path}"
