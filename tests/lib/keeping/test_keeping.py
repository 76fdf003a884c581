"""What `sinara run` keeps and what it says of it: forced steps, steps that always change, days, sources, the table."""

from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path

import pytest

from faulty_server import FaultyServer, status, whole
from quick_steps import Pipeline, pipeline  # noqa: F401 - a fixture
from sinara_lib.cli.main import main as sinara
from sinara_lib.keeping.identities import device_name
from sinara_lib.keeping.packages import declared_packages
from sinara_lib.keeping.sources import changed_sources
from sinara_lib.layout import StepAddress, split_pipeline_run_url, split_run_url
from sinara_lib.pipeline import published_rows
from sinara_lib.store import ArtifactStore
from sinara_lib.store.manifest import Source
from sinara_lib.store.pipeline_record import StepState
from sinara_lib.store.pipeline_runs import PipelineRuns

OUT = 'outputs=[{ENTITY_NAME: "numbers"}], '
READS = 'inputs=[{STEP_NAME: "make", ENTITY_NAME: "numbers"}], '
MAKE, USE = 'publish("numbers", substep_params["value"])', 'publish("numbers", read("make", "numbers"))'


@pytest.fixture
def two(pipeline: Pipeline) -> Pipeline:  # noqa: F811
    """A pipeline of `make`, which publishes a value and a metric, and `use`, which reads the value."""
    metric = 'substep.add_metric("AP50", 0.5)'
    pipeline.write_step("make", [MAKE, metric], interface=OUT, params={"value": 1})
    pipeline.write_step("use", [USE], interface=READS + OUT)
    pipeline.write_settings("make", "use")
    return pipeline


def test_a_kept_step_is_told_in_the_table_with_what_it_published_and_measured_before(two: Pipeline) -> None:
    first, second = two.run(), two.run()
    assert second.ran == []
    made = first.done[0]
    assert published_rows(second.done)[0] == [
        "make",
        f"kept from {made.run_id}",
        "-",
        f"{made.run_url}/numbers",
    ]
    assert second.done[0].outputs == made.outputs
    assert second.done[0].metrics == {"AP50": 0.5}


def test_the_pipelines_record_names_what_was_kept_and_why(
    two: Pipeline, stores: Callable[[str], ArtifactStore]
) -> None:
    first, second = two.run(), two.run()
    record = PipelineRuns(stores("user"), "rest", "test").record(split_pipeline_run_url(second.url)[1].run_id)
    assert record is not None
    for step, made in zip(record.steps, first.done, strict=True):
        assert (step.state, step.run) == (StepState.KEPT, made.run_url)
        assert step.reason == f"{step.name} is kept from {made.run_id}: nothing changed"


def test_forced_steps_run_whatever_has_changed_and_the_chain_ends_where_they_make_the_same(two: Pipeline) -> None:
    two.run()
    assert two.run(force=["make"]).ran == ["make"]
    assert two.run(force=["make", "use"]).ran == ["make", "use"]
    assert two.explain(force=["make"])[0] == "make runs: it is forced"


