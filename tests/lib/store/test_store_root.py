"""How a root's URL becomes a filesystem: storage options of an environment, secrets by the names of variables."""

import json
import os
from datetime import datetime
from pathlib import Path

import pytest

from child_processes import exit_code, start_child
from sinara_lib.errors import LayoutError, ParamsError
from sinara_lib.layout import StepAddress
from sinara_lib.settings import load_settings
from sinara_lib.store import open_entity, store_at
from sinara_lib.store.manifest import RunRecord
from sinara_lib.store.root import connect
from store_cases import Finish, files_below, publish_files, start_run
from tests.s3_server import S3Server

TOML = """[env.lab]
root = "s3://test/lab"
[env.lab.storage]
endpoint_url = "{endpoint}"
key_env = "LAB_KEY"
secret_env = "LAB_SECRET"
[env.lab.storage.config_kwargs]
connect_timeout = 7
"""


@pytest.fixture
def lab(tmp_path: Path, s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose sinara.toml has an environment on S3; the two variables are set."""
    (tmp_path / "sinara.toml").write_text(TOML.format(endpoint=s3_server.endpoint))
    monkeypatch.setenv("LAB_KEY", s3_server.key)
    monkeypatch.setenv("LAB_SECRET", s3_server.secret)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_an_environment_of_the_file_is_reached_with_its_options(
    lab: Path, s3_server: S3Server, step: StepAddress, record: RunRecord, now: datetime, finish: Finish
) -> None:
    store = load_settings(lab).store("lab")
    run = start_run(store, step, record, now)
    publish_files(store, run, "images")
    assert store.fs.endpoint_url == s3_server.endpoint
    assert store.fs.config_kwargs["connect_timeout"] == 7
    assert open_entity(store.url_of(run.entity("images"))).read("file.bin") == b"data"
    store.fs.rm("test/lab", recursive=True)


def test_another_process_that_only_has_a_url_finds_the_options_by_variables_without_secrets(
    lab: Path, step: StepAddress, record: RunRecord, now: datetime, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings = load_settings(lab)
    store = settings.store("lab")
    run = start_run(store, step, record, now)
    publish_files(store, run, "images")
    variables = settings.variables()
    assert "LAB_SECRET" in variables["SINARA_LAB_STORAGE"]
    assert os.environ["LAB_SECRET"] not in json.dumps(variables)
    assert os.environ["LAB_KEY"] not in json.dumps(variables)
    (tmp_path / "far").mkdir()
    (lab / "sinara.toml").unlink()
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    child = start_child(_read, str(tmp_path / "far"), store.url_of(run.entity("images")))
    assert exit_code(child) == 0
    store.fs.rm("test/lab", recursive=True)


def _read(folder: str, url: str) -> None:
    os.chdir(folder)
    assert open_entity(url).read("file.bin") == b"data"


def test_options_hold_for_a_root_of_a_variable_only_where_the_scheme_is_the_same(lab: Path) -> None:
    file = load_settings(lab, environ={}).storage["lab"]
    other = load_settings(lab, environ={"SINARA_LAB_ROOT": "s3://test/other"})
    assert (other.roots["lab"], other.storage["lab"]) == ("s3://test/other", file)
    local = load_settings(lab, environ={"SINARA_LAB_ROOT": "/data/lab"})
    assert (local.roots["lab"], dict(local.storage["lab"])) == ("/data/lab", {})
    told = load_settings(lab, environ={"SINARA_LAB_STORAGE": '{"anon": true}'})
    assert dict(told.storage["lab"]) == {"anon": True}


def test_a_variable_that_is_not_set_is_named(lab: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LAB_SECRET")
    with pytest.raises(ParamsError, match=r"secret_env names the variable LAB_SECRET, which is not set: export it"):
        load_settings(lab).store("lab")


@pytest.mark.parametrize("key", ["key", "secret", "token", "account_key", "sas_token", "connection_string", "password"])
def test_a_secret_in_the_file_is_refused_and_not_repeated(tmp_path: Path, key: str) -> None:
    (tmp_path / "sinara.toml").write_text(f'[env.lab]\nroot = "s3://a/b"\n[env.lab.storage]\n{key} = "hush-4711"\n')
    with pytest.raises(ParamsError, match=rf'env\.lab\.storage\.{key} looks like a secret.*{key}_env = "VAR') as told:
        load_settings(tmp_path, environ={})
    assert "hush-4711" not in str(told.value)


def test_a_secret_is_refused_in_a_nested_table_and_in_a_variable_too(tmp_path: Path) -> None:
    text = '[env.lab]\nroot = "s3://a/b"\n[env.lab.storage.client_kwargs]\naws_secret_access_key = "hush-4711"\n'
    (tmp_path / "sinara.toml").write_text(text)
    with pytest.raises(ParamsError, match=r"client_kwargs\.aws_secret_access_key looks like a secret") as told:
        load_settings(tmp_path, environ={})
    (tmp_path / "sinara.toml").unlink()
    with pytest.raises(ParamsError, match=r"SINARA_USER_STORAGE\.secret looks like a secret") as told_too:
        load_settings(tmp_path, environ={"SINARA_USER_STORAGE": '{"secret": "hush-4711"}'})
    assert "hush" not in str(told.value) + str(told_too.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [("{", "is not valid JSON"), ("[1]", "holds a JSON list"), ('{"key_env": 3}', "give the name of an environment")],
)
def test_options_in_a_variable_that_make_no_sense_are_told(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ParamsError, match=rf"SINARA_PROD_STORAGE.*{message}"):
        load_settings(tmp_path, environ={"SINARA_PROD_STORAGE": text})


def test_a_root_with_a_password_is_refused_and_the_password_not_repeated() -> None:
    with pytest.raises(LayoutError, match=r"root s3://bucket/a is given with a password: take it out") as told:
        connect("s3://AKIAKEY:hush-4711@bucket/a")
    assert "hush-4711" not in str(told.value)
    assert "AKIAKEY" not in str(told.value)


@pytest.mark.parametrize(
    ("root", "package"),
    [("gs://bucket/a", "gcsfs"), ("abfs://box@account.dfs.core.windows.net/a", "adlfs"), ("s3://bucket/a", "s3fs")],
)
def test_a_missing_driver_says_what_to_install(root: str, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: object, **__: object) -> None:
        raise ImportError(f"Please install {package}")

    monkeypatch.setattr("fsspec.core.url_to_fs", missing)
    scheme = root.partition(":")[0]
    with pytest.raises(LayoutError, match=rf"no driver for {scheme}:// \(pip install {package}\)"):
        connect(root)


def test_a_cluster_without_its_libraries_is_told_without_a_traceback_of_the_driver() -> None:
    with pytest.raises(LayoutError, match=r"The store's root hdfs://nowhere:8020/a cannot be used") as told:
        connect("hdfs://nowhere:8020/a")
    assert "\n" not in str(told.value)


def test_the_root_that_lies_deepest_gives_the_options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SINARA_NEAR_ROOT", "s3://b/a/deep")
    monkeypatch.setenv("SINARA_NEAR_STORAGE", '{"endpoint_url": "http://near"}')
    monkeypatch.setenv("SINARA_WIDE_ROOT", "s3://b/a")
    monkeypatch.setenv("SINARA_WIDE_STORAGE", '{"endpoint_url": "http://wide"}')
    assert store_at("s3://b/a/deep").fs.endpoint_url == "http://near"
    assert store_at("s3://b/a/deeper").fs.endpoint_url == "http://wide"
    assert files_below(store_at(str(tmp_path / "none"))) == []


@pytest.mark.parametrize(
    "root", ["simplecache::file:///tmp/store", "filecache::s3://bucket/store", "dir::memory://store"]
)
def test_a_chained_filesystem_is_refused_as_a_root(root: str) -> None:
    with pytest.raises(LayoutError, match=r"chained filesystem \(::\) does not make a run once and only once"):
        store_at(root)
