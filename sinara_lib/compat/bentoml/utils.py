"""SinaraML's `sinara.bentoml.utils`, the name under which its steps import the checksum of a file."""

import hashlib
from pathlib import Path


def compute_md5(file_name: str | Path) -> str:
    """Return the MD5 of a file, which tells whether two are the same and protects from nobody."""
    with Path(file_name).open("rb") as file:
        digest = hashlib.md5(usedforsecurity=False)
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()
