"""Brings a COCO dataset and a checkpoint from their URLs into three folders, ready to be published.

images/: the image files, flat. annotations/: instances.json. weights/: weights.json and the checkpoint. Nothing in them
depends on the time of the run, so that the same data becomes the same entity.
"""

import logging
import os
import shutil
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from fetch_params import FetchParams
from sample_scenes import parse_scenes_url, write_scenes
from source_extract import Choice, Extraction, copy_folder, extract, is_archive
from source_fetch import FetchedSource, fetch_source, is_remote
from source_origin import Origin, keep_server_time, origin_of_files, write_json

from sinara_lib.errors import DataError
from sinara_lib.vision.coco import CocoDataset, load_coco, save_coco

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".gif"})
DOCUMENT = "instances.json"
SOURCES = "sources"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Images:
    """The folder of image files, their names, how many other files the source held, and its origin."""

    folder: Path
    names: list[str]
    left_out: int
    origin: Origin


@dataclass(frozen=True)
class Annotations:
    """The folder with the document, the document itself, and its origin."""

    folder: Path
    dataset: CocoDataset
    origin: Origin


@dataclass(frozen=True)
class Weights:
    """The folder with weights.json and the checkpoint; no file and no origin when training starts from scratch."""

    folder: Path
    file_name: str | None = None
    origin: Origin | None = None


def fetch_images(params: FetchParams, work: str | Path) -> Images:
    """Get all images into work/images. Raises DownloadError, ArchiveError, or DataError when there are none."""
    folder = Path(work) / "images"
    if params.is_sample:
        return _draw_sample(params.images_url, Path(work))
    origin, taken = _take(params, params.images_url, folder, sha256=params.images_sha256, choose=_image_name)
    if not taken.names:
        raise DataError(
            f"{origin.url}: holds no image ({', '.join(sorted(IMAGE_SUFFIXES))}) among {taken.left_out} files. "
            f"Check images_url."
        )
    return Images(folder, taken.names, taken.left_out, origin)


def fetch_annotations(params: FetchParams, work: str | Path) -> Annotations:
    """Get the COCO document into work/annotations, after `fetch_images`.

    Raises DownloadError, ArchiveError, or DataError when it is not a COCO document, or when it is not clear which.
    """
    folder = Path(work) / "annotations"
    document = folder / DOCUMENT
    if params.annotations_url is None:
        folder.mkdir()
        shutil.move(Path(work) / "sample" / DOCUMENT, document)
        origin = origin_of_files(parse_scenes_url(params.images_url).url, folder, [document])
    else:
        found: list[str] = []
        choose = _document_choice(params.annotations_member, found)
        origin, taken = _take(
            params, params.annotations_url, folder, sha256=params.annotations_sha256, choose=choose, alone=DOCUMENT
        )
        _ensure_one_document(taken, found, params, where=origin.url)
    return Annotations(folder, _flat_dataset(document, where=origin.url), origin)


def fetch_weights(params: FetchParams, work: str | Path) -> Weights:
    """Get the checkpoint, if one is asked for, into work/weights. Raises DownloadError."""
    folder = Path(work) / "weights"
    folder.mkdir()
    url = params.weights_url
    if url is None:
        write_json(folder / "weights.json", {"url": None, "file_name": None, "sha256": None, "bytes": 0})
        return Weights(folder)
    fetched = fetch_source(url, Path(work) / SOURCES, sha256=params.weights_sha256, options=params.fetch_options)
    origin, target = fetched.origin, folder / fetched.path.name
    shutil.copyfile(fetched.path, target)
    _keep_time(fetched, target)
    page = {"url": origin.url, "file_name": target.name, "sha256": origin.sha256, "bytes": origin.size}
    write_json(folder / "weights.json", page)
    return Weights(folder, target.name, origin)


def missing_images(dataset: CocoDataset, images: Images) -> list[str]:
    """Names that the document lists and the images lack. Raises DataError when all of them are missing."""
    there = set(images.names)
    missing = sorted({image.file_name for image in dataset.images} - there)
    if dataset.images and there.isdisjoint(image.file_name for image in dataset.images):
        raise DataError(
            f"None of the {len(missing)} images of the annotations (such as {missing[0]}) is among the {len(there)} "
            f"images loaded (such as {images.names[0]}). Check that images_url, annotations_url and annotations_member "
            f"belong together."
        )
    return missing


