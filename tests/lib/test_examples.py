"""The examples of the library's front doors work as they stand; where one needs a kernel or a bento, beside those."""

from pathlib import Path

import pytest

from data_sources.fetch import fetch_source
from docstring_examples import run_examples
from download_cases import BODY
from faulty_server import FaultyServer, whole
from sinara_lib import archive, tables
from sinara_lib.downloads.fetching import bring
from sinara_lib.store import publish_folder
from sinara_lib.substep import NotebookSubstep


@pytest.mark.parametrize("door", [archive.pack, archive.fetch, archive.open_archive, publish_folder])
@pytest.mark.parametrize("root", ["memory"], indirect=True)
def test_the_example_of_what_puts_files_into_a_store_and_reads_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str, door: object
) -> None:
    (tmp_path / "photos" / "more").mkdir(parents=True)
    (tmp_path / "photos" / "cat.jpg").write_bytes(b"miaow")
    (tmp_path / "photos" / "more" / "dog.jpg").write_bytes(b"woof")
    monkeypatch.chdir(tmp_path)
    run_examples(door, url=url)


@pytest.mark.usefixtures("step_folder", "log_as_before")
def test_the_example_of_a_substep() -> None:
    run_examples(NotebookSubstep)


def test_the_example_of_a_download(server: FaultyServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    url = server.serve("/photos.zip", whole(BODY))
    run_examples(bring, url=url)
    run_examples(fetch_source, url=url)


def test_the_example_of_a_table() -> None:
    run_examples(tables.markdown_table)
