"""What a server promises of its bytes is kept, and bytes that do not keep it are not taken."""

import base64
import hashlib
from pathlib import Path

import pytest

from download_cases import BODY, SHA256, obtain
from faulty_server import FaultyServer, cut, whole
from sinara_lib.downloads.digests import named_sha256, promised_digests
from sinara_lib.errors import DownloadError


def b64(algorithm: str, data: bytes = BODY) -> str:
    return base64.b64encode(hashlib.new(algorithm, data).digest()).decode()


PROMISES = {
    "Repr-Digest": f"sha-256=:{b64('sha256')}:",
    "Content-Digest": f"sha-512=:{b64('sha512')}:, sha-256=:{b64('sha256')}:",
    "Digest": f"SHA-256={b64('sha256')},md5={b64('md5')}",
    "Content-MD5": b64("md5"),
    "x-goog-hash": f"crc32c=AAAAAA==,md5={b64('md5')}",
    "x-amz-checksum-sha256": b64("sha256"),
}


@pytest.mark.parametrize("name", PROMISES)
def test_a_promise_that_is_kept_is_told(name: str, server: FaultyServer, tmp_path: Path) -> None:
    url = server.serve("/data.zip", whole(BODY, headers={name: PROMISES[name]}))

    assert obtain(url, tmp_path).origin.checked == name


@pytest.mark.parametrize("name", PROMISES)
def test_bytes_that_differ_from_the_promise_are_refused(name: str, server: FaultyServer, tmp_path: Path) -> None:
    url = server.serve("/data.zip", whole(BODY[::-1], headers={name: PROMISES[name]}))

    with pytest.raises(DownloadError, match=f"not those of {name}: .* should be [0-9a-f]+, found [0-9a-f]+"):
        obtain(url, tmp_path)


def test_bytes_that_were_damaged_on_their_way_are_fetched_again(server: FaultyServer, tmp_path: Path) -> None:
    promise = {"Repr-Digest": PROMISES["Repr-Digest"]}
    url = server.serve("/data.zip", whole(BODY[::-1], headers=promise), whole(BODY, headers=promise))

    assert obtain(url, tmp_path).origin.sha256 == SHA256


def test_a_promise_for_the_whole_file_holds_over_a_break(server: FaultyServer, tmp_path: Path) -> None:
    promise = {"Repr-Digest": PROMISES["Repr-Digest"]}
    url = server.serve("/data.zip", whole(BODY, headers=promise, sent=300_000), cut(BODY, sent=200_000), whole(BODY))

    assert obtain(url, tmp_path).origin.checked == "Repr-Digest"


def test_a_given_checksum_counts_more_than_a_wrong_promise(server: FaultyServer, tmp_path: Path) -> None:
    url = server.serve("/data.zip", whole(BODY, headers={"Content-MD5": b64("md5", b"other")}))

    assert obtain(url, tmp_path, sha256=SHA256).origin.sha256 == SHA256


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        ({"ETag": f'"{"ab" * 16}"', "x-amz-request-id": "1"}, [("md5", "ab" * 16)]),
        ({"ETag": f'"{"ab" * 16}-3"', "x-amz-request-id": "1"}, []),
        ({"ETag": f'"{"ab" * 16}"'}, []),
        (
            {
                "ETag": f'"{"ab" * 16}"',
                "x-amz-request-id": "1",
                "x-amz-server-side-encryption-aws-kms-key-id": "k",
            },
            [],
        ),
        ({"Digest": "sha-256=short, unixsum=12, sha-256"}, []),
        ({"Content-MD5": "***"}, []),
        ({"x-goog-hash": f"md5={b64('md5')}", "x-goog-stored-content-encoding": "gzip"}, []),
    ],
)
def test_only_what_is_certainly_a_checksum_is_one(headers: dict[str, str], found: list[tuple[str, str]]) -> None:
    assert [(digest.algorithm, digest.hex) for digest in promised_digests(headers)] == found


@pytest.mark.parametrize(
    ("url", "start"),
    [
        ("https://h/yolox_s_8x8_300e_coco_20211121_095711-4592a793.pth?x=-ffffffff.pth", "4592a793"),
        ("https://h/model-20240131.pth", ""),
        ("/data/model-20240131.pt", ""),
        ("/data/model-2024013a.pt", "2024013a"),
        ("/data/model-abcdef.pth", ""),
        ("/data/images-4592a793.zip", ""),
    ],
)
def test_a_checkpoints_name_may_end_with_a_checksum_and_a_date_is_none(url: str, start: str) -> None:
    assert named_sha256(url) == start
