"""What was downloaded is not downloaded again, what broke off goes on in a later run, and nothing is stale unseen."""

import hashlib
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from download_cases import BODY, SHA256, Patience, obtain
from faulty_server import FaultyServer, cut, ignores_range, status, whole
from sinara_lib.downloads.cache import download_cache
from sinara_lib.errors import DownloadError

STEP = Path(__file__).parents[3] / "data_load"
OTHER = BODY[::-1]
UNCHANGED = "from the cache, unchanged on the server"


def test_a_second_run_asks_and_downloads_nothing(server: FaultyServer, tmp_path: Path) -> None:
    url = server.serve("/data.zip", whole(BODY))
    first = obtain(url, tmp_path / "first")

    second = obtain(url, tmp_path / "second")

    assert second.path.read_bytes() == BODY
    assert (second.origin.sha256, second.origin.fetched) == (SHA256, first.origin.fetched)
    assert (first.origin.note, second.origin.note) == (None, UNCHANGED)
    assert [headers.get("If-None-Match") for headers in server.asked] == [None, '"v1"']


def test_a_second_question_in_one_run_asks_nobody(server: FaultyServer, tmp_path: Path) -> None:
    url = server.serve("/data.zip", whole(BODY))

    assert obtain(url, tmp_path) == obtain(url, tmp_path)
    assert len(server.asked) == 1


def test_a_server_that_knows_no_conditions_is_understood_by_its_etag(server: FaultyServer, tmp_path: Path) -> None:
    url = server.serve("/data.zip", ignores_range(BODY, etag='"v1"'))
    obtain(url, tmp_path / "first")

    assert obtain(url, tmp_path / "second").origin.note == UNCHANGED


def test_a_newer_file_is_downloaded(server: FaultyServer, tmp_path: Path) -> None:
    url = server.serve("/data.zip", whole(BODY), whole(OTHER, etag='"v2"'))
    obtain(url, tmp_path / "first")

    second = obtain(url, tmp_path / "second")

    assert (second.path.read_bytes(), second.origin.note) == (OTHER, None)


def test_without_a_version_mark_every_run_downloads(server: FaultyServer, tmp_path: Path) -> None:
    url = server.serve("/data.zip", whole(BODY, etag=None), whole(OTHER, etag=None))
    obtain(url, tmp_path / "first")

    assert obtain(url, tmp_path / "second").path.read_bytes() == OTHER


def test_with_its_whole_checksum_the_copy_is_used_and_nobody_asked(server: FaultyServer, tmp_path: Path) -> None:
    url = server.serve("/data.zip", whole(BODY), whole(OTHER, etag='"v2"'))
    obtain(url, tmp_path / "first")

    second = obtain(url, tmp_path / "second", sha256=SHA256.upper())

    assert (second.path.read_bytes(), second.origin.note) == (BODY, "from the cache, by its sha256")
    assert len(server.asked) == 1


def test_a_wrong_file_does_not_stay_in_the_cache(server: FaultyServer, tmp_path: Path) -> None:
    url = server.serve("/data.zip", whole(OTHER), whole(BODY))
    with pytest.raises(DownloadError, match="the checksum differs"):
        obtain(url, tmp_path / "first", sha256=SHA256)

    assert obtain(url, tmp_path / "second", sha256=SHA256).origin.sha256 == SHA256


@pytest.mark.parametrize("gone", [status(503), cut(BODY, sent=0)])
def test_without_a_server_the_run_ends_and_tells_how_the_copy_may_be_used(
    gone, server: FaultyServer, tmp_path: Path
) -> None:
    url = server.serve("/data.zip", whole(BODY), status(503))
    obtain(url, tmp_path / "first")

    with pytest.raises(
        DownloadError, match=rf"gave up .* is in the cache: give its sha256 {SHA256} .* when_unreachable to use_cached"
    ):
        obtain(url, tmp_path / "second")
    third = obtain(url, tmp_path / "third", when_unreachable="use_cached")
    assert third.path.read_bytes() == BODY
    assert third.origin.note == "from the cache, perhaps out of date: the server did not answer"


