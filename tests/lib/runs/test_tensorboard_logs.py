"""TensorBoard's logs: written by any notebook, published whatever its end, gathered from any store."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_multiplexer import EventMultiplexer
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.event_file_writer import EventFileWriter

from reported_runs import Reported
from sinara_lib.cli.main import main
from sinara_lib.errors import StepFailedError
from sinara_lib.layout import StepAddress
from sinara_lib.runs.tensorboard_logs import log_folder, publish_logs
from sinara_lib.settings import load_settings
from sinara_lib.step import run_step
from sinara_lib.store import ArtifactStore
from sinara_lib.store.manifest import RunStatus

WRITE = """from pathlib import Path
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.event_file_writer import EventFileWriter
from sinara_lib.substep import NotebookSubstep
substep = NotebookSubstep(pipeline_params, step_params, substep_params)
substep.interface()
below, own = substep.prepare_tensorboard_logs("sweep")
writer = EventFileWriter(own)
value = Summary.Value(tag="loss", simple_value=substep_params["loss"])
writer.add_event(Event(step=1, wall_time=1e9, summary=Summary(value=[value])))
writer.close()
substep.add_metric("runs_seen", len(list(Path(below).iterdir())))
assert substep_params["loss"] < 5"""


def _read(folder: Path) -> dict[str, list[float]]:
    """Return what TensorBoard reads below a folder: the losses of each run by its name there."""
    read = EventMultiplexer()
    read.AddRunsFromDirectory(str(folder))
    read.Reload()
    return {name: [event.value for event in read.Scalars(name, "loss")] for name in read.Runs()}


def _log(tmp: Path, run_id: str, *losses: float) -> None:
    writer = EventFileWriter(str(log_folder(tmp, "sweep", run_id)))
    for step, loss in enumerate(losses):
        value = Summary.Value(tag="loss", simple_value=loss)
        writer.add_event(Event(step=step, wall_time=1e9 + step, summary=Summary(value=[value])))
    writer.close()


@pytest.fixture
def step(tmp_path: Path, make_step: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A step whose notebook writes a log, and fails when its loss is large."""
    folder = make_step({"train.ipynb": [WRITE]}, name="p/train", params={"train.ipynb": {"loss": 0.0}})
    monkeypatch.chdir(folder)
    return folder


def test_logs_of_good_and_failed_runs_are_published_seen_by_later_ones_and_gathered_by_one_command(
    step: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = run_step(step, mode="dev", assignments=["loss=2.5"])
    with pytest.raises(StepFailedError, match="AssertionError"):
        run_step(step, mode="dev", assignments=["loss=7.5"])
    later = run_step(step, mode="dev", assignments=["loss=1.5"])
    store = load_settings().store("user")
    last, failed, first = (run.run_id for run in store.runs(StepAddress("rest", "test", "train")))
    assert (first, last) == (good.run_id, later.run_id)
    assert (good.metrics["runs_seen"], later.metrics["runs_seen"]) == (1, 3)
    assert good.outputs["user.rest.test.train.tensorboard_logs"] == f"{good.run_url}/tensorboard_logs"

    capsys.readouterr()
    assert main(["tensorboard", "--step", "train", "--to", str(tmp_path / "all")]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"tensorboard --logdir {tmp_path / 'all'}"
    assert _read(tmp_path / "all") == {f"sweep/{first}": [2.5], f"sweep/{failed}": [7.5], f"sweep/{last}": [1.5]}

    assert main(["tensorboard", "--limit", "1", "--to", str(tmp_path / "one")]) == 0
    assert set(_read(tmp_path / "one")) == {f"sweep/{last}"}
    assert main(["tensorboard", first, first, "--to", str(tmp_path / "one")]) == 0
    assert set(_read(tmp_path / "one")) == {f"sweep/{first}", f"sweep/{last}"}


def test_logs_on_s3_and_on_disk_come_into_one_folder(
    s3_root: str, tmp_path: Path, now: datetime, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SINARA_USER_ROOT", str(tmp_path / "store"))
    stores = [load_settings().store(env) for env in ("user", "loopback")]
    runs = [_logged_run(store, tmp_path / f"tmp{place}", now, loss=place + 1.0) for place, store in enumerate(stores)]

    assert main(["tensorboard", *runs, "--to", str(tmp_path / "both")]) == 0

    assert sorted(loss for (loss,) in _read(tmp_path / "both").values()) == [1.0, 2.0]
    assert main(["tensorboard", "--env", "loopback", "--step", "prep", "--to", str(tmp_path / "none")]) == 1
    assert "No logs among 0 run(s) looked at" in capsys.readouterr().out


def _logged_run(store: ArtifactStore, tmp: Path, now: datetime, *, loss: float) -> str:
    run = Reported(store, now.replace(minute=int(loss))).run(status=RunStatus.RUNNING)
    _log(tmp, run.run_id, loss)
    publish_logs(tmp, store, run)
    return store.url_of(run)


def test_published_files_do_not_name_the_machine_and_nothing_is_published_without_any(
    tmp_path: Path, now: datetime, step: Path
) -> None:
    store = load_settings().store("user")
    run = Reported(store, now).run(status=RunStatus.RUNNING)
    log_folder(tmp_path / "none", "sweep", run.run_id)
    assert publish_logs(tmp_path / "none", store, run) is None
    assert publish_logs(tmp_path / "nowhere", store, run) is None

    _log(tmp_path / "two", run.run_id, 1.0)
    _log(tmp_path / "two", run.run_id, 2.0)
    _log(tmp_path / "two", "run-26-01-01-000000-000", 3.0)
    assert publish_logs(tmp_path / "two", store, run) == store.url_of(run.entity("tensorboard_logs"))
    names = [file.path for file in store.open(run.entity("tensorboard_logs")).manifest.files]
    assert names == ["sweep/events.out.tfevents.000", "sweep/events.out.tfevents.001"]
