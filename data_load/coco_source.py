"""A source of COCO documents: which files its images are, and one document of several."""

import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from data_sources.fetch import is_remote, local_path
from data_sources.gathering import Gathered
from label_formats.coco_reading import CocoFile, read_coco
from label_formats.image_index import OTHERWISE, ImageIndex, flat_names, image_size, is_spelled_otherwise, plain_path
from label_formats.tally import Tally
from merged_documents import LoadedDocument, merge
from sinara_lib.errors import DataError
from sinara_lib.urls import without_credentials
from sinara_lib.vision.coco import CocoDataset, CocoImage
from source_params import SourceFields

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PlacedDocument:
    """A document whose images have the flat names of their files; `document` is the file it came in, where it is that.

    `tally` counts its objects.
    """

    dataset: CocoDataset
    tally: Tally
    document: Path | None


def read_documents(gathered: Gathered, paths: list[str]) -> dict[str, CocoFile]:
    """Read documents by their paths in the source. Raises DataError naming file and place."""
    if not paths:
        raise DataError("holds no COCO document. Check annotations_url and annotations_member.")
    try:
        return {path: read_coco(gathered.labels[path], path) for path in paths}
    except DataError as error:
        raise DataError(f"{error} Check annotations_url and annotations_member.") from error


def references(documents: Mapping[str, CocoFile], source: SourceFields, gathered: Gathered) -> list[str]:
    """Return where images are to be had that are not among the files: a path, or a URL that the record gives."""
    index = ImageIndex(gathered.images)
    base = _folder(source)
    found = []
    for path, document in documents.items():
        for one in document.dataset.images:
            if index.find(one.file_name, beside=path) is not None:
                continue
            here = "://" in one.file_name or (base is not None and (base / one.file_name).is_file())
            found.append(one.file_name if here else _url(one) or one.file_name)
    return found


def place_documents(documents: Mapping[str, CocoFile], gathered: Gathered) -> PlacedDocument:
    """Return one document of all, whose images are named as their files are kept.

    Raises DataError when several documents list the same images, or the files do not tell which image is which.
    """
    placed = {path: _place(path, document, gathered) for path, document in documents.items()}
    if len(placed) == 1:
        return next(iter(placed.values()))
    _refuse_rivals(placed)
    tally = Tally()
    for one in placed.values():
        tally.add(one.tally)
    parts = [LoadedDocument(one.dataset, path) for path, one in placed.items()]
    merged = merge(parts, [{} for _ in parts], mark_images=False)
    return PlacedDocument(merged, tally, None)


def _folder(source: SourceFields) -> Path | None:
    """Return the folder that paths of images start from: that of annotations on this machine."""
    url = source.annotations_urls[0]
    if is_remote(url):
        return None
    path = local_path(url)
    return path if path.is_dir() else path.parent


def _url(image: CocoImage) -> str | None:
    url = image.extra.get("coco_url")
    return url if isinstance(url, str) and "://" in url else None


def _place(path: str, read: CocoFile, gathered: Gathered) -> PlacedDocument:
    flat = flat_names(gathered.images)
    files = _files_of(path, read, gathered)
    tally = read.tally.copy()
    names = {name: flat[file] if file is not None else plain_path(name).name for name, file in files.items()}
    if clashes := sorted(name for name, count in Counter(names.values()).items() if count > 1):
        raise DataError(
            f"{path}: images in different folders have the same name ({', '.join(clashes[:3])}), and the files "
            f"do not tell which is which. Give them different names."
        )
    for name, file in files.items():
        if file is not None and is_spelled_otherwise(name, file):
            tally.note(OTHERWISE)
            tally.examples.setdefault(OTHERWISE, f"{PurePosixPath(file).name} for {name}")
    images = tuple(_image(one, files[one.file_name], names[one.file_name], gathered) for one in read.dataset.images)
    if images == read.dataset.images:
        return PlacedDocument(read.dataset, tally, gathered.labels[path] if read.exact else None)
    changed = [name for name, new in names.items() if name != new]
    if changed:
        log.info(
            "%d image names such as %s became plain file names such as %s", len(changed), changed[0], names[changed[0]]
        )
    return PlacedDocument(replace(read.dataset, images=images), tally, None)


def _files_of(path: str, read: CocoFile, gathered: Gathered) -> dict[str, str | None]:
    """Return the file of each image name: of this name, of the record's URL, or one spelled otherwise that is free."""
    index = ImageIndex(gathered.images, gathered.named)
    files: dict[str, str | None] = {}
    for one in read.dataset.images:
        file = index.find(one.file_name, beside=path)
        if file is None and (url := _url(one)) is not None:
            file = index.find(url, beside=path)
        files[one.file_name] = file
    taken = set(files.values())
    for name, file in files.items():
        if file is None and (twin := index.find_twin(name)) not in taken:
            files[name] = twin
            taken.add(twin)
    return files


def _image(one: CocoImage, file: str | None, name: str, gathered: Gathered) -> CocoImage:
    if not (one.width and one.height) and file is not None and (size := image_size(gathered.images[file])) is not None:
        one = replace(one, width=size[0], height=size[1])
    if "://" in one.file_name and "source" not in one.extra:
        one = replace(one, extra={"source": without_credentials(one.file_name), **one.extra})
    return one if one.file_name == name else replace(one, file_name=name)


def _refuse_rivals(placed: Mapping[str, PlacedDocument]) -> None:
    owners: dict[str, str] = {}
    listed = ", ".join(sorted(placed)[:20])
    told = f"holds several JSON files ({listed}). Name one in annotations_member; together they are read where each"
    for path, one in placed.items():
        if not one.dataset.images:
            raise DataError(f"{told} lists images, and {path} lists none.")
        for image in one.dataset.images:
            if (other := owners.setdefault(image.file_name.casefold(), path)) != path:
                raise DataError(f"{told} lists other images, and {other} and {path} both list {image.file_name}.")
