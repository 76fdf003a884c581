"""Downloads arrive whole or not at all, and say why not."""

import gzip
import os
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import requests

from download_cases import BODY, SHA256, Patience, obtain
from faulty_server import FaultyServer, chunked, cut, ignores_range, status, whole
from sinara_lib.downloads import download, transfer
from sinara_lib.downloads.names import file_name
from sinara_lib.downloads.transfer import refuse_downgrade
from sinara_lib.errors import DownloadError
from sinara_lib.urls import without_credentials


def test_a_download_arrives_with_its_checksum_and_origin(server: FaultyServer, tmp_path: Path) -> None:
    url = server.serve("/a/data.zip", whole(BODY))

    source = obtain(url, tmp_path, sha256=SHA256)

    assert source.path.read_bytes() == BODY
    origin = source.origin
    assert (source.path.name, origin.size, origin.sha256, origin.etag) == ("data.zip", len(BODY), SHA256, '"v1"')
    assert origin.fetched.utcoffset() is not None


def test_a_broken_connection_is_resumed_where_it_broke(server: FaultyServer, tmp_path: Path) -> None:
    url = server.serve("/data.zip", cut(BODY, sent=300_000), cut(BODY, sent=200_000), whole(BODY))
    patience = Patience(attempts=2)

    source = obtain(url, tmp_path, retry=patience.policy)

    assert source.origin.sha256 == SHA256
    starts = [int(headers.get("Range", "bytes=0-")[6:].partition("-")[0]) for headers in server.asked]
    assert len(starts) == 3
    assert 0 == starts[0] < 200_000 < starts[1] <= 300_000 < starts[2]


def test_progress_renews_the_attempts(server: FaultyServer, tmp_path: Path) -> None:
    url = server.serve("/data.zip", *[cut(BODY, sent=150_000)] * 4, whole(BODY))
    patience = Patience(attempts=2)

    assert obtain(url, tmp_path, retry=patience.policy).origin.sha256 == SHA256
    assert patience.pauses == [1.0] * 4


def test_a_file_that_changed_on_the_server_is_not_glued_together(server: FaultyServer, tmp_path: Path) -> None:
    other = BODY[::-1]
    url = server.serve("/data.zip", cut(BODY, sent=300_000), ignores_range(other, etag='"v2"'))

    source = obtain(url, tmp_path, retry=Patience().policy)

    assert source.path.read_bytes() == other
    assert server.asked[1]["If-Range"] == '"v1"'


def test_a_body_without_its_length_is_whole_or_resumed(server: FaultyServer, tmp_path: Path) -> None:
    url = server.serve("/data.zip", chunked(BODY))
    assert obtain(url, tmp_path / "whole").origin.sha256 == SHA256
    url = server.serve("/other.zip", chunked(BODY, sent=300_000), whole(BODY))
    assert obtain(url, tmp_path / "broken").origin.sha256 == SHA256
    assert int(server.asked[-1]["Range"][6:].partition("-")[0]) > 200_000


def test_a_body_that_is_compressed_all_the_same_is_unpacked(server: FaultyServer, tmp_path: Path) -> None:
    page = b'{"images": []}' * 40_000
    answer = whole(gzip.compress(page), headers={"Content-Encoding": "gzip", "Digest": "md5=AAAAAAAAAAAAAAAAAAAAAA=="})
    url = server.serve("/labels.json", answer)

    assert obtain(url, tmp_path / "first", connections=4).path.read_bytes() == page
    assert obtain(url, tmp_path / "second").origin.note == "from the cache, unchanged on the server"
    broken = whole(gzip.compress(page), headers={"Content-Encoding": "gzip"}, sent=300)
    url = server.serve("/other.json", broken, answer)
    assert obtain(url, tmp_path / "third").path.read_bytes() == page


def test_a_compressed_body_that_unpacks_to_far_more_than_it_is_ends_the_download(
    server: FaultyServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfer, "FREE_BYTES", 1_000_000)
    encoded = {"Content-Encoding": "gzip"}
    bomb = server.serve("/bomb.json", whole(gzip.compress(bytes(30_000_000)), headers=encoded))
    with pytest.raises(DownloadError, match=r"bomb\.json: [\d,]+ bytes unpack to more than 200 times as much"):
        obtain(bomb, tmp_path / "bomb", connections=1)
    assert sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file()) < 25_000_000
    page = (f'{{"id": {number}}}' for number in range(200_000))
    text = "".join(page).encode()
    url = server.serve("/labels.json", whole(gzip.compress(text), headers=encoded))
    assert obtain(url, tmp_path / "page").path.read_bytes() == text


