"""Names of files as text: from URLs in any script, from archives in any coding, no longer than a disk takes. Pure.

>>> file_name("https://host/photos/sp%20ace.jpg?sig=1"), file_name("s3://bucket/per%41cent#1.jpg")
('sp ace.jpg', 'per%41cent#1.jpg')
"""

import hashlib
import re
import unicodedata
from collections.abc import Iterable
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from sinara_lib.urls import OBJECT_STORES, without_credentials

LONGEST = 255
"""Bytes of a file name that every disk takes."""
_UNUSABLE = re.compile(r"[\x00-\x1f\x7f/\\]")
_COMMON_CHINESE = re.compile(rb"(?:[\x00-\x7f]|[\xa1-\xa3\xb0-\xd7][\xa1-\xfe])*")
"""Texts of ASCII and what GB 2312 holds of signs and of its first level: the 3,755 signs that nearly all names use."""


def url_path(url: str) -> str:
    """Return the path of a URL as text; of an object store the bucket and the key as they are, signs included.

    Percent forms are read where they are UTF-8, and kept where they are something else.
    """
    if url.partition("://")[0].lower() in OBJECT_STORES:
        return without_credentials(url).partition("://")[2]
    try:
        return unquote(urlsplit(url).path, errors="strict")
    except UnicodeDecodeError:
        return urlsplit(url).path


def file_name(url: str) -> str:
    """Return the last part of a URL's path as the name of a file on any disk."""
    name = url_path(url).replace("\\", "/").rstrip("/").rpartition("/")[2]
    return fitting(_UNUSABLE.sub("_", name).lstrip(".")) or "download"


def fitting(name: str, most: int = LONGEST) -> str:
    """Return a name of at most so many bytes: a longer one keeps its start and ending, and gets a mark of its own."""
    data = name.encode("utf-8", "surrogateescape")
    if len(data) <= most:
        return name
    suffix = PurePosixPath(name).suffix
    ending = f"~{hashlib.sha256(data).hexdigest()[:16]}{suffix if len(suffix.encode()) <= 16 else ''}"
    return data[: most - len(ending.encode())].decode("utf-8", "ignore") + ending


def same_name(name: str) -> str:
    """Return what two names share that are one to people: composed signs, whichever of Unicode's forms was stored."""
    return fitting(unicodedata.normalize("NFC", name))


def coding_of(names: Iterable[bytes]) -> str:
    """Return how names of an archive are coded that does not say it: UTF-8, GBK where all look so, else cp437.

    What zip's own rules say, cp437, is never wrong by its form; so it is the last.
    """
    together = b"\n".join(names)
    try:
        together.decode("utf-8")
    except UnicodeDecodeError:
        return "gbk" if _COMMON_CHINESE.fullmatch(together) else "cp437"
    return "utf-8"