def test_a_server_that_says_the_file_is_gone_is_believed(server: FaultyServer, tmp_path: Path) -> None:
    url = server.serve("/data.zip", whole(BODY), status(404))
    obtain(url, tmp_path / "first")

    with pytest.raises(DownloadError, match="404"):
        obtain(url, tmp_path / "second", when_unreachable="use_cached")


def test_a_checkpoint_with_the_checksum_in_its_name_needs_no_server(server: FaultyServer, tmp_path: Path) -> None:
    url = server.serve(f"/net-{SHA256[:8]}.pth", whole(BODY), status(503))
    obtain(url, tmp_path / "first")

    second = obtain(url, tmp_path / "second")

    assert second.path.read_bytes() == BODY
    assert second.origin.note == "from the cache, by the checksum in its name; the server did not answer"


def test_a_download_that_broke_off_goes_on_in_the_next_run(server: FaultyServer, tmp_path: Path) -> None:
    url = server.serve("/data.zip", cut(BODY, sent=300_000), status(503), status(503), whole(BODY))
    with pytest.raises(DownloadError, match=r"with [23]\d\d,\d{3} bytes received"):
        obtain(url, tmp_path / "first", retry=Patience(attempts=2).policy)

    assert obtain(url, tmp_path / "second").origin.sha256 == SHA256
    assert int(server.asked[-1]["Range"][6:].partition("-")[0]) > 200_000
    (kept,) = download_cache().downloads()
    assert (kept.size, kept.partial) == (len(BODY), 0)


def test_a_newer_file_does_not_go_on_where_the_older_one_broke_off(server: FaultyServer, tmp_path: Path) -> None:
    url = server.serve("/data.zip", cut(BODY, sent=300_000), status(503), whole(OTHER, etag='"v2"'))
    with pytest.raises(DownloadError):
        obtain(url, tmp_path / "first", retry=Patience(attempts=2).policy)

    assert obtain(url, tmp_path / "second").path.read_bytes() == OTHER


def test_a_run_that_was_killed_leaves_what_it_has_to_the_next(server: FaultyServer, tmp_path: Path) -> None:
    silence = threading.Event()
    url = server.serve("/data.zip", whole(BODY, sent=400_000, stall=silence), whole(BODY))
    code = f"from pathlib import Path; import source_fetch; source_fetch.fetch_source({url!r}, Path({str(tmp_path)!r}))"
    killed = subprocess.Popen([sys.executable, "-c", code], cwd=STEP)
    try:
        deadline = time.monotonic() + 60
        while not any(download_cache().folder.rglob("partial.json")) and time.monotonic() < deadline:
            time.sleep(0.05)
    finally:
        killed.kill()
        killed.wait()
        silence.set()

    assert obtain(url, tmp_path / "second").origin.sha256 == SHA256
    assert int(server.asked[-1]["Range"][6:].partition("-")[0]) >= 60_000


def test_a_note_that_makes_no_sense_is_not_believed(server: FaultyServer, tmp_path: Path) -> None:
    url = server.serve("/data.zip", whole(BODY))
    for note in ("", "[]", '{"version": {"digests": []}, "segments": [[0, 700000, 700000]]}', '{"version": null}'):
        with download_cache().slot(url) as slot:
            slot.partial.write_bytes(b"wrong")
            slot.state.write_text(note)
        assert obtain(url, tmp_path / hashlib.sha256(note.encode()).hexdigest()).origin.sha256 == SHA256
        download_cache().clear()


def test_two_runs_at_once_download_once(server: FaultyServer, tmp_path: Path) -> None:
    url = server.serve("/data.zip", whole(BODY))
    threads = [threading.Thread(target=obtain, args=(url, tmp_path / name)) for name in ("a", "b", "c")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert [path.read_bytes() == BODY for path in tmp_path.rglob("data.zip")] == [True] * 3
    assert [headers.get("If-None-Match") for headers in server.asked] == [None, '"v1"', '"v1"']
