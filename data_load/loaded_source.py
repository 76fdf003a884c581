"""One source, read: its COCO document and its image files, whatever format the annotations came in."""

import logging
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path

from coco_source import PlacedDocument, place_documents, read_documents, references
from data_sources.embedded_images import take_embedded
from data_sources.gathering import Gathered, gather
from data_sources.named_images import take_named
from data_sources.origin import origin_of_files
from data_sources.videos import take_frames, unlabelled, with_frames
from fetch_params import FetchParams
from label_formats.coco_document import ImageFiles, to_coco
from label_formats.database import read_query
from label_formats.detection import TITLES, detect, files_of
from label_formats.image_index import IMAGE_SUFFIXES, ImageIndex, flat_names, image_size
from label_formats.labels import Labels
from label_formats.reading import heads, read_labels, read_table
from label_formats.tally import Tally
from sample_scenes.sample import write_scenes
from scenes_url import parse_scenes_url
from sinara_lib.downloads.origin import Origin
from sinara_lib.errors import DataError
from sinara_lib.vision.coco import CocoDataset
from source_params import Format, SourceFields, shown_url

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LoadedSource:
    """What one source gave; `document` is the COCO file as it came, None where one has to be written.

    `images` are files by the flat names that the dataset uses; `tally` counts its objects and what became of them,
    `other_files` files that are neither images nor annotations.
    """

    url: str
    format: str
    dataset: CocoDataset
    images: dict[str, Path]
    origins: dict[str, Origin]
    document: Path | None = None
    tally: Tally = field(default_factory=Tally)
    other_files: int = 0


def load_source(source: SourceFields, params: FetchParams, work: Path, folder: Path) -> LoadedSource:
    """Fetch and read one source into the new `folder`.

    Raises DownloadError, ArchiveError, or DataError when there are no images, or no annotations that can be read.
    """
    if source.is_sample:
        return _sample(source, folder)
    options = params.options_for(source)
    gathered = gather(source, work, folder, options=options, limits=params.limits)
    take_frames(gathered, source.frames, folder)
    take_embedded(gathered, folder, limits=params.limits)
    _ensure_images(source, gathered)
    where = shown_url((source.annotations_urls or source.images_urls)[0])
    if gathered.frames and not (gathered.labels or source.annotations_urls):
        return _loaded(
            gathered, where, "frames of videos, not labelled", unlabelled(gathered, flat_names(gathered.images))
        )
    try:
        format_name = source.format or ("table" if source.is_query else detect(heads(gathered.labels), where=where))
        said = "as the parameters say" if source.format else "detected"
        log.info("%s: %s, %s", where, TITLES[format_name], said)
        _ensure_table(source, format_name)
        if format_name == "coco":
            placed = _coco(source, params, gathered, work)
            _log_left_out(placed.tally, where)
            told = f"{TITLES['coco']}, {said}"
            return _loaded(gathered, where, told, placed.dataset, document=placed.document, tally=placed.tally)
        labels = _labels(source, format_name, gathered)
        if not source.images_urls:
            known = ImageIndex(gathered.images)
            names = [one.name for one in labels.images if one.name and known.find(one.name, beside=one.beside) is None]
            take_named(names, source, gathered, work, options=options)
        return _converted(labels, format_name, gathered, where, said)
    except DataError as error:
        if error.place == where:
            raise
        raise DataError(str(error), place=where) from error


def _ensure_images(source: SourceFields, gathered: Gathered) -> None:
    if source.images_urls and not gathered.images:
        raise DataError(
            f"{shown_url(source.images_urls[0])}: holds no image ({', '.join(sorted(IMAGE_SUFFIXES))}) among "
            f"{gathered.other_files} files. Check images_url."
        )


def _ensure_table(source: SourceFields, format_name: Format) -> None:
    named = source.given_columns.keys() - {"label_studio": {"image"}, "via": {"label"}}.get(format_name, set())
    if format_name != "table" and (named or source.relative_boxes):
        raise DataError(f"columns and relative_boxes belong to a table; this is {TITLES[format_name]}.")


def _coco(source: SourceFields, params: FetchParams, gathered: Gathered, work: Path) -> PlacedDocument:
    """Read COCO documents, whose images get the flat names under which their files are kept."""
    documents = read_documents(gathered, files_of("coco", heads(gathered.labels)))
    if not source.images_urls:
        options = params.options_for(source)
        take_named(references(documents, source, gathered), source, gathered, work, options=options)
    return place_documents(documents, gathered)


def _labels(source: SourceFields, format_name: Format, gathered: Gathered) -> Labels:
    if not source.is_query or source.query is None:
        return read_labels(format_name, source, gathered.labels, gathered.images)
    url = source.annotations_urls[0]
    result = read_query(url, source.query)
    now = datetime.now(timezone.utc)
    gathered.origins["annotations"] = Origin(shown_url(url), result.size, result.sha256, now)
    return read_table(result.table, source, where="the query")


def _converted(labels: Labels, format_name: Format, gathered: Gathered, where: str, said: str) -> LoadedSource:
    flat = flat_names(gathered.images)
    files = ImageFiles(flat, lambda path: image_size(gathered.images[path]), gathered.named)
    dataset, tally = to_coco(labels, files, format_name=TITLES[format_name])
    _log_left_out(tally, where)
    return _loaded(gathered, where, f"{TITLES[format_name]}, {said}", dataset, tally=tally)


def _log_left_out(tally: Tally, where: str) -> None:
    for what, count in tally.left_out.items():
        log.warning("%s: left out: %s %s", where, f"{count:,}", what)


def _loaded(
    gathered: Gathered,
    where: str,
    format_name: str,
    dataset: CocoDataset,
    *,
    document: Path | None = None,
    tally: Tally | None = None,
) -> LoadedSource:
    flat = flat_names(gathered.images)
    told = with_frames(dataset, {flat[path]: fields for path, fields in gathered.frames.items()})
    return LoadedSource(
        url=where,
        format=format_name,
        dataset=told,
        images={flat[path]: file for path, file in gathered.images.items()},
        origins=gathered.origins,
        document=document if told is dataset else None,
        tally=tally or Tally(found=len(dataset.annotations)),
        other_files=gathered.other_files,
    )


def _sample(source: SourceFields, folder: Path) -> LoadedSource:
    request = parse_scenes_url(source.images_urls[0])
    dataset = write_scenes(request, folder)
    images = {path.name: path for path in sorted((folder / "images").iterdir())}
    document = folder / "instances.json"
    origins = {
        "images": origin_of_files(request.url, folder / "images", images.values()),
        "annotations": origin_of_files(request.url, folder, [document]),
    }
    tally = Tally(found=len(dataset.annotations))
    return LoadedSource(request.url, "the built-in sample", dataset, images, origins, document, tally)