def test_explain_says_for_every_step_in_one_line_whether_it_runs_and_why_and_runs_nothing(
    two: Pipeline,
    stores: Callable[[str], ArtifactStore],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(two.folder)
    assert two.explain() == ["make runs: it has no good run", "use runs: it has no good run"]
    first = two.run()
    two.write_params("make", {"value": 2, "colour": "red"})
    assert sinara(["run", "--explain"]) == 0
    assert capsys.readouterr().out.splitlines()[-2:] == [
        'make runs: value 1 -> 2; colour not given -> "red"',
        "use runs unless what make makes is the same as before",
    ]
    two.write_params("make", {"value": 1})
    (two.folder / "use" / "more.py").write_text("")
    assert two.explain() == [
        f"make is kept from {first.done[0].run_id}: nothing changed",
        "use runs: more.py is new",
    ]
    assert len(PipelineRuns(stores("user"), "rest", "test").ids()) == 1


def test_a_step_that_says_that_it_always_changes_is_never_kept(two: Pipeline) -> None:
    two.write_step("make", ['substep.always_changed("it reads the news")', MAKE], interface=OUT, params={"value": 1})
    assert two.run().ran == ["make", "use"]
    assert two.run().ran == ["make"]  # and makes the same
    assert two.explain()[0] == "make runs: its notebook says that it always changes (it reads the news)"


def test_a_step_that_depends_on_the_day_is_kept_for_a_day(two: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    two.write_params("make", {"value": 1}, step_params={"depends_on": ["day"]})
    two.run()
    assert two.run().ran == []
    monkeypatch.setattr("sinara_lib.keeping.identities.utc_now", lambda: datetime(2099, 1, 1, tzinfo=timezone.utc))
    line = two.explain()[0]
    assert line.startswith("make runs: day 20")
    assert line.endswith(" -> 2099-01-01")


def test_the_device_has_a_name_with_and_without_a_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert device_name({})
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho One\necho Two\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    assert device_name({}) == "One, Two"
    assert device_name({"CUDA_VISIBLE_DEVICES": "1"}) == "Two"
    assert device_name({"CUDA_VISIBLE_DEVICES": ""}) not in {"", "One, Two"}


def test_a_step_started_alone_always_runs(two: Pipeline) -> None:
    from sinara_lib.step import main

    two.run()
    assert main(two.folder / "make", mode="dev", argv=[]) == 0
    assert main(two.folder / "make", mode="dev", argv=[]) == 0
    store_runs = two.run()
    assert store_runs.ran == []


def test_a_step_that_was_told_to_read_from_elsewhere_is_not_kept_from(
    two: Pipeline, stores: Callable[[str], ArtifactStore]
) -> None:
    from sinara_lib.step import main

    two.run()
    (two.folder / "use" / "more.py").write_text("")
    assert main(two.folder / "make", mode="dev", argv=["--set", "pipeline_params.pipeline_name=other"]) == 0
    store = stores("user")
    elsewhere = store.url_of(store.runs(StepAddress("other", "test", "make"))[0])
    assert main(two.folder / "use", mode="dev", argv=["--read", "make", elsewhere]) == 0
    assert "use" in two.run().ran


def test_a_step_that_changes_its_own_folder_is_recorded_as_it_began_and_it_is_said(
    two: Pipeline, capsys: pytest.CaptureFixture[str]
) -> None:
    two.write_step("make", [MAKE, 'Path("left.txt").write_text("x")'], interface=OUT, params={"value": 1})
    two.run()
    assert "make changed while it ran, and is recorded as it began: left.txt is new" in capsys.readouterr().out
    assert two.explain()[0] == "make runs: left.txt is new"
    (two.folder / "make" / "left.txt").unlink()
    assert "make is kept" in two.explain()[0]


def test_declared_packages_are_those_of_the_requirements_with_what_their_extras_bring(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text(
        "# words\n--no-binary :all:\nsinara_lib[s3]\nPyYAML>=6  # and more\n\nno-such-package==1\n"
    )
    found = declared_packages(tmp_path)
    assert list(found) == ["python", "s3fs", "pyyaml", "no-such-package"]
    assert found["no-such-package"] is None
    assert found["pyyaml"]


def _source(url: str, sha256: str = "a" * 64, **more: str) -> Source:
    return Source(url=url, sha256=sha256, bytes=4, fetched=datetime.now(timezone.utc), **more)


def test_what_cannot_be_asked_speaks_against_keeping(tmp_path: Path) -> None:
    def changed(*sources: Source, read: tuple[str, ...] = ()) -> list[str]:
        return changed_sources(sources, read, folder=tmp_path, params={})

    (tmp_path / "data.bin").write_bytes(b"data")
    digest = "3a6eb0790f39ac87c94f3856b2dd2c5d110e6811602261a9a923d3bb23adc8b7"
    assert changed(_source("data.bin", digest)) == []
    assert changed(_source("data.bin")) == ["data.bin changed"]
    assert "gone.bin cannot be asked" in changed(_source("gone.bin"))[0]
    assert changed(read=("outside.csv",)) == ["outside.csv cannot be compared: what it held was not recorded"]
    assert changed(read=("sample://scenes?seed=1",)) == []
    asked = "postgresql://host/labels"
    assert changed(_source(asked)) == [f"{asked} cannot be asked whether it changed"]
    assert "neither ETag nor date" in changed(_source("http://127.0.0.1:9/x"))[0]


def test_a_server_is_asked_by_etag_and_nothing_is_downloaded(server: FaultyServer, tmp_path: Path) -> None:
    body = b"data" * 1_000_000
    url = server.serve("/data.zip", whole(body), whole(body, etag='"v2"'), status(503))
    source = _source(url, etag='"v1"').model_copy(update={"bytes": len(body)})
    found = [changed_sources([source], [url], folder=tmp_path, params={}) for _ in range(3)]
    assert found[:2] == [[], [f"{url} changed"]]
    assert found[2][0].startswith(f"{url} cannot be asked (the server answered 503")


def test_where_a_forced_step_finds_its_sources_unchanged_the_next_reads_the_earlier_run(
    two: Pipeline, stores: Callable[[str], ArtifactStore]
) -> None:
    ask = "from sinara_lib.unchanged import end_if_unchanged\nend_if_unchanged(substep, [])"
    two.write_step("make", [ask, MAKE], interface=OUT, params={"value": 1})
    first, second = two.run(), two.run(force=["make", "use"])
    assert second.ran == ["make", "use"]
    record = PipelineRuns(stores("user"), "rest", "test").record(split_pipeline_run_url(second.url)[1].run_id)
    assert record is not None
    assert (record.step("make").state, record.step("make").run) == (StepState.KEPT, first.done[0].run_url)
    used = stores("user").run_record(split_run_url(second.done[1].run_url)[1])
    assert used is not None
    assert used.inputs == (f"{first.done[0].run_url}/numbers",)


def test_where_nothing_had_to_run_the_command_still_leads_to_the_page_that_stands(
    two: Pipeline, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(two.folder)
    assert sinara(["run"]) == 0
    told = [line for line in capsys.readouterr().out.splitlines() if line.startswith("all ")]
    assert len(told) == 1
    assert sinara(["run"]) == 0
    again = capsys.readouterr().out
    assert again.count("  kept from run-") == 2  # in the table
    assert told[0] in again
