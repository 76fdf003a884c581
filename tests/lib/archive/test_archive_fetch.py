"""`fetch` and `sinara fetch`: the files of any entity in a folder, each checked, all of them or none."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from folder_contents import contents
from sinara_lib.archive import fetch, pack
from sinara_lib.cli.main import main
from sinara_lib.errors import ArchiveError, ArtifactCorruptError
from sinara_lib.layout import RunAddress
from sinara_lib.store import ArtifactStore, publish_folder


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A folder with a file, one below it, and a table of somebody."""
    (tmp_path / "in" / "images").mkdir(parents=True)
    (tmp_path / "in" / "images" / "1.jpg").write_bytes(b"jpeg")
    (tmp_path / "in" / "classes.txt").write_text("car")
    (tmp_path / "in" / "scores.parquet").write_bytes(b"PAR1")
    return tmp_path / "in"


def _bytes(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_an_archive_is_unpacked(source: Path, url: str, tmp_path: Path) -> None:
    (source / "empty").mkdir()
    pack(source, url)
    assert fetch(url, tmp_path / "out") == ["classes.txt", "images/1.jpg", "scores.parquet"]
    assert contents(tmp_path / "out") == contents(source)


def test_plain_files_are_copied_a_table_among_them_too(source: Path, url: str, tmp_path: Path) -> None:
    publish_folder(source, url)
    assert sorted(fetch(url, tmp_path / "out")) == ["classes.txt", "images/1.jpg", "scores.parquet"]
    assert _bytes(tmp_path / "out") == _bytes(source)


@pytest.mark.parametrize("publish", [pack, publish_folder])
def test_what_is_in_the_folder_stays_as_it_is(
    publish: Callable[[Path, str], object], source: Path, url: str, tmp_path: Path
) -> None:
    publish(source, url)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "classes.txt").write_text("mine")
    with pytest.raises(ArchiveError, match=r"out/classes\.txt: it is there already"):
        fetch(url, tmp_path / "out")
    assert _bytes(tmp_path / "out") == {"classes.txt": b"mine"}


def test_plain_files_join_the_others_of_a_folder(source: Path, url: str, tmp_path: Path) -> None:
    publish_folder(source, url)
    (tmp_path / "out" / "images").mkdir(parents=True)
    (tmp_path / "out" / "images" / "mine.jpg").write_bytes(b"mine")
    fetch(url, tmp_path / "out")
    assert _bytes(tmp_path / "out") == {**_bytes(source), "images/mine.jpg": b"mine"}


@pytest.mark.parametrize("publish", [pack, publish_folder])
def test_nothing_is_left_when_one_file_was_changed(
    publish: Callable[[Path, str], object],
    source: Path,
    store: ArtifactStore,
    run: RunAddress,
    url: str,
    tmp_path: Path,
) -> None:
    publish(source, url)
    folder = f"{store.root}/{run.entity('files').path}"
    name = "classes.txt" if publish is publish_folder else "part-00000.parquet"
    data = store.fs.cat_file(f"{folder}/{name}")
    store.fs.pipe_file(f"{folder}/{name}", data.replace(b"car", b"cat"))
    before = sorted(tmp_path.iterdir())
    with pytest.raises(ArtifactCorruptError, match=r"changed after it was published"):
        fetch(url, tmp_path / "out")
    assert sorted(tmp_path.iterdir()) == before


def test_the_command_tells_how_many_files_came_and_where_to(
    source: Path, url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    publish_folder(source, url)
    assert main(["fetch", url, str(tmp_path / "out")]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"3 files in {tmp_path / 'out'}"
    assert main(["fetch", url, str(tmp_path / "out")]) == 1
    assert "is there already. Unpack into an empty folder." in capsys.readouterr().out


def test_the_url_of_a_run_is_refused_with_the_form_of_an_entitys(
    store: ArtifactStore, run: RunAddress, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fetch", store.url_of(run), str(tmp_path / "out")]) == 1
    assert "is not an entity URL: expected <root>/" in capsys.readouterr().out
    assert not (tmp_path / "out").exists()


def test_what_only_archives_of_others_need_is_not_loaded(source: Path, tmp_path: Path) -> None:
    """Loading it takes as long as fetching a few hundred images."""
    code = f"""import sys
from datetime import datetime, timezone
from sinara_lib.archive import fetch, pack
from sinara_lib.layout import StepAddress
from sinara_lib.store import store_at
from sinara_lib.store.manifest import Producer, RunRecord, RunStatus
store, now = store_at({str(tmp_path / "store")!r}), datetime.now(timezone.utc)
record = RunRecord(run_id="", status=RunStatus.RUNNING, started=now, producer=Producer(library="test"))
url = store.url_of(store.start_run(StepAddress("rest", "test", "data_load"), record, now=now).entity("files"))
if sys.argv[1:]:
    pack({str(source)!r}, url)
    print(url)
else:
    fetch(input(), {str(tmp_path / "out")!r})
    print(sorted({{"pyarrow.parquet", "pyarrow.compute"}} & sys.modules.keys()))"""
    run = [sys.executable, "-c", code]
    packed = subprocess.run([*run, "pack"], capture_output=True, text=True, check=True).stdout
    done = subprocess.run(run, input=packed, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["[]"]
