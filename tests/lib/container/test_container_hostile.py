"""A bento of somebody else is packed into an image; nothing of it runs on the machine that packs."""

import json
from pathlib import Path

import pytest

from sinara_lib.bento.checksums import check_checksums, write_checksums
from sinara_lib.container.context import BentoFacts
from sinara_lib.container.package_pins import read_pins
from sinara_lib.errors import ArchiveError

YAML = """
name: rest_service
version: run-1
creation_time: '2026-11-21T04:50:46+00:00'
labels: {{}}
image: {{base_image: "{base}", python_version: "{python}"}}
"""


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """The files of a bento, as they were packed."""
    (tmp_path / "artifacts").mkdir()
    (tmp_path / "artifacts" / "model.onnx").write_bytes(b"weights")
    (tmp_path / "requirements.txt").write_text("numpy==2.4.6\nopencv-python-headless==4.14.0.90\n\nx==1!2.0+cu13\n")
    write_checksums(tmp_path)
    return tmp_path


def test_pins_are_names_and_versions(sources: Path) -> None:
    check_checksums(sources)
    assert read_pins(sources) == ["numpy==2.4.6", "opencv-python-headless==4.14.0.90", "x==1!2.0+cu13"]


@pytest.mark.parametrize(
    "line",
    [
        "--no-binary=:all:",
        "-e .",
        "file:///tmp/x.tar.gz",
        "https://host.example/x-1.0.tar.gz",
        "x @ file:///tmp/x.tar.gz",
        "git+https://host.example/x.git",
        "./x-1.0-py3-none-any.whl",
        "x>=1",
        "x",
        "x==1 --hash=sha256:0",
        "x==1; python_version > '3'",
        "-r other.txt",
        "x[extra]==1",
        "x==1,==2",
    ],
)
def test_anything_else_that_pip_would_take_is_refused(sources: Path, line: str) -> None:
    (sources / "requirements.txt").write_text(f"numpy==2.4.6\n{line}\n")
    with pytest.raises(ArchiveError, match=r"requirements\.txt, line 2: expected name==version, found"):
        read_pins(sources)


@pytest.mark.parametrize("name", ["requirements.txt", "artifacts/model.onnx", "added.py"])
def test_a_bento_that_was_changed_after_packing_is_refused_by_name(sources: Path, name: str) -> None:
    with (sources / name).open("ab") as file:
        file.write(b"\n")
    with pytest.raises(ArchiveError, match=f"{name} was changed, added or removed after packing"):
        check_checksums(sources)


@pytest.mark.parametrize("text", ["", "[]", "{", "[" * 10_000, json.dumps({"requirements.txt": 1})])
def test_checksums_that_are_none_are_refused(sources: Path, text: str) -> None:
    (sources / "checksums.json").write_text(text)
    with pytest.raises(ArchiveError, match="pack the service again"):
        check_checksums(sources)


@pytest.mark.parametrize(
    ("base", "python"),
    [("python:3.11\\nRUN id", "3.11"), ("--platform=x", "3.11"), ("python:3.11", "3.11 /x"), ("python:3.11", "2.7")],
)
def test_what_would_become_another_line_of_the_containerfile_is_refused(tmp_path: Path, base: str, python: str) -> None:
    (tmp_path / "bento.yaml").write_text(YAML.format(base=base, python=python))
    with pytest.raises(ArchiveError, match=r"bento\.yaml does not describe a bento"):
        BentoFacts.load(tmp_path)
