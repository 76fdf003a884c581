"""What an image is built from depends on bento, base and pins alone, and holds nothing of this machine."""

import os
from datetime import datetime, timezone
from pathlib import Path

import pytest

from sinara_lib.container.context import BentoFacts, BentoImage, write_context
from sinara_lib.errors import SinaraError
from wheel_index import write_wheel

FACTS = BentoFacts(
    name="rest_service",
    version="run-26-11-21-045046-454",
    creation_time=datetime(2026, 11, 21, 4, 50, 46, tzinfo=timezone.utc),
    labels={"run_id": "run-26-11-21-045046-454", "dataset_run": "run-d", "git_commit": "22591b0", "note": 'a "$b"'},
    image=BentoImage(base_image="python:3.11-slim-bookworm", python_version="3.11"),
)
EPOCH = 315532800


@pytest.fixture(autouse=True)
def _index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package index of its own with one package, whose command names the Python it was installed with."""
    (tmp_path / "index").mkdir()
    write_wheel(tmp_path / "index", "leaf", "1.0", command="leaf")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "index"))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)


def context(folder: Path, *, mask: int = 0o022) -> Path:
    """The context of a small bento, written under another umask."""
    before = os.umask(mask)
    try:
        (folder / "bento" / "env").mkdir(parents=True)
        (folder / "bento" / "bento.yaml").write_text("name: rest_service\n")
        (folder / "bento" / "env" / "entrypoint.sh").write_text("#!/bin/sh\n")
        (folder / "bento" / "env" / "entrypoint.sh").chmod(0o755)
        write_context(folder / "context", folder / "bento", facts=FACTS, base="localhost/base:1", pins=["leaf==1.0"])
    finally:
        os.umask(before)
    return folder / "context"


def contents(folder: Path) -> dict[str, tuple[int, float, bytes]]:
    """Mode, time and bytes of everything below a folder."""
    found = {}
    for path in folder.rglob("*"):
        stat = path.stat()
        data = b"" if path.is_dir() else path.read_bytes()
        found[path.relative_to(folder).as_posix()] = (stat.st_mode & 0o777, stat.st_mtime, data)
    return found


def test_the_same_bento_gives_the_same_files_modes_and_times_whatever_the_umask(tmp_path: Path) -> None:
    first, second = context(tmp_path / "one"), context(tmp_path / "two", mask=0o077)
    assert contents(first) == contents(second)
    assert {time for _mode, time, _data in contents(first).values()} == {EPOCH}
    modes = {name: mode for name, (mode, _time, _data) in contents(first).items()}
    assert modes["bento/env/entrypoint.sh"] == 0o755
    assert modes["bento/bento.yaml"] == 0o644


def test_packages_come_without_commands_that_name_this_machines_python(tmp_path: Path) -> None:
    names = contents(context(tmp_path / "one")).keys()
    assert {"packages/leaf.py", "packages/leaf-1.0.dist-info/METADATA"} <= names
    assert not [name for name in names if name.startswith("packages/bin") or name.endswith(".pyc")]


def test_the_containerfile_is_non_root_checked_and_labelled(tmp_path: Path) -> None:
    text = (context(tmp_path / "one") / "Containerfile").read_text()
    assert "USER 10001:10001" in text
    assert "HEALTHCHECK" in text
    assert text.count("FROM localhost/base:1") == 2
    for label in (
        '"org.opencontainers.image.version"="run-26-11-21-045046-454"',
        '"org.opencontainers.image.created"="2026-11-21T04:50:46+00:00"',
        '"org.opencontainers.image.revision"="22591b0"',
        '"sinara.dataset_run"="run-d"',
        r'"sinara.note"="a \"\$b\""',
    ):
        assert label in text


def test_a_package_that_pip_cannot_find_is_an_error_with_its_words(tmp_path: Path) -> None:
    folder = tmp_path / "one"
    (folder / "bento").mkdir(parents=True)
    with pytest.raises(SinaraError, match=r"(?s)cannot install .* for Python 3\.11 on Linux.*leaf==2\.0"):
        write_context(folder / "context", folder / "bento", facts=FACTS, base="localhost/base:1", pins=["leaf==2.0"])
