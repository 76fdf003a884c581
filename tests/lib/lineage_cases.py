"""A pipeline's runs over several environments, as lineage and retention meet them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sinara_lib.catalog.catalog import Catalog, read_runs
from sinara_lib.layout import RunAddress, StepAddress
from sinara_lib.store import ArtifactStore
from sinara_lib.store.manifest import Process, Producer, RunRecord, RunStatus, Source
from store_cases import publish_files

PRODUCER = Producer(origin="https://host/team/step.git", commit="0123456789abcdef", library="sinara_lib 1")


@dataclass
class History:
    """Makes runs, a minute after one another, in a store."""

    store: ArtifactStore
    now: datetime

    def run(
        self,
        step: str,
        *entities: str,
        inputs: Sequence[str] = (),
        sources: Sequence[Source] = (),
        status: RunStatus = RunStatus.SUCCESS,
        process: Process | None = None,
        store: ArtifactStore | None = None,
        run_id: str = "",
    ) -> RunAddress:
        """Make a run that read `inputs` and published `entities`."""
        self.now += timedelta(minutes=1)
        store = store or self.store
        record = RunRecord(
            run_id=run_id, status=RunStatus.RUNNING, started=self.now, producer=PRODUCER, process=process
        ).with_inputs(inputs)
        for source in sources:
            record = record.with_source(source)
        run = store.start_run(StepAddress("rest", "test", step), record, now=self.now)
        publish_files(store, run, *entities, data=f"{step} {self.now}".encode())
        store.replace_record(run, record.model_copy(update={"run_id": run.run_id, "status": status}))
        return run

    def url(self, run: RunAddress, entity: str, store: ArtifactStore | None = None) -> str:
        """URL of an entity."""
        return (store or self.store).url_of(run.entity(entity))

    def catalog(self, **stores: ArtifactStore) -> Catalog:
        """Return all runs of this store, as environment `user`, and of others."""
        known = {"user": self.store, **stores}
        return Catalog(known, tuple(run for env, store in known.items() for run in read_runs(env, store)), {})
