"""Brings images, annotations and a checkpoint from their sources into three folders, ready to be published.

images/: the image files, flat. annotations/: instances.json. weights/: weights.json and the checkpoint. Nothing in them
depends on the time of the run, so that the same data becomes the same entity.
"""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from data_sources.fetch import fetch_source
from data_sources.gathering import DOWNLOADS
from data_sources.origin import write_json
from fetch_params import FetchParams
from file_times import stamp
from loaded_source import LoadedSource, load_source
from merged_documents import LoadedDocument, clashing_names, merge
from sinara_lib.downloads.origin import Origin
from sinara_lib.errors import DataError
from sinara_lib.vision.coco import CocoDataset, load_coco, save_coco
from sinara_lib.vision.model_pages import WEIGHTS_PAGE, WeightsRecord

DOCUMENT = "instances.json"


@dataclass(frozen=True)
class Loaded:
    """The folders of images and annotations, the document, the names of the image files, and what each source gave.

    `missing` are names that the document lists and the images lack.
    """

    images: Path
    annotations: Path
    dataset: CocoDataset
    names: list[str]
    missing: list[str]
    sources: tuple[LoadedSource, ...]

    @property
    def origins(self) -> dict[str, Origin]:
        """Where everything came from, by what it is."""
        if len(self.sources) == 1:
            return dict(self.sources[0].origins)
        return {
            f"source {number}: {what}": origin
            for number, source in enumerate(self.sources, start=1)
            for what, origin in source.origins.items()
        }


@dataclass(frozen=True)
class Weights:
    """The folder with weights.json and the checkpoint; no file and no origin when training starts from scratch."""

    folder: Path
    file_name: str | None = None
    origin: Origin | None = None


def fetch_dataset(params: FetchParams, work: str | Path) -> Loaded:
    """Get the images of all sources into work/images and their one document into work/annotations.

    Raises DownloadError, ArchiveError, or DataError when a source cannot be read, when all its images are missing, or
    when more of its objects were left out than max_left_out allows.
    """
    work = Path(work)
    sources = tuple(
        load_source(source, params, work, work / f"source_{number}")
        for number, source in enumerate(params.all_sources, start=1)
    )
    for source in sources:
        _ensure_images(source, params.max_left_out)
        _ensure_objects(source, params.max_left_out)
    images, annotations = work / "images", work / "annotations"
    images.mkdir()
    annotations.mkdir()
    new_names = _new_names(sources)
    for source, names in zip(sources, new_names, strict=True):
        for name, file in source.images.items():
            file.rename(images / names.get(name, name))
    dataset = _write_document(sources, new_names, annotations / DOCUMENT)
    for number in range(1, len(sources) + 1):
        shutil.rmtree(work / f"source_{number}")
    there = {path.name for path in images.iterdir()}
    missing = sorted({image.file_name for image in dataset.images} - there)
    return Loaded(images, annotations, dataset, sorted(there), missing, sources)


def fetch_weights(params: FetchParams, work: str | Path) -> Weights:
    """Get the checkpoint, if one is asked for, into work/weights. Raises DownloadError."""
    folder = Path(work) / "weights"
    folder.mkdir()
    url = params.weights_url
    if url is None:
        write_json(folder / WEIGHTS_PAGE, WeightsRecord(file_name=None).model_dump())
        return Weights(folder)
    fetched = fetch_source(url, Path(work) / DOWNLOADS, sha256=params.weights_sha256, options=params)
    origin, target = fetched.origin, folder / fetched.path.name
    fetched.copy_to(target)
    page = WeightsRecord(url=origin.url, file_name=target.name, sha256=origin.sha256, bytes=origin.size)
    write_json(folder / WEIGHTS_PAGE, page.model_dump())
    return Weights(folder, target.name, origin)


def _ensure_images(source: LoadedSource, max_left_out: float) -> None:
    """Raise DataError when a source lacks the files of all, or of too many, of the images that its document lists."""
    listed = {image.file_name for image in source.dataset.images}
    absent = sorted(listed - source.images.keys())
    if not absent:
        return
    there = f"images (such as {min(source.images)})" if source.images else "images loaded"
    if len(absent) == len(listed):
        raise DataError(
            f"{source.url}: None of the {len(listed)} images of the annotations (such as {absent[0]}) is among "
            f"the {len(source.images)} {there}. Check that images_url, annotations_url and annotations_member belong "
            f"together."
        )
    if len(absent) > max(1, max_left_out * len(listed)):
        raise DataError(
            f"{source.url}: {len(absent):,} of the {len(listed):,} images of the annotations (such as "
            f"{', '.join(absent[:3])}) are not among the {len(source.images):,} {there}. max_left_out allows "
            f"{max_left_out:g} of them: check images_url, or set max_left_out to 1 to load the others."
        )


def _ensure_objects(source: LoadedSource, max_left_out: float) -> None:
    """Raise DataError when a source holds no image, or too many of its objects were left out."""
    try:
        source.tally.ensure_most_taken(max_left_out)
    except DataError as error:
        raise DataError(f"{source.url}: {error}") from error
    if not source.dataset.images:
        told = "; ".join(f"{count:,} {what}" for what, count in source.tally.notes.items())
        raise DataError(
            f"{source.url}: nothing to load: its annotations ({source.format}) list no image"
            f"{f' but hold {told}' if told else ''}. Check the export, annotations_url and annotations_member."
        )


def _new_names(sources: Sequence[LoadedSource]) -> list[dict[str, str]]:
    listed = [[*source.images, *(image.file_name for image in source.dataset.images)] for source in sources]
    prefixes = _prefixes(sources)
    return clashing_names(list(zip(prefixes, listed, strict=True)))


def _prefixes(sources: Sequence[LoadedSource]) -> list[str]:
    """Return a word for each source: its name without suffix, with its number where two have the same."""
    words = [
        PurePosixPath(source.url.rstrip("/").partition("?")[0]).name.partition(".")[0] or "source" for source in sources
    ]
    return [word if words.count(word) == 1 else f"{word}{number}" for number, word in enumerate(words, start=1)]


def _write_document(sources: Sequence[LoadedSource], new_names: list[dict[str, str]], path: Path) -> CocoDataset:
    """Return one source's document as it came, or where it was converted or merged, a new one."""
    if len(sources) == 1:
        document, dataset = sources[0].document, sources[0].dataset
        if document is not None:
            document.rename(path)
            return dataset
    else:
        dataset = merge([LoadedDocument(source.dataset, source.url) for source in sources], new_names)
    save_coco(dataset, path)
    stamp(path)
    # What is published is what later steps read: nothing that they would refuse leaves here.
    return load_coco(path)