def test_without_a_version_mark_a_download_starts_again(server: FaultyServer, tmp_path: Path) -> None:
    url = server.serve("/data.zip", cut(BODY, sent=300_000, etag=None), whole(BODY, etag=None))

    assert obtain(url, tmp_path, retry=Patience().policy).origin.sha256 == SHA256
    assert all("Range" not in headers for headers in server.asked)


def test_a_refused_range_starts_again(server: FaultyServer, tmp_path: Path) -> None:
    url = server.serve("/data.zip", cut(BODY, sent=300_000), status(416), whole(BODY))

    assert obtain(url, tmp_path, retry=Patience().policy).origin.sha256 == SHA256


def test_a_body_that_stays_truncated_is_an_error_that_counts_bytes(server: FaultyServer, tmp_path: Path) -> None:
    url = server.serve("/data.zip", cut(BODY, sent=300_000), cut(BODY, sent=0))

    with pytest.raises(DownloadError, match=r"gave up after 3 attempts without progress, with \d+,\d+ bytes received"):
        obtain(url, tmp_path, retry=Patience().policy)
    assert list(tmp_path.rglob("data.zip")) == []


def test_503_is_tried_again_after_the_time_the_server_asks_for(server: FaultyServer, tmp_path: Path) -> None:
    url = server.serve("/data.zip", status(503, headers={"Retry-After": "97"}), status(500), whole(BODY))
    patience = Patience()

    assert obtain(url, tmp_path, retry=patience.policy).origin.sha256 == SHA256
    assert patience.pauses == [97.0, 2.0]


def test_a_connection_that_stays_silent_is_given_up_and_resumed(server: FaultyServer, tmp_path: Path) -> None:
    silence = threading.Event()
    url = server.serve("/data.zip", whole(BODY, sent=300_000, stall=silence), whole(BODY))
    try:
        assert obtain(url, tmp_path, retry=Patience(timeout=0.3).policy).origin.sha256 == SHA256
    finally:
        silence.set()
    assert 200_000 < int(server.asked[1]["Range"][6:].partition("-")[0]) <= 300_000


def test_a_server_that_says_too_large_a_length_is_not_believed(server: FaultyServer, tmp_path: Path) -> None:
    url = server.serve("/data.zip", status(200, body=BODY, headers={"Content-Length": "700001"}))

    with pytest.raises(DownloadError, match=r"with 6\d\d,\d{3} bytes received: .*IncompleteRead"):
        obtain(url, tmp_path)


def test_404_is_not_tried_again(server: FaultyServer, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match=r"/gone\.zip: the server answered 404 Not Found\. Check that the address"):
        obtain(f"{server.url}/gone.zip", tmp_path, retry=Patience().policy)
    assert len(server.asked) == 1


def test_a_web_page_with_status_200_is_recognised_by_its_content(server: FaultyServer, tmp_path: Path) -> None:
    page = b"\n<!DOCTYPE html><html><head><title>Please &amp; log in</title></head></html>"
    url = server.serve("/data.zip", whole(page))

    with pytest.raises(DownloadError, match=r"found a web page \('Please & log in', 76 bytes\), not a data file"):
        obtain(url, tmp_path)


def test_redirects_are_followed_and_endless_ones_end(server: FaultyServer, tmp_path: Path) -> None:
    server.serve("/new/data.zip", whole(BODY))
    url = server.serve("/old.zip", status(302, headers={"Location": "/new/data.zip"}))
    loop = server.serve("/loop.zip", status(302, headers={"Location": "/loop.zip"}))

    assert obtain(url, tmp_path).origin.sha256 == SHA256
    with pytest.raises(DownloadError, match=r"loop\.zip: cannot be fetched: .*redirects"):
        obtain(loop, tmp_path)


