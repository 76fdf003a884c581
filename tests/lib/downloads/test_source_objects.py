"""Objects of a real S3 server come with the same promises as files on the web."""

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import s3fs

from download_cases import BODY, SHA256, Patience, obtain
from sinara_lib.errors import DownloadError
from tests.s3_server import S3Server, start_s3_server

OTHER = BODY[::-1]


@pytest.fixture(scope="module")
def objects() -> Iterator[S3Server]:
    """A server with a bucket `data`."""
    with start_s3_server() as running:
        running.make_bucket("data")
        yield running


@pytest.fixture
def bucket(
    objects: S3Server, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> s3fs.S3FileSystem:
    """The bucket, reached by the variables that the cloud's own tools read; small parts, and a cache of this test."""
    monkeypatch.setenv("SINARA_CACHE", str(tmp_path_factory.mktemp("cache")))
    for name, value in (
        ("ENDPOINT_URL", objects.endpoint),
        ("ACCESS_KEY_ID", objects.key),
        ("SECRET_ACCESS_KEY", objects.secret),
    ):
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.setattr("sinara_lib.downloads.partial.SEGMENT", 100_000)
    monkeypatch.setattr("sinara_lib.downloads.objects.BLOCK", 60_000)
    s3fs.S3FileSystem.clear_instance_cache()
    return s3fs.S3FileSystem()


class Reads:
    """Notes what is read, and does something before the read of a given number."""

    def __init__(self, bucket: s3fs.S3FileSystem, monkeypatch: pytest.MonkeyPatch) -> None:
        self.spans: list[tuple[int, int]] = []
        self.before: dict[int, Callable[[], None]] = {}
        read = bucket.cat_file

        def cat_file(path: str, start: int, end: int) -> bytes:
            self.spans.append((start, end))
            self.before.pop(len(self.spans), lambda: None)()
            return bytes(read(path, start=start, end=end))

        monkeypatch.setattr(bucket, "cat_file", cat_file)

    @property
    def bytes(self) -> int:
        return sum(end - start for start, end in self.spans)


def test_an_object_comes_in_parts_is_checked_and_then_taken_from_the_cache(
    bucket: s3fs.S3FileSystem, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket.pipe_file("data/a.zip", BODY)
    reads = Reads(bucket, monkeypatch)

    first = obtain("s3://data/a.zip", tmp_path / "first", connections=3)
    second = obtain("s3://data/a.zip", tmp_path / "second")

    assert (first.path.read_bytes(), first.path.name) == (BODY, "a.zip")
    assert (first.origin.checked, first.origin.url) == ("the ETag of S3", "s3://data/a.zip")
    assert first.origin.etag == f'"{hashlib.md5(BODY, usedforsecurity=False).hexdigest()}"'
    assert first.origin.last_modified.endswith(" GMT")
    assert second.origin.note == "from the cache, unchanged on the server"
    assert reads.bytes == len(BODY)
    bucket.pipe_file("data/a.zip", OTHER)
    assert obtain("s3://data/a.zip", tmp_path / "third").path.read_bytes() == OTHER


def test_what_broke_off_goes_on_in_the_next_run(
    bucket: s3fs.S3FileSystem, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket.pipe_file("data/b.zip", BODY)
    reads = Reads(bucket, monkeypatch)

    def fail() -> None:
        raise OSError("connection lost")

    reads.before = {8: fail, 9: fail}
    with pytest.raises(DownloadError, match=r"s3://data/b\.zip: gave up after 2 attempts .*connection lost"):
        obtain("s3://data/b.zip", tmp_path / "first", connections=1, retry=Patience(attempts=2).policy)
    assert obtain("s3://data/b.zip", tmp_path / "second", connections=1).origin.sha256 == SHA256
    assert reads.bytes <= len(BODY) + 3 * 60_000


def test_an_object_that_changes_while_it_is_read_is_read_anew(
    bucket: s3fs.S3FileSystem, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket.pipe_file("data/c.zip", BODY)
    Reads(bucket, monkeypatch).before = {5: lambda: bucket.pipe_file("data/c.zip", OTHER)}

    assert obtain("s3://data/c.zip", tmp_path, connections=2).path.read_bytes() == OTHER


def test_everything_below_a_prefix_becomes_a_folder(bucket: s3fs.S3FileSystem, tmp_path: Path) -> None:
    bucket.pipe({"data/photos/1.jpg": b"one", "data/photos/deep/2.jpg": b"two", "data/photos2/3.jpg": b"three"})

    source = obtain("s3://data/photos/", tmp_path)

    found = {path.relative_to(source.path).as_posix(): path.read_bytes() for path in source.path.rglob("*.jpg")}
    assert found == {"1.jpg": b"one", "deep/2.jpg": b"two"}
    assert (source.origin.url, source.origin.size) == ("s3://data/photos/", 6)
    with pytest.raises(DownloadError, match="there is no object below it"):
        obtain("s3://data/nothing/", tmp_path)


@pytest.mark.parametrize(
    ("url", "change", "words"),
    [
        ("s3://data/gone.zip", {}, r"there is no such object\. Correct the URL"),
        ("s3://nobody/gone.zip", {}, r"Correct the URL"),
        ("s3://data/d.zip", {"AWS_SECRET_ACCESS_KEY": "wrong"}, "access is refused .* Check the credentials"),
        ("s3://data/d.zip", {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, "gave up after 2 attempts"),
    ],
)
def test_what_cannot_be_had_is_told_with_its_remedy(
    url: str,
    change: dict[str, str],
    words: str,
    bucket: s3fs.S3FileSystem,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bucket.pipe_file("data/d.zip", BODY)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    for name, value in change.items():
        monkeypatch.setenv(name, value)
    s3fs.S3FileSystem.clear_instance_cache()

    with pytest.raises(DownloadError, match=words) as caught:
        obtain(url, tmp_path, retry=Patience(attempts=2).policy)
    assert url in str(caught.value)


def test_a_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(url: str) -> None:
        raise ImportError("Please install gcsfs to access Google Storage")

    monkeypatch.setattr("fsspec.core.url_to_fs", absent)

    with pytest.raises(DownloadError, match=r"gs://data/a\.zip: gcsfs is not installed\. Run: pip install gcsfs"):
        obtain("gs://data/a.zip", tmp_path)
