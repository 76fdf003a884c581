"""Short ways to fill a store and to look into it."""

from collections.abc import Callable
from datetime import datetime, timedelta

from sinara_lib.catalog.find import Target
from sinara_lib.catalog.verify import StoreFinding, all_runs, verify_targets
from sinara_lib.layout import EntityAddress, RunAddress, StepAddress
from sinara_lib.store import ArtifactStore
from sinara_lib.store.manifest import RunRecord

Finish = Callable[..., None]


def start_run(
    store: ArtifactStore, step: StepAddress, record: RunRecord, now: datetime, *, later: int = 0
) -> RunAddress:
    """Start a run some seconds later than `now`."""
    return store.start_run(step, record, now=now + timedelta(seconds=later))


def publish_files(store: ArtifactStore, run: RunAddress, *names: str, data: bytes = b"data") -> None:
    """Publish entities of one file, `file.bin`."""
    for name in names:
        with store.begin(run.entity(name)) as writer, writer.open("file.bin") as sink:
            sink.write(data)


def lay_file(store: ArtifactStore, path: str, data: bytes) -> None:
    """Write a file below the root without the store's doing."""
    store.fs.makedirs(f"{store.root}/{path}".rpartition("/")[0], exist_ok=True)
    store.fs.pipe_file(f"{store.root}/{path}", data)


def files_below(store: ArtifactStore) -> list[str]:
    """Every file that the store holds."""
    return sorted(store.fs.find(store.root))


def differences(store: ArtifactStore, *places: RunAddress | EntityAddress) -> list[StoreFinding]:
    """What `sinara verify` finds in these runs and entities, in the whole store where none is named."""
    targets = [Target(store, place) for place in places] or all_runs(store)
    return list(verify_targets(targets).findings)
