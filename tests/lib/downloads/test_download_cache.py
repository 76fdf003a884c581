"""The cache of downloads: one slot per URL, never two writers, damage found, and clearing that harms no run."""

import hashlib
import json
import os
import threading
import time
from datetime import datetime, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinara_lib.cli.main import main
from sinara_lib.downloads.cache import CacheSlot, DownloadCache, cache_key, download_cache
from sinara_lib.downloads.origin import Origin
from sinara_lib.errors import DownloadError

URL = "https://host/data.zip"
BODY = b"body" * 1000


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DownloadCache:
    monkeypatch.setenv("SINARA_CACHE", str(tmp_path / "cache"))
    return download_cache()


def fill(slot: CacheSlot, body: bytes = BODY, url: str = URL) -> Origin:
    slot.partial.write_bytes(body)
    entry = Origin(
        url=url,
        sha256=hashlib.sha256(body).hexdigest(),
        size=len(body),
        fetched=datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc),
    )
    slot.keep(entry)
    return entry


def test_a_record_of_an_earlier_release_is_read(cache: DownloadCache) -> None:
    with cache.slot(URL) as slot:
        kept = fill(slot)
        record = slot.partial.parent / "entry.json"
        earlier = {"url": URL, "sha256": kept.sha256, "size": len(BODY), "etag": None, "last_modified": None}
        record.write_text(json.dumps({**earlier, "fetched": "2026-01-02T03:04:05Z", "checked": None}))
        assert slot.entry() == kept


def test_what_was_kept_is_found_and_handed_out_read_only(cache: DownloadCache, tmp_path: Path) -> None:
    with cache.slot(URL) as slot:
        assert slot.entry() is None
        kept = fill(slot)
    with cache.slot(URL) as slot:
        assert slot.entry() == kept
        slot.hand_out(kept.sha256, tmp_path / "data.zip")
    assert (tmp_path / "data.zip").read_bytes() == BODY
    assert (tmp_path / "data.zip").stat().st_mode & 0o777 == 0o444


def test_a_newer_version_takes_the_place_of_the_older_one(cache: DownloadCache) -> None:
    with cache.slot(URL) as slot:
        fill(slot)
        new = fill(slot, b"new")
        assert slot.entry() == new
    assert [path.name for path in cache.folder.rglob("*") if path.is_file() and path.read_bytes() == BODY] == []


@pytest.mark.parametrize("body", [b"", b"damaged".ljust(len(BODY))])
def test_a_damaged_copy_is_said_and_dropped(
    body: bytes, cache: DownloadCache, caplog: pytest.LogCaptureFixture
) -> None:
    with cache.slot(URL) as slot:
        entry = fill(slot)
        content = cache.folder / cache_key(URL) / entry.sha256
        content.chmod(0o644)
        content.write_bytes(body)
        assert slot.entry() is None
    assert "the copy in the cache is damaged" in caplog.text
    with cache.slot(URL) as slot:
        assert slot.entry() is None


def test_a_slot_has_one_holder_and_the_next_waits(cache: DownloadCache) -> None:
    told: list[str] = []

    def second() -> None:
        with cache.slot(URL) as slot:
            told.append("second" if slot.entry() else "too early")

    with cache.slot(URL) as slot:
        thread = threading.Thread(target=second)
        thread.start()
        time.sleep(0.2)
        told.append("first")
        fill(slot)
    thread.join(10)
    assert told == ["first", "second"]


def test_clearing_leaves_what_is_at_work_and_what_was_handed_out(
    cache: DownloadCache, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with cache.slot(URL) as slot:
        slot.hand_out(fill(slot).sha256, tmp_path / "mine")
    with cache.slot("https://host/busy.zip") as slot:
        slot.partial.write_bytes(b"half")
        assert main(["cache", "clear"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "removed 1 download, 0.0 MB",
        "left, a run is at work on it: https://host/busy.zip",
    ]
    assert (tmp_path / "mine").read_bytes() == BODY
    assert [one.url for one in cache.downloads()] == ["https://host/busy.zip"]


def test_listing_shows_sizes_what_broke_off_and_no_secret(
    cache: DownloadCache, capsys: pytest.CaptureFixture[str]
) -> None:
    with cache.slot(URL) as slot:
        fill(slot, bytes(2_000_000))
    with cache.slot("https://me:secret@host/half.zip?X-Amz-Signature=secret") as slot:
        slot.partial.write_bytes(bytes(1_500_000))
        slot.state.write_text('{"version": {}, "segments": [[0, 700000, 300000], [700000, 1500000, 100000]]}')

    assert main(["cache", "ls"]) == 0

    told = capsys.readouterr().out
    assert told.splitlines() == [
        str(cache.folder),
        "size    fetched                  url",
        "2.0 MB  2026-01-02 03:04:05 UTC  https://host/data.zip",
        "0.4 MB  broke off                https://host/half.zip",
        "2 downloads, 2.4 MB",
    ]
    assert [path for path in cache.folder.rglob("*") if path.is_file() and b"secret" in path.read_bytes()] == []


def test_only_what_was_not_used_for_long_can_be_cleared(cache: DownloadCache) -> None:
    with cache.slot(URL) as slot:
        fill(slot)
    with cache.slot("https://host/old.zip") as slot:
        fill(slot, url="https://host/old.zip")
    os.utime(cache.folder / cache_key("https://host/old.zip"), (0, time.time() - 31 * 86400))

    assert main(["cache", "clear", "--unused-for", "30d"]) == 0

    assert [one.url for one in cache.downloads()] == [URL]


def test_a_cache_that_cannot_be_written_names_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DownloadError, match=r"cannot be written .* set SINARA_CACHE to another folder"):
        with DownloadCache(tmp_path / "file" / "downloads").slot(URL):
            pass


def test_signatures_and_passwords_change_no_key_and_other_queries_do() -> None:
    plain = cache_key("https://host/a.zip?id=1")
    assert cache_key("https://me:word@host/a.zip?id=1&X-Amz-Signature=ab&X-Amz-Date=2#part") == plain
    assert cache_key("https://host/a.zip?id=1&sig=ab&se=2026&sp=r") == plain
    assert len({plain, cache_key("https://host/a.zip?id=2"), cache_key("https://host/b.zip?id=1")}) == 3


@given(st.text(max_size=40))
def test_every_url_has_a_key_that_is_a_file_name(text: str) -> None:
    try:
        key = cache_key(f"https://host/{text}")
    except ValueError:  # urlsplit refuses some brackets
        return
    assert key.isalnum()
