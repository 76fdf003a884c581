"""What a kept run of the pipeline made or reused stays; its record goes by the same rules as runs."""

from collections.abc import Callable
from datetime import datetime, timedelta, timezone

from quick_steps import Pipeline, pipeline  # noqa: F401 - a fixture
from sinara_lib.catalog.garbage import Garbage, collect_garbage
from sinara_lib.layout import StepAddress
from sinara_lib.store import ArtifactStore
from sinara_lib.store.identity_index import IdentityIndex
from sinara_lib.store.listings import names_in
from sinara_lib.store.pipeline_runs import PipelineRuns

MAKE = StepAddress("rest", "test", "make")


def _collect(store: ArtifactStore, *, days: int = 0, **rules: int) -> Garbage:
    now = datetime.now(timezone.utc) + timedelta(days=days)
    return collect_garbage(store, now=now, dry_run=False, **{"keep_last": 1, "older_than": None, **rules})


def _write(pipeline: Pipeline, value: int) -> None:  # noqa: F811
    pipeline.write_params("make", {"value": value})


def _written(pipeline: Pipeline) -> Pipeline:  # noqa: F811
    out = "outputs=[{ENTITY_NAME: 'numbers'}], "
    pipeline.write_step("make", ['publish("numbers", substep_params["value"])'], interface=out)
    pipeline.write_settings("make")
    return pipeline


def test_what_the_newest_run_of_the_pipeline_has_kept_stays_and_the_others_go(
    pipeline: Pipeline,  # noqa: F811
    stores: Callable[[str], ArtifactStore],
) -> None:
    store, made = stores("user"), _written(pipeline)
    runs = []
    for value in (1, 2, 3, 1):
        _write(made, value)
        runs.append(made.run())
    assert runs[3].ran == []  # kept from the first
    done = _collect(store)
    first, newest = runs[0].done[0].run_id, runs[2].done[0].run_id
    assert [run.run_id for run in store.runs(MAKE)] == [newest, first]
    assert PipelineRuns(store, "rest", "test").ids() == [runs[3].url.rsplit("/", 1)[1]]
    assert {one.url for one in done.removed} >= {run.url for run in runs[:3]}
    _write(made, 1)
    assert made.run().ran == []
    _write(made, 2)
    assert made.run().ran == ["make"]


def test_the_index_forgets_what_is_removed(
    pipeline: Pipeline,  # noqa: F811
    stores: Callable[[str], ArtifactStore],
) -> None:
    store, made = stores("user"), _written(pipeline)
    for value in (1, 2):
        _write(made, value)
        made.run()
    record = store.run_record(store.runs(MAKE)[1])
    assert record is not None
    assert record.identity is not None
    index = IdentityIndex(store, MAKE)
    assert len(index.runs_made_by(record.identity.made_by)) == 1
    _collect(store)
    assert index.runs_made_by(record.identity.made_by) == []
    assert len(names_in(store.fs, f"{store.root}/rest/test/@identities/make")) == 1


def test_with_a_record_that_nobody_can_read_nothing_finished_goes(
    pipeline: Pipeline,  # noqa: F811
    stores: Callable[[str], ArtifactStore],
) -> None:
    store, made = stores("user"), _written(pipeline)
    urls = []
    for value in (1, 2, 3):
        _write(made, value)
        urls.append(made.run().url)
    store.fs.pipe_file(f"{urls[0].removeprefix('file://')}/_PIPELINE_RUN.json", b"{")
    done = _collect(store)
    assert done.removed == ()
    assert [url for url, _ in done.unknown] == [urls[0]]
    assert len(store.runs(MAKE)) == 3
