"""Records beside the data: what they promise and what they refuse."""

import hashlib
import json
from datetime import datetime, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinara_lib.errors import ArtifactCorruptError
from sinara_lib.manifest import (
    FileEntry,
    Manifest,
    Producer,
    RunRecord,
    RunStatus,
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


@pytest.mark.parametrize(
    "change", [{"format": 2}, {"colour": "red"}, {"files": [{"path": "a", "size": "much"}]}, {"content": None}]
)
def test_a_manifest_of_a_newer_or_broken_form_is_refused(change: dict[str, object]) -> None:
    data = json.dumps({**MANIFEST.model_dump(mode="json"), **change}).encode()
    with pytest.raises(ArtifactCorruptError, match=r"memory://x cannot be read: .*newer sinara_lib: update"):
        read_manifest(data, "memory://x")


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"\xff"])
def test_a_truncated_run_record_is_refused_and_named(data: bytes) -> None:
    with pytest.raises(ArtifactCorruptError, match=r"memory://x cannot be read"):
        read_run_record(data, "memory://x")


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
