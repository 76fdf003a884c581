"""Finds pickles, which execute what they hold when they are loaded, in files and in the zips inside them."""

import io
import pickletools
import zipfile
from collections.abc import Iterator


def find_pickles(name: str, data: bytes) -> Iterator[str]:
    """Yield the name of the file, or of members at any depth, that is a pickle from its first byte to its last."""
    if zipfile.is_zipfile(io.BytesIO(data)):
        with zipfile.ZipFile(io.BytesIO(data)) as zipped:
            for member in zipped.namelist():
                yield from find_pickles(f"{name}/{member}", zipped.read(member))
    elif is_pickle(data):
        yield name


def is_pickle(data: bytes) -> bool:
    """Tell whether the bytes are one whole pickle, of any protocol."""
    stream = io.BytesIO(data)
    try:
        for _ in pickletools.genops(stream):
            pass
    except Exception:  # whatever it stumbles over, these bytes are not a pickle
        return False
    return stream.tell() == len(data)
