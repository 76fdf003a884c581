"""The files of one source, taken out of archives and folders: images, and files that may hold annotations.

Files are kept under numbers, beside the path each had in its source: paths tell formats which image is meant, and two
files of one name in different folders do not get in each other's way.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from data_sources.extract import copy_folder, extract, is_archive
from data_sources.fetch import FetchedSource, fetch_source
from data_sources.frames import is_video
from fetch_params import Limits
from label_formats.detection import LABEL_SUFFIXES, is_class_list
from label_formats.image_index import IMAGE_SUFFIXES
from sinara_lib.downloads.options import FetchOptions
from sinara_lib.downloads.origin import Origin
from sinara_lib.errors import DataError
from source_params import SourceFields, shown_url

DOWNLOADS = "sources"


@dataclass(frozen=True)
class Video:
    """A video file, and the URL it came from, with its path in an archive or folder."""

    file: Path
    source: str


@dataclass
class Gathered:
    """Images, videos and label files by their paths in the source, and the origin of each URL by its role.

    `named` gives the path of an image that annotations name by a URL or path of its own. `frames` are the fields of
    images that are frames of videos, `frame_sizes` their width and height;
    `other_files` counts what else lay beside the images.
    """

    images: dict[str, Path] = field(default_factory=dict)
    named: dict[str, str] = field(default_factory=dict)
    videos: dict[str, Video] = field(default_factory=dict)
    frames: dict[str, dict[str, Any]] = field(default_factory=dict)
    frame_sizes: dict[str, tuple[int, int]] = field(default_factory=dict)
    labels: dict[str, Path] = field(default_factory=dict)
    other_files: int = 0
    origins: dict[str, Origin] = field(default_factory=dict)


def gather(source: SourceFields, work: Path, folder: Path, *, options: FetchOptions, limits: Limits) -> Gathered:
    """Fetch a source and put its files into the new `folder`; what was downloaded stays below `work`.

    Raises DownloadError, ArchiveError, or DataError when annotations_member is not there.
    """
    folder.mkdir(parents=True)
    gathered = Gathered()
    annotations = [] if source.is_query else source.annotations_urls
    both = not (source.images_urls and source.annotations_urls)
    for role, urls in (("images", source.images_urls), ("annotations", annotations)):
        for number, url in enumerate(urls, start=1):
            sha256 = source.images_sha256 if role == "images" else source.annotations_sha256
            fetched = fetch_source(url, work / DOWNLOADS, sha256=sha256, options=options)
            name = "images and annotations" if both and not source.is_query else role
            gathered.origins[name if number == 1 else f"{name} {number}"] = fetched.origin
            taking = Taking(gathered, folder, url, prefix=_prefix(urls, number), names_coding=source.names_coding)
            taking.take(fetched, images=both or role == "images", labels=both or role == "annotations", limits=limits)
    if source.annotations_member is not None:
        gathered.labels = _member(gathered.labels, source.annotations_member)
    return gathered


@dataclass
class Taking:
    """One URL's files on their way into the folder; `prefix` stands before their paths where there are several URLs."""

    gathered: Gathered
    folder: Path
    url: str
    prefix: str
    names_coding: str | None = None

    def take(self, fetched: FetchedSource, *, images: bool, labels: bool, limits: Limits) -> None:
        """Take the asked kinds of files out of a fetched folder, archive or single file."""
        taken: dict[str, str] = {}

        def choose(member: str) -> str | None:
            if not ((images and (is_image(member) or _is_video(member))) or (labels and is_label(member))):
                return None
            known = (self.gathered.images, self.gathered.videos, self.gathered.labels, taken)
            name = f"{sum(map(len, known)):08d}"
            taken[name] = member
            return name

        if fetched.path.is_dir():
            left_out = copy_folder(fetched.path, self.folder, choose=choose).left_out
        elif self._is_single(fetched.path, labels=labels):
            left_out = 0
            self._copy(fetched, choose)
        else:
            where = fetched.origin.url
            coding = self.names_coding
            out = extract(fetched.path, self.folder, choose=choose, limits=limits, where=where, names_coding=coding)
            left_out = out.left_out
        if images:
            self.gathered.other_files += left_out
        for name, member in taken.items():
            path = member.replace("\\", "/").removeprefix("./")
            if _is_video(path):
                whole = fetched.path.name == path and not fetched.path.is_dir()
                source = shown_url(self.url) if whole else f"{shown_url(self.url).rstrip('/')}/{path}"
                self.gathered.videos[self.prefix + path] = Video(self.folder / name, source)
                continue
            group = self.gathered.images if is_image(path) else self.gathered.labels
            group[self.prefix + path] = self.folder / name

    def _is_single(self, path: Path, *, labels: bool) -> bool:
        return is_image(path.name) or _is_video(path.name) or (labels and is_label(path.name) and not is_archive(path))

    def _copy(self, fetched: FetchedSource, choose: Callable[[str], str | None]) -> None:
        if (name := choose(fetched.path.name)) is None:
            return
        fetched.copy_to(self.folder / name)


def is_image(member: str) -> bool:
    """Return whether a path names an image; hidden files and the forks that macOS adds are none."""
    return PurePosixPath(member).suffix.lower() in IMAGE_SUFFIXES and not _hidden(member)


def _is_video(member: str) -> bool:
    return is_video(member) and not _hidden(member)


def is_label(member: str) -> bool:
    """Return whether a path names a file that may hold annotations."""
    return PurePosixPath(member).suffix.lower() in LABEL_SUFFIXES and not _hidden(member)


def _hidden(member: str) -> bool:
    return any(
        (part.startswith(".") and part != ".") or part == "__MACOSX" for part in member.replace("\\", "/").split("/")
    )


def _prefix(urls: Sequence[str], number: int) -> str:
    return f"{number}/" if len(urls) > 1 else ""


def _member(labels: dict[str, Path], member: str) -> dict[str, Path]:
    """Return the label files that annotations_member names: one file, or all below a folder.

    A file that names YOLO's classes stands for its text files too, which say nothing without it.
    """
    wanted = member.removeprefix("./").rstrip("/")
    chosen = {path: file for path, file in labels.items() if path == wanted or path.startswith(f"{wanted}/")}
    if wanted in chosen and (is_class_list(wanted) or wanted.lower().endswith((".yaml", ".yml"))):
        chosen |= {path: file for path, file in labels.items() if path.endswith(".txt") and not is_class_list(path)}
    if not chosen:
        listed = ", ".join(sorted(labels)[:20]) or "none"
        raise DataError(f"{member} is not there; annotation files there: {listed}. Correct annotations_member.")
    return chosen
