"""Equal in value: what differs in times, places and the order of keys alone, and nothing more."""

import io
import json
import os
import zipfile
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.event_file_writer import EventFileWriter

from reported_runs import Reported
from sinara_lib.archive import pack
from sinara_lib.comparison.value_equality import Verdict, compare_entities, value_digest
from sinara_lib.layout import RunAddress
from sinara_lib.store import ArtifactStore, open_entity
from sinara_lib.store.manifest import RunStatus


def _zip(files: dict[str, bytes], *, year: int) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name, (year, 1, 1, 0, 0, 0)), content)
    return data.getvalue()


@pytest.mark.parametrize(
    ("name", "a", "b"),
    [
        ("a.json", b'{"a": 1, "b": [2]}', b'{"b":[2],"a":1}'),
        ("a.json", b'{"created": "2026-11-21T04:55:55+00:00"}', b'{"created": "2027-01-01T00:00:00.123+00:00"}'),
        ("a.html", b"<p>made 2026-11-21 04:55 UTC</p>", b"<p>made 2027-01-02 03:04 UTC</p>"),
        ("a.html", b"<p>2 May 2026, 04:55 UTC</p>", b"<p>12 November 2027, 03:04 UTC</p>"),
        ("a.md", b"from file:///old/user/x", b"from file:///new/user/x"),
        ("m.zip", _zip({"a": b"1", "b.json": b"{ }"}, year=2020), _zip({"b.json": b"{}", "a": b"1"}, year=2024)),
        ("m.pth", _zip({"data.pkl": b"1"}, year=2020), _zip({"data.pkl": b"1"}, year=2024)),
    ],
)
def test_times_places_and_order_make_no_difference(name: str, a: bytes, b: bytes) -> None:
    assert a != b
    assert value_digest(name, a) == value_digest(name, b, roots={"file:///new": "file:///old"})


@pytest.mark.parametrize(
    ("name", "a", "b"),
    [
        ("a.json", b'{"a": 1}', b'{"a": 1.0000001}'),
        ("a.json", b"[1, 2]", b"[2, 1]"),
        ("a.json", b"{", b"{ "),
        ("a.html", b"<p>0.61</p>", b"<p>0.62</p>"),
        ("a.png", b"2026-11-21 04:55", b"2026-11-22 04:55"),
        ("a.txt", b"\xff1", b"\xff2"),
        ("m.zip", _zip({"a": b"1"}, year=2020), _zip({"a": b"2"}, year=2020)),
        ("m.zip", _zip({"a": b"1"}, year=2020), _zip({"b": b"1"}, year=2020)),
    ],
)
def test_any_other_difference_counts(name: str, a: bytes, b: bytes) -> None:
    assert value_digest(name, a) != value_digest(name, b)


@pytest.fixture
def packed(store: ArtifactStore, now: datetime, tmp_path: Path) -> Callable[..., str]:
    """Pack files, with a time of their own, into the archive of a new run, and give its URL."""
    reported = Reported(store, now)

    def publish(files: dict[str, bytes], *, mtime: int) -> str:
        folder = tmp_path / f"files{mtime}"
        folder.mkdir()
        for name, data in files.items():
            (folder / name).write_bytes(data)
            os.utime(folder / name, (mtime, mtime))
        run: RunAddress = reported.run()
        record = store.run_record(run)
        assert record is not None
        store.replace_record(run, record.model_copy(update={"status": RunStatus.RUNNING}))
        pack(folder, store.url_of(run.entity("data")))
        return store.url_of(run.entity("data"))

    return publish


def _compare(a: str, b: str) -> tuple[Verdict, list[str]]:
    return compare_entities(open_entity(a), open_entity(b), roots={})


def test_archives_are_compared_by_what_is_in_them(packed: Callable[..., str]) -> None:
    files = {"a.json": json.dumps({"x": 1}).encode(), "b.bin": b"b"}
    first, same = packed(files, mtime=1), packed(files, mtime=2)
    assert _compare(first, first) == (Verdict.BYTES, [])
    assert _compare(first, same) == (Verdict.VALUE, [])
    other = packed({"a.json": b'{"x":1}', "b.bin": b"c", "new": b""}, mtime=3)
    assert _compare(first, other) == (Verdict.DIFFERENT, ["b.bin", "new"])


def _event_file(folder: Path, values: list[tuple[int, float]], *, began: float) -> bytes:
    writer = EventFileWriter(str(folder))
    for step, value in values:
        summary = Summary(value=[Summary.Value(tag="loss", simple_value=value)])
        writer.add_event(Event(step=step, wall_time=began + step, summary=summary))
    writer.close()
    return next(folder.iterdir()).read_bytes()


def test_event_files_are_equal_whenever_and_in_whatever_order_the_same_values_were_written(tmp_path: Path) -> None:
    name = "log/events.out.tfevents.000"
    a = _event_file(tmp_path / "a", [(1, 0.5), (2, 0.25)], began=1e9)
    b = _event_file(tmp_path / "b", [(2, 0.25), (1, 0.5)], began=2e9)
    other = _event_file(tmp_path / "c", [(1, 0.5), (2, 0.26)], began=1e9)

    assert value_digest(name, a) == value_digest(name, b)
    assert value_digest(name, a) != value_digest(name, other)
    assert value_digest(name, a) != value_digest(name, a[:-30])
