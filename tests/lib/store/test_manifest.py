"""Records beside the data: what they promise and what they refuse."""

import hashlib
import json
from collections.abc import Callable
from datetime import datetime, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinara_lib.errors import ArtifactCorruptError
from sinara_lib.store.manifest import (
    FileEntry,
    Manifest,
    Producer,
    RunRecord,
    RunStatus,
    Source,
    content_hash,
    read_manifest,
    read_run_record,
)

WHEN = datetime(2026, 11, 21, 1, 37, tzinfo=timezone.utc)
MANIFEST = Manifest(
    entity="images",
    run_id="run-26-11-21-013711-482",
    created=WHEN,
    producer=Producer(library="test", commit="abc"),
    inputs=("https://host/a.zip",),
    files=(FileEntry(path="a", size=1, sha256="00"),),
    rows=None,
    bytes=1,
    content="11",
)
RECORD = RunRecord(
    run_id="run-26-11-21-013711-482", status=RunStatus.RUNNING, started=WHEN, producer=Producer(library="t")
)

entries = st.lists(
    st.builds(
        FileEntry, path=st.text(), size=st.integers(0), sha256=st.binary().map(lambda b: hashlib.sha256(b).hexdigest())
    ),
    unique_by=lambda entry: entry.path,
)


def test_a_manifest_reads_back_as_it_was_written() -> None:
    assert read_manifest(MANIFEST.model_dump_json().encode(), "url") == MANIFEST


def test_a_run_record_reads_back_as_it_was_written() -> None:
    assert read_run_record(RECORD.model_dump_json().encode(), "url") == RECORD


def _changed(change: dict[str, object]) -> bytes:
    return json.dumps({**MANIFEST.model_dump(mode="json"), **change}).encode()


@pytest.mark.parametrize("change", [{"format": 2}, {"colour": "red"}, {"format": 2, "files": "elsewhere"}])
def test_a_manifest_of_a_newer_form_is_refused_with_the_advice_to_update(change: dict[str, object]) -> None:
    with pytest.raises(ArtifactCorruptError, match=r"memory://x: cannot be read: .*newer sinara_lib wrote it: update"):
        read_manifest(_changed(change), "memory://x")


@pytest.mark.parametrize("change", [{"files": [{"path": "a", "size": "much"}]}, {"content": None}, {"format": 0}])
def test_a_manifest_with_a_wrong_value_is_damaged_not_newer(change: dict[str, object]) -> None:
    with pytest.raises(ArtifactCorruptError, match=r"memory://x: cannot be read: .*It is damaged") as caught:
        read_manifest(_changed(change), "memory://x")
    assert "newer" not in str(caught.value)


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"\xff", b'{"format": 1'])
@pytest.mark.parametrize("read", [read_manifest, read_run_record])
def test_a_truncated_record_is_refused_and_named(read: Callable[[bytes, str], object], data: bytes) -> None:
    with pytest.raises(ArtifactCorruptError, match=r"memory://x: cannot be read: .*It is damaged"):
        read(data, "memory://x")


def test_a_manifest_from_before_sources_were_named_is_read() -> None:
    page = MANIFEST.model_dump(mode="json", exclude={"sources"})
    assert read_manifest(json.dumps(page).encode(), "url").sources == ()


def test_a_raw_source_is_kept_with_its_facts_and_as_an_input() -> None:
    source = Source(url="https://host/b.zip", sha256="ab", bytes=1, etag='"v1"', fetched=WHEN)
    record = RECORD.with_inputs(["https://host/a.zip"]).with_source(source)
    assert record.inputs == ("https://host/a.zip", "https://host/b.zip")
    assert record.sources == (source,)
    assert read_run_record(record.model_dump_json().encode(), "url") == record


@given(entries, st.randoms())
def test_the_content_hash_does_not_depend_on_the_order_of_files(files: list[FileEntry], random: object) -> None:
    shuffled = list(files)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert content_hash(shuffled) == content_hash(files)


@given(entries.filter(bool))
def test_the_content_hash_changes_with_any_name_or_hash(files: list[FileEntry]) -> None:
    renamed = [files[0].model_copy(update={"path": files[0].path + "x"}), *files[1:]]
    altered = [files[0].model_copy(update={"sha256": "0" * 64}), *files[1:]]
    assert len({content_hash(files), content_hash(renamed), content_hash(altered), content_hash(files[1:])}) == 4


def test_inputs_are_added_once_in_the_order_they_were_named() -> None:
    assert RECORD.with_inputs(["b", "a"]).with_inputs(["a", "c"]).inputs == ("b", "a", "c")
    assert RECORD.inputs == ()


def test_only_finished_and_interactive_runs_can_be_read() -> None:
    assert {status for status in RunStatus if status.resolvable} == {RunStatus.SUCCESS, RunStatus.INTERACTIVE}