def test_progress_shows_size_and_rate_on_a_terminal(
    server: FaultyServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SINARA_PROGRESS", "1")
    obtain(server.serve("/data.zip", cut(BODY, sent=300_000), whole(BODY)), tmp_path)

    told = capsys.readouterr().err
    assert "data.zip" in told
    assert "0.00/700k" in told
    assert "B/s]" in told


def test_progress_is_told_in_lines_without_a_terminal(
    server: FaultyServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("SINARA_PROGRESS", "0")
    monkeypatch.setattr(download, "TELL_SECONDS", 0.0)
    with caplog.at_level("INFO"):
        obtain(server.serve("/data.zip", whole(BODY)), tmp_path)

    assert re.search(r"/data\.zip: 0 of 1 MB, \d+ s left, \d+\.\d MB/s", caplog.text)


def test_nobody_is_led_from_https_to_http() -> None:
    answers = [requests.Response() for _ in range(3)]
    for answer, url in zip(answers, ["https://host/a?sig=secret", "http://other/a", "https://host/b"], strict=True):
        answer.url = url
    answers[1].history = answers[:1]
    with pytest.raises(DownloadError, match=r"https://host/a: leads from https to http://other/a, where anybody"):
        refuse_downgrade(answers[1])
    answers[2].history = answers[1:2]
    refuse_downgrade(answers[2])


def test_a_wrong_checksum_names_both(server: FaultyServer, tmp_path: Path) -> None:
    url = server.serve("/data.zip", whole(BODY))

    with pytest.raises(DownloadError, match=rf"sha256 should be {'0' * 64}, found {SHA256} \(700,000 bytes\)"):
        obtain(url, tmp_path, sha256="0" * 64)


@pytest.mark.parametrize("suffix", [SHA256[:8], SHA256])
def test_the_checksum_in_a_checkpoints_name_is_checked(server: FaultyServer, tmp_path: Path, suffix: str) -> None:
    right = server.serve(f"/yolox_s_8x8_300e_coco_20211121_095711-{suffix}.pth", whole(BODY))
    wrong = server.serve("/yolox_s_8x8_300e_coco_20211121_095711-4592a793.pth", whole(BODY))

    assert obtain(right, tmp_path).origin.sha256 == SHA256
    with pytest.raises(DownloadError, match=rf"should start with 4592a793, found {SHA256}"):
        obtain(wrong, tmp_path)


def test_a_date_in_a_name_is_not_taken_for_a_checksum(tmp_path: Path) -> None:
    (tmp_path / "model-20240131.pth").write_bytes(BODY)

    assert obtain(str(tmp_path / "model-20240131.pth"), tmp_path).origin.sha256 == SHA256


def test_a_server_that_is_down_is_named(tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match=r"http://127\.0\.0\.1:9/data\.zip: gave up after 3 attempts.*refused"):
        obtain("http://127.0.0.1:9/data.zip", tmp_path, retry=Patience().policy)


def test_a_full_disk_is_told_before_the_download(
    server: FaultyServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = server.serve("/data.zip", whole(BODY))
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(download.shutil, "disk_usage", lambda path: usage._replace(free=1000))

    with pytest.raises(DownloadError, match=r"no room on the disk: 700,000 bytes are needed, 1,000 are free in "):
        obtain(url, tmp_path)


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.zip").touch()

    with pytest.raises(DownloadError, match="the file is empty"):
        obtain(str(tmp_path / "empty.zip"), tmp_path)


@pytest.mark.parametrize("form", ["path", "url"])
def test_a_local_file_is_used_where_it_lies(tmp_path: Path, form: str) -> None:
    path = tmp_path / "some data.zip"
    path.write_bytes(BODY)
    target = tmp_path / "target"
    target.mkdir()

    source = obtain(str(path) if form == "path" else path.as_uri(), target)

    assert (source.path, source.origin.sha256) == (path, SHA256)
    assert list(target.rglob("*.zip")) == []


def test_a_missing_local_file_names_its_path(tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match=r"no file or folder .*nothing\.zip"):
        obtain(str(tmp_path / "nothing.zip"), tmp_path)


def test_an_unsupported_scheme_names_what_is_supported(tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match=r"cannot read from ftp://\. Give an http\(s\), s3, gs or file: URL"):
        obtain("ftp://example.org/data.zip", tmp_path)


def test_passwords_and_signatures_are_never_shown(server: FaultyServer, tmp_path: Path) -> None:
    assert without_credentials("https://me:secret@example.org/a.zip?sig=secret") == "https://example.org/a.zip"
    with pytest.raises(DownloadError) as caught:
        obtain(f"{server.url}/gone.zip?sig=secret", tmp_path)
    assert "secret" not in str(caught.value)


def test_file_names_from_urls_are_safe() -> None:
    assert file_name("http://h/a/b%20c.zip?x=1") == "b c.zip"
    assert file_name("http://h/..%2F..%2Fetc%2Fpasswd") == "passwd"
    assert file_name("http://h/") == "download"
    assert file_name("http://h/a/..") == "download"


def test_the_room_is_there_without_requests_which_is_named_where_it_is_needed(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['requests'] = None\n"
        "from pathlib import Path\n"
        "from sinara_lib.downloads.fetching import bring\n"
        "from sinara_lib.downloads.options import FetchOptions\n"
        "bring('http://127.0.0.1:9/a.zip', Path('a.zip'), promised='', options=FetchOptions())"
    )
    environ = os.environ | {"SINARA_CACHE": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environ, cwd=tmp_path)
    assert done.stderr.splitlines()[-1].endswith(
        "DownloadError: http://127.0.0.1:9/a.zip: requests is not installed. Run: pip install requests"
    )
