"""Collecting garbage of a history, and what dead writers leave."""

from datetime import timedelta
from typing import Any

from lineage_cases import History
from sinara_lib.catalog.garbage import Garbage, collect_garbage
from sinara_lib.layout import RunAddress, is_run_id
from sinara_lib.store import ArtifactStore
from sinara_lib.store.manifest import RUN_FILE, RunStatus
from store_cases import files_below, lay_file

LATER = timedelta(days=10)


def collect(history: History, *, dry_run: bool = False, keep_last: int | None = None, **more: Any) -> Garbage:
    """Collect garbage ten days after the last run."""
    return collect_garbage(
        history.store,
        keep_last=keep_last,
        older_than=more.pop("older_than", None),
        now=history.now + LATER,
        dry_run=dry_run,
        **more,
    )


def run_ids_left(history: History) -> set[str]:
    """Ids of the runs of which there is a file."""
    return {part for path in files_below(history.store) for part in path.split("/") if is_run_id(part)}


def leave_remains(store: ArtifactStore, run: RunAddress) -> None:
    """What a writer leaves that is killed in the middle of a file, and one between two entities."""
    writer = store.begin(run.entity("half"))
    with writer.open("a.bin") as sink:
        sink.write(b"x" * 100)
    store.begin(run.entity("nothing"))
    lay_file(store, f"{run.path}/.{RUN_FILE}.0123abcd", b"{")


def finish_run(store: ArtifactStore, run: RunAddress) -> None:
    """Let a run be a success."""
    record = store.run_record(run)
    assert record is not None
    store.replace_record(run, record.model_copy(update={"status": RunStatus.SUCCESS}))
