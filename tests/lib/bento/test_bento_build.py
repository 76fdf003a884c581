"""A bento's zip file depends on what was packed alone, and holds the checksums of its files."""

import hashlib
import json
import os
import zipfile
from pathlib import Path

import pytest

from sinara_lib.bento.build import build_bento
from sinara_lib.bento.checksums import CHECKSUMS_NAME
from sinara_lib.errors import DataError

SERVICE = """
import bentoml

@bentoml.service(name="rest_service")
class RestService:
    @bentoml.api
    def predict(self, image: bytes = b"") -> dict:
        return {}
"""
VERSION = "run-26-11-21-045046-454"


def service_folder(folder: Path, *, written: float) -> Path:
    """A service folder whose files were last written at `written`, seconds since 1970."""
    (folder / "artifacts").mkdir(parents=True)
    (folder / "service.py").write_text(SERVICE)
    (folder / "page.html").write_text("<!doctype html>")
    (folder / "requirements.txt").write_text("bentoml\n")
    (folder / ".env").write_text("SECRET=1\n")
    (folder / "artifacts" / "model.onnx").write_bytes(b"weights")
    for path in folder.rglob("*"):
        os.utime(path, (written, written))
    return folder


def build(folder: Path, archive: Path) -> Path:
    build_bento(folder, archive, name="rest_service", version=VERSION, labels={"run_id": VERSION})
    return archive


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("built")
    return build(service_folder(folder / "service", written=1e9), folder / "model.zip")


def test_the_same_input_gives_the_same_bytes_whenever_and_wherever_it_is_packed(built: Path, tmp_path: Path) -> None:
    again = build(service_folder(tmp_path / "elsewhere", written=1.5e9), tmp_path / "model.zip")
    assert again.read_bytes() == built.read_bytes()


def test_modules_pages_and_artifacts_go_in_and_nothing_else(built: Path) -> None:
    names = {name for name in zipfile.ZipFile(built).namelist() if name.startswith("src/") and not name.endswith("/")}
    packed = {"service.py", "page.html", "requirements.txt", "artifacts/model.onnx"}
    assert names == {f"src/{name}" for name in packed | {CHECKSUMS_NAME, "bentofile.yaml"}}


def test_every_file_of_the_service_has_its_checksum(built: Path) -> None:
    with zipfile.ZipFile(built) as zipped:
        sums = json.loads(zipped.read(f"src/{CHECKSUMS_NAME}"))
        files = {name.removeprefix("src/") for name in zipped.namelist() if name.startswith("src/")}
        assert sums.keys() == {name for name in files if name and not name.endswith("/")} - {CHECKSUMS_NAME}
        for name, checksum in sums.items():
            assert hashlib.sha256(zipped.read(f"src/{name}")).hexdigest() == checksum


def test_the_bento_is_dated_by_its_run(built: Path) -> None:
    description = zipfile.ZipFile(built).read("bento.yaml").decode()
    assert "creation_time: '2026-11-21T04:50:46+00:00'" in description


def test_a_service_without_the_class_is_an_error_with_bentomls_own_words(tmp_path: Path) -> None:
    folder = service_folder(tmp_path / "service", written=1e9)
    (folder / "service.py").write_text("")
    with pytest.raises(DataError, match=r"(?s)BentoML could not build .*RestService"):
        build(folder, tmp_path / "model.zip")
    assert not (tmp_path / "model.zip").exists()
