"""What a user gets for bad input: one readable message, exit code 1, a report, and nothing half-made."""

import functools
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from sinara_lib.layout import StepAddress
from sinara_lib.store.manifest import RunStatus
from tests.pipeline.conftest import REPOSITORY, Workspace

SMALL = ["--params", "params/sample.json", "--set", "images_url=sample://scenes?images=12&size=96&seed=1"]
LOAD = StepAddress("obj_detect_rest", "test", "data_load")


@pytest.fixture(scope="module")
def good_run(workspace: Workspace) -> str:
    """An earlier run that went well: whatever fails later must leave it as it is."""
    workspace.must(["step.dev.py", *SMALL], REPOSITORY / "data_load")
    return workspace.store("user").runs(LOAD)[0].run_id


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server that has a checkpoint of the wrong content and answers 404 for anything else."""
    folder = tmp_path_factory.mktemp("served")
    (folder / "yolox_s_coco-4592a793.pth").write_bytes(b"not these weights")
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.mark.parametrize(
    ("change", "told"),
    [("imagesurl=x", ["unknown key 'imagesurl'", "images_url"]), ("images_url=17", ["'images_url' is 17", "string"])],
)
def test_a_parameter_that_the_step_does_not_take_is_refused_before_a_run_begins(
    workspace: Workspace, good_run: str, change: str, told: list[str]
) -> None:
    before = workspace.store("user").runs(LOAD)
    message = refusal(workspace, change)
    for words in told:
        assert words in message
    assert workspace.store("user").runs(LOAD) == before


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("images_url={address}/val2017.zip annotations_url={address}/a.zip", ["{address}/val2017.zip", "404"]),
        ("weights_url={address}/yolox_s_coco-4592a793.pth", ["yolox_s_coco-4592a793.pth", "4592a793"]),
        ("images_url=sample://castles?images=3", ["sample://castles", "sample://scenes"]),
    ],
)
def test_a_source_that_cannot_be_had_fails_with_one_message_and_a_report_and_leaves_earlier_runs_alone(
    workspace: Workspace, good_run: str, address: str, change: str, told: list[str]
) -> None:
    message = refusal(workspace, change.format(address=address))
    for words in told:
        assert words.format(address=address) in message
    store = workspace.store("user")
    failed = store.runs(LOAD)[0]
    record = store.run_record(failed)
    assert record is not None
    assert (record.status, record.reason) == (RunStatus.FAILED, message.removeprefix("failed: ").strip())
    assert [e.name for e in store.entities(failed)] == ["reports_data_load_ipynb"]
    assert b"FAIL" in store.open(failed.entity("reports_data_load_ipynb")).read("report.html")
    assert store.resolve(LOAD, ["coco_datasets_images"]).run_id == good_run


def refusal(workspace: Workspace, change: str) -> str:
    """Run data_load with parameters that must fail, and return its closing message."""
    sets = [arg for part in change.split() for arg in ("--set", part)]
    done = workspace.run(["step.dev.py", *SMALL, *sets], REPOSITORY / "data_load")
    assert done.returncode == 1
    assert "Traceback" not in done.stdout + done.stderr
    return done.stdout[done.stdout.index("failed: ") :]


def test_a_missing_input_names_the_step_that_makes_it(tmp_path: Path) -> None:
    done = Workspace(tmp_path).run(["step.dev.py", "--params", "params/sample.json"], REPOSITORY / "data_prep")
    assert done.returncode == 1
    assert "Run step 'data_load' first" in done.stdout


def test_a_notebook_that_is_not_there_is_told_with_those_that_are(workspace: Workspace, tmp_path: Path) -> None:
    params = tmp_path / "params.json"
    params.write_text(
        '{"pipeline_params": {"pipeline_name": "p"}, "substeps_params": [{"substep_name": "laod.ipynb"}]}', "utf-8"
    )
    done = workspace.run(["step.dev.py", "--params", str(params)], REPOSITORY / "data_load")
    assert done.returncode == 1
    assert "laod.ipynb" in done.stdout
    assert "data_load.ipynb" in done.stdout
