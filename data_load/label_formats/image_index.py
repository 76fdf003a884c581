"""Which image file is meant: by the name, path or URL under which annotations know it."""

import struct
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from PIL import Image

from sinara_lib.downloads.names import fitting, same_name, url_path
from sinara_lib.errors import DataError
from sinara_lib.vision.exif import upright_size

IMAGE_SUFFIXES = frozenset(
    {
        *(".jpg", ".jpeg", ".jpe", ".jfif", ".jif", ".mpo"),  # one format, whichever a camera or a browser writes
        *(".png", ".bmp", ".webp", ".tif", ".tiff", ".gif"),
    }
)
"""Endings of image files, in lower case: the one list for all of data_load."""
OTHERWISE = "images found under a name that is spelled otherwise"


class ImageIndex:
    """Finds files of one source by the ends of their paths; `named` gives the paths of names that were fetched."""

    def __init__(self, paths: Iterable[str], named: Mapping[str, str] | None = None) -> None:
        self._named = named or {}
        self._by_name: dict[str, list[str]] = {}
        self._by_stem: dict[str, list[str]] = {}
        self._by_form: dict[str, list[str]] = {}
        for path in paths:
            name = PurePosixPath(path)
            self._by_name.setdefault(fitting(name.name), []).append(path)
            self._by_stem.setdefault(same_name(name.stem), []).append(path)
            self._by_form.setdefault(_form(name.name), []).append(path)

    def find(self, name: str, *, beside: str = "") -> str | None:
        """Return the file of this name, which may lack the ending; None when there is none; see `_closest`."""
        if name in self._named:
            return self._named[name]
        wanted = plain_path(name)
        paths = self._by_name.get(fitting(wanted.name), [])
        if not paths and wanted.suffix.lower() not in IMAGE_SUFFIXES:
            paths = self._by_stem.get(same_name(wanted.name), [])
        return _closest(paths, wanted.parts, beside, shown=name)

    def find_stem(self, stem: str, *, beside: str = "") -> str | None:
        """Return the file of this path without suffix, None when there is none; see `_closest`."""
        wanted = PurePosixPath(stem)
        return _closest(self._by_stem.get(same_name(wanted.name), []), wanted.parts, beside, shown=stem)

    def find_twin(self, name: str) -> str | None:
        """Return the one file whose name differs in spelling only: in Unicode form, case or percent form."""
        found = self._by_form.get(_form(plain_path(name).name), [])
        return found[0] if len(found) == 1 else None


def is_spelled_otherwise(name: str, file: str) -> bool:
    """Return whether a file has a name's letters in another Unicode form, case or percent form."""
    wanted, found = plain_path(name).name, PurePosixPath(file).name
    return wanted != found and _form(wanted) == _form(found)


def _form(name: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", unquote(name)).casefold())


def plain_path(name: str) -> PurePosixPath:
    """Return the path in a name that may be a URL or a path of Windows."""
    if "://" in name:
        name = url_path(name)
    return PurePosixPath(name.replace("\\", "/"))


def flat_names(paths: Iterable[str]) -> dict[str, str]:
    """Return a file name for each path: its own, or, where another path has the same in any case, the whole path.

    Names that differ by Unicode's form alone are the same to some disks; none is longer than every disk takes.
    """
    paths = sorted(paths)
    own = Counter(_folded(PurePosixPath(path).name) for path in paths)
    names: dict[str, str] = {}
    taken = {name for name, count in own.items() if count == 1}
    for path in paths:
        pure = PurePosixPath(path)
        name = fitting(pure.name)
        if own[_folded(pure.name)] > 1:
            long, number = "__".join(part for part in pure.parts if part not in {"/", "."}), 1
            name = fitting(long)
            while _folded(name) in taken:
                number += 1
                name = fitting(f"{PurePosixPath(long).stem}__{number}{pure.suffix}")
            taken.add(_folded(name))
        names[path] = name
    return names


def _folded(name: str) -> str:
    return same_name(name).casefold()


def _closest(paths: list[str], wanted: tuple[str, ...], beside: str, *, shown: str) -> str | None:
    """Of files with the right name the one whose folders agree most.

    First folders that end as the wanted ones do count, then those shared with the file that names the image.
    Raises DataError when two agree equally.
    """
    if len(paths) < 2:
        return paths[0] if paths else None

    def agreement(path: str) -> tuple[int, int]:
        folders = PurePosixPath(path).parts[:-1]
        return (
            _shared(folders[::-1], wanted[:-1][::-1]),
            _shared(folders, PurePosixPath(beside).parts[:-1]),
        )

    best = max(map(agreement, paths))
    chosen = [path for path in paths if agreement(path) == best]
    if len(chosen) > 1:
        raise DataError(
            f"{beside or 'The annotations'}: the image {shown} may be any of {', '.join(sorted(chosen)[:3])}. "
            f"Give the files different names, or name their folders in the annotations."
        )
    return chosen[0]


def _shared(left: tuple[str, ...], right: tuple[str, ...]) -> int:
    """Return how many parts agree before the first that differs."""
    count = 0
    for one, other in zip(left, right, strict=False):
        if one != other:
            break
        count += 1
    return count


def image_size(path: Path) -> tuple[int, int] | None:
    """Return width and height in pixels; None where the file is not an image that can be read."""
    try:
        with Image.open(path) as image:
            return upright_size(image)
    # Damaged headers make Pillow's readers raise more than they document.
    except (
        OSError,
        ValueError,
        SyntaxError,
        IndexError,
        KeyError,
        TypeError,
        EOFError,
        struct.error,
        Image.DecompressionBombError,
    ):
        return None
