"""Inputs for the test of a step: runs of the steps that it reads, with a few files of the test's own."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime, timezone
from pathlib import Path

from sinara_lib.archive import pack
from sinara_lib.layout import StepAddress
from sinara_lib.runs.checkout import read_producer
from sinara_lib.scaffold.notebooks import Read
from sinara_lib.settings import Settings
from sinara_lib.store.liveness import this_process
from sinara_lib.store.manifest import RunRecord, RunStatus


def publish_inputs(reads: Iterable[Read], folder: Path, *, settings: Settings, place: Mapping[str, str]) -> None:
    """Publish the files of `folder` as each entity of `reads`, (step, entity), in the environment `user`.

    Entities of one step are of one run. `place` holds `pipeline_name` and `zone_name`.
    """
    entities = defaultdict(list)
    for step, entity in reads:
        entities[step].append(entity)
    store, now = settings.store("user"), datetime.now(timezone.utc)
    started = RunRecord(
        run_id="", status=RunStatus.RUNNING, started=now, producer=read_producer(folder), process=this_process()
    )
    for step, names in entities.items():
        address = StepAddress(place["pipeline_name"], place["zone_name"], step)
        run = store.start_run(address, started, now=now)
        for name in names:
            pack(folder, store.url_of(run.entity(name)))
        update = {"run_id": run.run_id, "status": RunStatus.SUCCESS, "finished": datetime.now(timezone.utc)}
        store.replace_record(run, started.model_copy(update=update))
