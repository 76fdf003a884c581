"""Steps of the pipeline with their environment on S3: run, read back, and no secret in anything they leave."""

import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from sinara_lib.layout import StepAddress
from sinara_lib.store import ArtifactStore, store_at
from store_cases import differences
from tests.pipeline.conftest import Workspace
from tests.s3_server import S3Server, start_s3_server

SINARA = str(Path(sys.executable).with_name("sinara"))
SETTINGS = """
[env.user]
root = "{root}"
[env.user.storage]
endpoint_url = "{endpoint}"
key_env = "LOOPBACK_KEY"
secret_env = "LOOPBACK_SECRET"
"""
STEPS = ("data_load", "data_prep")


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    with start_s3_server() as server:
        yield server


@pytest.fixture(scope="module")
def folder(
    server: S3Server, clone: Path, tiny_params: Mapping[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A clone of its own, whose sinara.toml puts the environment `user` on S3."""
    clone = shutil.copytree(clone, tmp_path_factory.mktemp("on_s3") / "pipeline")
    root = f"{server.make_bucket('models')}/user"
    with (clone / "sinara.toml").open("a", encoding="utf-8") as file:
        file.write(SETTINGS.format(root=root, endpoint=server.endpoint))
    for step in STEPS:
        shutil.copy(tiny_params[step], clone / step / "params" / "tiny.json")
    return clone


@pytest.fixture(scope="module")
def environ(server: S3Server) -> dict[str, str]:
    """The variables that sinara.toml names; no root is told by variable."""
    return {"SINARA_USER_ROOT": "", "LOOPBACK_KEY": server.key, "LOOPBACK_SECRET": server.secret}


@pytest.fixture(scope="module")
def printed(workspace: Workspace, folder: Path, environ: Mapping[str, str]) -> str:
    """What `sinara run` of the first two steps says."""
    return workspace.must([SINARA, "run", *STEPS, "--params", "params/tiny.json"], folder, environ)


@pytest.fixture(scope="module")
def store(server: S3Server) -> ArtifactStore:
    """The store that the steps have filled."""
    return store_at("s3://models/user", storage=server.storage_options)


def test_sinara_runs_steps_on_s3_and_the_second_reads_what_the_first_published(
    printed: str, store: ArtifactStore, server: S3Server
) -> None:
    load, prep = (store.runs(StepAddress("obj_detect_rest", "test", step)) for step in STEPS)
    assert (len(load), len(prep)) == (1, 1)
    assert f"s3://models/user/{prep[0].path}/coco_train_dataset" in printed
    record = store.run_record(prep[0])
    assert record is not None
    assert f"s3://models/user/{load[0].path}/coco_datasets_images" in record.inputs
    assert [len(store.entities(run)) for run in (*load, *prep)] == [4, 5]
    for run in (*load, *prep):
        for entity in store.entities(run):
            assert differences(store, entity) == []


def test_what_lies_on_s3_is_listed_and_read_by_its_url_alone(
    printed: str, workspace: Workspace, folder: Path, environ: Mapping[str, str], store: ArtifactStore
) -> None:
    (run,) = store.runs(StepAddress("obj_detect_rest", "test", "data_prep"))
    listed = workspace.must([SINARA, "ls"], folder, environ)
    assert run.run_id in listed
    url = store.url_of(run.entity("coco_train_dataset"))
    code = f"from sinara_lib.archive import open_archive; print(len(list(open_archive({url!r}).names())))"
    count = int(workspace.must(["-c", code], folder / "data_prep", environ).split()[-1])
    assert count > 30


def test_the_secret_stands_in_nothing_that_the_steps_leave_behind(
    printed: str, store: ArtifactStore, server: S3Server, folder: Path
) -> None:
    assert server.secret not in printed
    assert server.key not in printed
    paths = store.fs.find("models")
    assert len(paths) > 30
    for path in paths:
        data = store.fs.cat_file(path)
        assert server.secret.encode() not in data, path
        assert server.key.encode() not in data, path
    for file in (file for step in STEPS for file in (folder / step).rglob("*") if file.is_file()):
        assert server.secret.encode() not in file.read_bytes(), file


def test_a_wrong_secret_ends_the_run_with_one_message_that_does_not_repeat_it(
    printed: str, workspace: Workspace, folder: Path, environ: Mapping[str, str]
) -> None:
    wrong = {**environ, "LOOPBACK_SECRET": "mistyped-5be1"}
    done = workspace.run([SINARA, "run", "data_load", "--params", "params/tiny.json"], folder, wrong)
    assert done.returncode == 1
    assert "access is refused" in done.stderr + done.stdout
    assert "Check the credentials: [env.<name>.storage] key_env and secret_env" in done.stderr + done.stdout
    assert "mistyped" not in done.stderr + done.stdout
    assert "Traceback" not in done.stderr + done.stdout
