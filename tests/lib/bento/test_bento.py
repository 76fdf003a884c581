"""A bento is saved only when it answers as packed, loads beside other versions, and serves until told to end."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
import zipfile
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path

import pytest

from docstring_examples import run_examples
from sinara_lib.bento.service import (
    differences,
    extract_artifacts_from_bentoservice,
    load_bentoservice,
    save_bentoservice,
    start_dev_bentoservice,
    stop_dev_bentoservice,
    unzip_bento,
)
from sinara_lib.errors import ArchiveError, ArtifactNotFoundError, DataError, SinaraError
from sinara_lib.layout import StepAddress
from sinara_lib.store import open_entity, store_at
from sinara_lib.store.manifest import Producer, RunRecord, RunStatus

SERVICE = """
import bentoml
from answer import ANSWER

@bentoml.service(name="rest_service")
class RestService:
    def __init__(self) -> None:
        {on_start}

    @bentoml.api
    def predict(self, image: bytes = b"", file_name: str = "") -> dict:
        return {{"answer": ANSWER, "bytes": len(image)}}
"""

NewUrl = Callable[[], str]


@pytest.fixture(scope="module")
def new_url(tmp_path_factory: pytest.TempPathFactory) -> NewUrl:
    """Hands out URLs of bento entities, each in a run of its own."""
    root = tmp_path_factory.mktemp("store")

    def start() -> str:
        store, now = store_at(str(root)), datetime.now(timezone.utc)
        record = RunRecord(run_id="", status=RunStatus.RUNNING, started=now, producer=Producer(library="test"))
        run = store.start_run(StepAddress("line", "test", "model_pack"), record, now=now)
        return store.url_of(run.entity("bento_service"))

    return start


def service_folder(folder: Path, *, answer: str, expected: str | None = None, on_start: str = "pass") -> Path:
    """A service that says `answer` in a module of its own, and expects `expected` of itself."""
    (folder / "artifacts").mkdir(parents=True)
    (folder / "service.py").write_text(SERVICE.format(on_start=on_start))
    (folder / "answering").mkdir()
    (folder / "answering" / "__init__.py").write_text("")
    (folder / "answering" / "words.py").write_text(f"ANSWER = {answer!r}\n")
    (folder / "answer.py").write_text("from answering.words import ANSWER as ANSWER\n")
    (folder / "requirements.txt").write_text("bentoml\n")
    (folder / ".env").write_text("SECRET=1\n")
    (folder / "artifacts" / "test_image.png").write_bytes(b"image")
    result = {"answer": expected or answer, "bytes": 5}
    (folder / "artifacts" / "test_result.json").write_text(json.dumps(result))
    return folder


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory, new_url: NewUrl) -> str:
    url = new_url()
    save_bentoservice(
        service_folder(tmp_path_factory.mktemp("saved") / "one", answer="one"),
        url,
        version="Run-1",
        labels={"model_run": "run-m"},
    )
    return url


def test_the_entity_holds_the_bento_and_its_labels_and_no_stray_file(saved: str, tmp_path: Path) -> None:
    reader = open_entity(saved)
    assert sorted(entry.path for entry in reader.manifest.files) == ["model.zip", "save_info.txt"]
    reader.copy("save_info.txt", tmp_path / "info")
    reader.copy("model.zip", tmp_path / "zip")
    assert (tmp_path / "info").read_text() == "BENTO_SERVICE=rest_service.Run-1\nmodel_run=run-m\nversion=Run-1\n"
    names = zipfile.ZipFile(tmp_path / "zip").namelist()
    assert "src/artifacts/test_result.json" in names
    assert "src/.env" not in names


def test_two_versions_live_side_by_side_and_leave_no_module_behind(saved: str, tmp_path: Path, new_url: NewUrl) -> None:
    other_url = new_url()
    save_bentoservice(service_folder(tmp_path / "two", answer="two"), other_url, version="run-2")
    one, two = load_bentoservice(saved), load_bentoservice(other_url)
    assert (one.predict(b"abc")["answer"], two.predict(b"abc")["answer"]) == ("one", "two")
    assert not {"service", "answer", "answering", "answering.words"} & sys.modules.keys()


def test_a_module_of_the_same_name_stays_the_callers(saved: str, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = {name: type(sys)(name) for name in ("answer", "answering", "answering.words")}
    for name, module in mine.items():
        monkeypatch.setitem(sys.modules, name, module)
    assert load_bentoservice(saved).predict(b"abc")["answer"] == "one"
    assert {name: sys.modules[name] for name in mine} == mine


def test_the_example_of_loading_a_bento(saved: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("cat.jpg").write_bytes(b"miao")
    run_examples(load_bentoservice, url=saved)


def test_artifacts_come_out_as_they_were_packed_and_overwrite_nothing(saved: str, tmp_path: Path) -> None:
    folder = extract_artifacts_from_bentoservice(saved, tmp_path / "artifacts")
    assert {path.name for path in folder.iterdir()} == {"test_image.png", "test_result.json"}
    assert (folder / "test_image.png").read_bytes() == b"image"
    (folder / "test_result.json").unlink()
    (folder / "test_image.png").write_bytes(b"mine")
    with pytest.raises(ArchiveError, match=r"test_image\.png is there already; extract the artifacts into an empty"):
        extract_artifacts_from_bentoservice(saved, folder)
    assert [path.read_bytes() for path in folder.iterdir()] == [b"mine"]


def test_a_service_that_answers_otherwise_is_not_published(tmp_path: Path, new_url: NewUrl) -> None:
    url = new_url()
    folder = service_folder(tmp_path / "one", answer="one", expected="two")
    with pytest.raises(DataError, match=r"answer\.answer: expected two, found one"):
        save_bentoservice(folder, url, version="run-1")
    with pytest.raises(ArtifactNotFoundError):
        open_entity(url)


def test_a_service_that_does_not_import_is_not_published(tmp_path: Path, new_url: NewUrl) -> None:
    url = new_url()
    folder = service_folder(tmp_path / "one", answer="one")
    (folder / "service.py").write_text("import not_installed_anywhere\n")
    with pytest.raises(DataError, match=r"not_installed_anywhere"):
        save_bentoservice(folder, url, version="run-1")
    with pytest.raises(ArtifactNotFoundError):
        open_entity(url)


@pytest.mark.parametrize("content", [b"", b"not a zip"])
def test_a_broken_archive_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model.zip").write_bytes(content)
    with pytest.raises(ArchiveError, match=r"model\.zip: cannot be unzipped"):
        unzip_bento(tmp_path / "model.zip", tmp_path / "out")


def test_a_zip_that_is_no_bento_is_named(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "model.zip", "w") as zipped:
        zipped.writestr("readme.txt", "hello")
    with pytest.raises(ArchiveError, match=r"holds no bento\.yaml"):
        unzip_bento(tmp_path / "model.zip", tmp_path / "out")


def test_a_dev_service_answers_and_leaves_nothing_when_stopped(saved: str) -> None:
    handle = start_dev_bentoservice(saved)
    request = urllib.request.Request(f"{handle.url}/predict", data=b"{}", headers={"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert json.loads(answer.read())["answer"] == "one"
    stop_dev_bentoservice(handle)
    assert handle.server.process.returncode is not None
    assert not handle.folder.exists()
    with pytest.raises(OSError, match=r"refused"):
        urllib.request.urlopen(f"{handle.url}/readyz", timeout=2)


def test_a_taken_port_is_a_clear_error(saved: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SinaraError, match=f"Cannot listen on 127.0.0.1 port {port}.*choose another port"):
            start_dev_bentoservice(saved, port=port)


def test_a_service_that_dies_at_its_start_shows_its_last_lines(
    tmp_path: Path, new_url: NewUrl, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = new_url()
    folder = service_folder(tmp_path / "one", answer="one", on_start="import os; os.environ.get('BREAK') and 1 / 0")
    save_bentoservice(folder, url, version="run-1")
    monkeypatch.setenv("BREAK", "yes")
    with pytest.raises(SinaraError, match=r"(?s)service (ended|did not become ready).*ZeroDivisionError"):
        start_dev_bentoservice(url, ready_seconds=7)


def test_loading_leaves_nothing_in_the_users_home(saved: str, tmp_path: Path) -> None:
    settings = ("BENTOML_HOME", "BENTOML_DO_NOT_TRACK", "ORT_DISABLE_TELEMETRY")
    environment = {name: value for name, value in os.environ.items() if name not in settings} | {"HOME": str(tmp_path)}
    code = f"from sinara_lib.bento import load_bentoservice; print(load_bentoservice({saved!r}).predict(b'')['answer'])"
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "one"
    assert list(tmp_path.rglob("*")) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serve_ends_in_good_order_when_told_to(saved: str, number: signal.Signals) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    # A job that a shell started in the background ignores Ctrl-C, and its children do: this one shall hear it.
    listen = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    serve = f"from sinara_lib.bento.service import serve_bentoservice as s; sys.exit(s({saved!r}, port={port}))"
    code = f"import sys; {listen}; {serve}"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen([sys.executable, "-c", code], env=environment) as process:
        try:
            wait_for(f"http://127.0.0.1:{port}/readyz", process)
            process.send_signal(number)
            assert process.wait(20) == 0
        finally:
            process.kill()
    with pytest.raises(OSError, match=r"refused"):
        urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2)


def wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    for _ in range(150):
        assert process.poll() is None, f"the server ended with exit code {process.returncode}"
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except OSError:
            time.sleep(0.2)
    raise AssertionError(f"{url} did not answer in 30 s")


@pytest.mark.parametrize(
    ("expected", "found", "count"),
    [
        ({"a": 1.0}, {"a": 1.04}, 0),
        ({"a": 1.0}, {"a": 1.06}, 1),
        ({"a": 1}, {"b": 1}, 1),
        ([1.0, 2.0], [1.0], 1),
        ({"a": [{"b": "x"}]}, {"a": [{"b": "y"}]}, 1),
    ],
)
def test_differences_allow_rounding_and_nothing_else(expected: object, found: object, count: int) -> None:
    assert len(differences(expected, found)) == count
