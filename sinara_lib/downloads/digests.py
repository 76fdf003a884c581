"""Checksums that come with a download: in a checkpoint's name, and in what a server says of the file. Pure."""

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sinara_lib.downloads.names import url_path

READ = 1 << 20
# OpenMMLab and torch hub end a checkpoint's name with the start of its sha256, which may be of digits alone.
NAMED_SHA256 = re.compile(r"-([0-9a-f]{8,64})\.(?:pth|pt)$")
# Others end it with a day, or a day and a time: 20240131, 20240131235959.
DATE = re.compile(r"(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?:[01]\d|2[0-3])?(?:[0-5]\d){0,2}")
MD5_ETAG = re.compile(r'"([0-9a-f]{32})"')
ALGORITHMS = {"sha-256": "sha256", "sha-512": "sha512", "sha": "sha1", "md5": "md5"}
"""Names in digest headers (RFC 9530 and RFC 3230) and what hashlib calls them."""
KEYED = frozenset({"x-amz-server-side-encryption-aws-kms-key-id", "x-amz-server-side-encryption-customer-algorithm"})
"""Where these stand, S3 makes the ETag of something else than the bytes."""


@dataclass(frozen=True)
class Digest:
    """A promise about a file: algorithm of hashlib, hex, and who made it."""

    algorithm: str
    hex: str
    source: str


def named_sha256(url: str) -> str:
    """Return the start of the sha256 that a checkpoint's name ends with; empty for none, or a date in its place."""
    match = NAMED_SHA256.search(url_path(url) if "://" in url else url)
    return match[1] if match and not DATE.fullmatch(match[1]) else ""


def promised_digests(headers: Mapping[str, str]) -> tuple[Digest, ...]:
    """Return what the headers of a whole answer promise about its bytes; `headers` takes names in any case.

    Repr-Digest and Content-Digest (the same thing for a whole body), the older Digest and Content-MD5, x-goog-hash,
    x-amz-checksum-sha256, and the ETag of S3 where it is an MD5.
    """
    found = []
    # Google unpacks what was stored compressed, and still sends the hash of what it stored.
    google = headers.get("x-goog-stored-content-encoding", "identity") == "identity"
    for name in ("Repr-Digest", "Content-Digest", "Digest", *(["x-goog-hash"] if google else [])):
        for part in headers.get(name, "").split(","):
            algorithm, _, value = part.strip().partition("=")
            if algorithm.lower() in ALGORITHMS:
                found.append(_digest(ALGORITHMS[algorithm.lower()], value, name))
    found.append(_digest("md5", headers.get("Content-MD5", ""), "Content-MD5"))
    found.append(_digest("sha256", headers.get("x-amz-checksum-sha256", ""), "x-amz-checksum-sha256"))
    if "x-amz-request-id" in headers and not any(name.lower() in KEYED for name in headers):
        found.append(etag_digest(headers.get("ETag")))
    return tuple(digest for digest in found if digest)


def etag_digest(etag: str | None) -> Digest | None:
    """Return the MD5 that S3 gives as ETag of what was uploaded in one part."""
    match = MD5_ETAG.fullmatch(etag or "")
    return Digest("md5", match[1], "the ETag of S3") if match else None


def file_digests(path: Path, algorithms: set[str]) -> dict[str, str]:
    """Hashes of a file in hex, read once."""
    digests = {name: hashlib.new(name, usedforsecurity=False) for name in algorithms}
    with path.open("rb") as file:
        while block := file.read(READ):
            for digest in digests.values():
                digest.update(block)
    return {name: digest.hexdigest() for name, digest in digests.items()}


def _digest(algorithm: str, value: str, source: str) -> Digest | None:
    """Return a digest from its base64 (between colons in RFC 9530); one of the wrong length promises nothing."""
    try:
        raw = base64.b64decode(value.strip().strip(":"), validate=True)
    except (binascii.Error, ValueError):
        return None
    size = hashlib.new(algorithm, usedforsecurity=False).digest_size
    return Digest(algorithm, raw.hex(), source) if len(raw) == size else None