def _take(
    params: FetchParams, url: str, folder: Path, *, sha256: str | None, choose: Choice, alone: str | None = None
) -> tuple[Origin, Extraction]:
    """Fill the new `folder` from an archive or a folder; a file that is neither is taken under the name `alone`."""
    folder.mkdir()
    fetched = fetch_source(url, folder.parent / SOURCES, sha256=sha256, options=params.fetch_options)
    origin = fetched.origin
    if fetched.path.is_dir():
        return origin, copy_folder(fetched.path, folder, choose=choose)
    if alone and not is_archive(fetched.path):
        shutil.copyfile(fetched.path, folder / alone)
        _keep_time(fetched, folder / alone)
        return origin, Extraction([alone], origin.size, 0)
    return origin, extract(fetched.path, folder, choose=choose, limits=params.limits, where=origin.url)


def _keep_time(fetched: FetchedSource, copy: Path) -> None:
    if is_remote(fetched.origin.url):
        keep_server_time(copy, fetched.origin)
    else:
        shutil.copystat(fetched.path, copy)


def _draw_sample(url: str, work: Path) -> Images:
    request = parse_scenes_url(url)
    write_scenes(request, work / "sample")
    folder = (work / "sample" / "images").rename(work / "images")
    return Images(folder, sorted(os.listdir(folder)), 0, origin_of_files(request.url, folder, folder.iterdir()))


def _image_name(member: str) -> str | None:
    """The flat name of an image; hidden files and the forks that macOS adds are not images."""
    path = PurePosixPath(member.replace("\\", "/"))
    hidden = any(part.startswith(".") or part == "__MACOSX" for part in path.parts)
    return path.name if path.suffix.lower() in IMAGE_SUFFIXES and not hidden else None


def _document_choice(member: str | None, found: list[str]) -> Choice:
    """Chooses the document: the named member, or the first JSON; every JSON met is noted in `found`."""

    def choose(name: str) -> str | None:
        if not name.lower().endswith(".json") or "__MACOSX" in name:
            return None
        found.append(name)
        wanted = len(found) == 1 if member is None else name.removeprefix("./") == member.removeprefix("./")
        return DOCUMENT if wanted else None

    return choose


def _ensure_one_document(taken: Extraction, found: list[str], params: FetchParams, *, where: str) -> None:
    listed = ", ".join(sorted(found)[:20]) or "none"
    if not taken.names:
        what = params.annotations_member or "no JSON file"
        raise DataError(f"{where}: {what} is not there; JSON files there: {listed}. Correct annotations_member.")
    if params.annotations_member is None and len(found) > 1:
        raise DataError(f"{where}: holds several JSON files ({listed}). Name one in annotations_member.")


def _flat_dataset(document: Path, *, where: str) -> CocoDataset:
    """The document; where it names images with folders, rewritten to the flat names under which images are kept."""
    try:
        dataset = load_coco(document)
    except DataError as error:
        raise DataError(f"{where}: {error} Check annotations_url and annotations_member.") from error
    names = {image.file_name: PurePosixPath(image.file_name).name for image in dataset.images}
    nested = [name for name, flat in names.items() if name != flat]
    if not nested:
        return dataset
    if clashes := [name for name, count in Counter(names.values()).items() if count > 1]:
        raise DataError(
            f"{where}: images in different folders have the same name ({', '.join(sorted(clashes)[:3])}); "
            f"they are kept in one folder by file name. Give them different names."
        )
    log.info("%d image names such as %s lost their folders in %s", len(nested), nested[0], document.name)
    stamp = document.stat().st_mtime_ns
    flat = replace(dataset, images=tuple(replace(one, file_name=names[one.file_name]) for one in dataset.images))
    save_coco(flat, document)
    os.utime(document, ns=(stamp, stamp))
    return flat
