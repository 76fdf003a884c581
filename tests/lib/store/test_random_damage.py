"""Whatever bytes stand in the files of a store: no crash, no error of anybody else's, no wrong bytes accepted."""

import contextlib
import hashlib
import json
import os
import random
import resource
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from child_processes import exit_code, start_child
from damage_cases import change_file, changed_bytes, path_of, recommit
from lineage_cases import History
from sinara_lib.archive import ArchiveReader, open_archive, pack
from sinara_lib.archive.format import INDEX_FILE, INDEX_SCHEMA, SCHEMA
from sinara_lib.archive.index_table import read_table
from sinara_lib.catalog.catalog import read_run
from sinara_lib.catalog.show import describe, run_rows
from sinara_lib.cli.main import main
from sinara_lib.errors import ArtifactCorruptError, LayoutError, SinaraError
from sinara_lib.layout import EntityAddress, RunAddress, StepAddress
from sinara_lib.store import ArtifactStore, publish_folder, store_at
from sinara_lib.store.liveness import is_alive, this_process
from sinara_lib.store.manifest import MANIFEST_FILE, RUN_FILE, SUCCESS_FILE, RunStatus
from store_cases import differences

CHANGES = 10_000
NOW = datetime(2026, 11, 21, tzinfo=timezone.utc)


def _small_store(root: str, folder: Path) -> tuple[ArtifactStore, RunAddress]:
    """A store of one finished run with an archive and an entity of plain files."""
    store = store_at(root)
    folder.mkdir()
    for name in ("a.txt", "b.txt", "c.txt"):
        (folder / name).write_bytes(name.encode() * 20)
    history = History(store, NOW)
    run = history.run("data_load", "plain", inputs=["https://host/a.zip"], process=this_process())
    record = store.run_record(run)
    assert record is not None
    store.replace_record(run, record.model_copy(update={"status": RunStatus.RUNNING}))
    pack(folder, store.url_of(run.entity("archive")))
    store.replace_record(run, record)
    return store, run


def _read_all(store: ArtifactStore, run: RunAddress, *, only: str = "") -> None:
    """Read what the run published, or `only` one entity, as a step does; wrong bytes are an error of this test."""
    found = store.resolve(run.step, ["plain", "archive"])
    if only != "archive":
        assert store.open(found.entity("plain")).read("file.bin").startswith(b"data_load")
    if only not in {"archive", ""}:
        return
    archive = ArchiveReader(store.open(found.entity("archive")))
    assert [archive.read(name) for name in archive.names()] == [n.encode() * 20 for n in ("a.txt", "b.txt", "c.txt")]


def _damage_and_read(folder: str) -> None:
    store, run = _small_store("memory://damaged", Path(folder) / "files")
    files = {path: store.fs.cat_file(path) for path in store.fs.find(store.root)}
    index = next(data for path, data in files.items() if path.endswith(INDEX_FILE))
    dice = random.Random(16)
    for number in range(CHANGES):
        path = dice.choice(sorted(files))
        data = changed_bytes(files[path], dice)
        store.fs.pipe_file(path, data)
        try:
            if number % 40:
                _read_all(store, run, only=path.rsplit("/", 2)[-2])
            else:
                _look(store, run)
        except SinaraError:
            pass
        store.fs.pipe_file(path, files[path])
        try:  # a forger fits the checksums, so that the table itself is read
            read_table(changed_bytes(index, dice)).to_pylist()
        except (ValueError, OverflowError):
            continue
    _read_all(store, run)


def _look(store: ArtifactStore, run: RunAddress) -> None:
    found = read_run("user", store, run)
    run_rows([found])
    if found.record is not None:
        is_alive(found.record)
    differences(store)
    describe(store, store.url_of(run))


def test_ten_thousand_random_changes_end_in_our_own_errors_or_change_nothing(tmp_path: Path) -> None:
    assert exit_code(start_child(_damage_and_read, str(tmp_path)), seconds=300) == 0


def _damage_shard_without_checksum(_: str) -> None:
    store = store_at("memory://old")
    entity = RunAddress(StepAddress("rest", "test", "data_load"), "run-21-06-01-120000").entity("files")
    rows = [
        {"path": "p", "modificationTime": NOW, "length": 3, "content": b"one", "relPath": f"/{n}"} for n in range(3)
    ]
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(rows), sink, compression="snappy")
    data, dice = sink.getvalue().to_pybytes(), random.Random(16)
    store.fs.pipe_file(path_of(store, entity, SUCCESS_FILE), b"")
    for _ in range(CHANGES // 10):
        store.fs.pipe_file(path_of(store, entity, "part-00000.snappy.parquet"), changed_bytes(data, dice))
        with contextlib.suppress(SinaraError), open_archive(store.url_of(entity)) as archive:
            for name in archive.names():
                archive.read(name)


def test_random_changes_of_a_shard_that_nothing_guards_end_in_our_own_errors(tmp_path: Path) -> None:
    assert exit_code(start_child(_damage_shard_without_checksum, str(tmp_path)), seconds=300) == 0


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[ArtifactStore, RunAddress]:
    """The small store on disk, as environment `user`."""
    for env in ("user", "test", "prod"):
        monkeypatch.setenv(f"SINARA_{env.upper()}_ROOT", str(tmp_path / env))
    monkeypatch.setattr("sinara_lib.runs.leftovers.abandoned_folders", lambda: iter(()))
    monkeypatch.chdir(tmp_path)
    return _small_store(str(tmp_path / "user"), tmp_path / "files")


def _nested(path: Path) -> None:
    path.write_bytes(b"[" * 200_000)


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _huge(path: Path) -> None:
    with path.open("ab") as file:
        file.truncate(1 << 40)


@pytest.mark.parametrize("damage", [_nested, _pipe, _folder, _huge])
@pytest.mark.parametrize("name", [RUN_FILE, f"plain/{SUCCESS_FILE}", f"plain/{MANIFEST_FILE}", "plain/file.bin"])
def test_a_file_that_is_none_or_beyond_reason_is_damage_in_every_command(
    disk: tuple[ArtifactStore, RunAddress],
    name: str,
    damage: Callable[[Path], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    store, run = disk
    damage(Path(store.root) / run.path / name)
    for argv in (
        ["ls"],
        ["show", run.run_id],
        ["verify", "--all"],
        ["lineage", run.run_id],
        ["gc", "--keep-last", "1"],
    ):
        assert main(argv) in {0, 1}
    told = capsys.readouterr()
    assert "Traceback" not in told.out + told.err
    with pytest.raises(SinaraError):
        _read_all(store, run)


def test_a_damaged_newest_run_is_left_out_with_a_warning_and_the_step_after_it_goes_on(
    disk: tuple[ArtifactStore, RunAddress], caplog: pytest.LogCaptureFixture
) -> None:
    store, run = disk
    newer = History(store, NOW).run("data_load", "plain", "archive", run_id="run-60-01-01-000000-000")
    for damage in (_nested, _pipe, _folder):
        damage(Path(store.root) / newer.path / RUN_FILE)
        assert store.resolve(run.step, ["plain"]) == run
        assert "passed over" in caplog.text


def test_a_pid_that_no_process_has_is_damage_and_does_not_stop_gc(
    disk: tuple[ArtifactStore, RunAddress], capsys: pytest.CaptureFixture[str]
) -> None:
    store, run = disk
    change_file(store, run, RUN_FILE, lambda data: _with_pid(data, -1))
    assert main(["gc"]) == 0
    assert "Traceback" not in capsys.readouterr().err
    with pytest.raises(ArtifactCorruptError, match=r"process\.pid"):
        store.run_record(run)


def _with_pid(data: bytes, pid: int) -> bytes:
    page = json.loads(data)
    page["process"]["pid"] = pid
    page["status"] = "RUNNING"
    return json.dumps(page).encode()


def _forge(store: ArtifactStore, entity: EntityAddress, name: str, data: bytes) -> None:
    """Replace a file and let all checksums fit."""
    change_file(store, entity, name, lambda _: data)

    def fit(page: dict[str, object]) -> None:
        files = page["files"]
        assert isinstance(files, list)
        for entry in files:
            if entry["path"] == name:
                entry.update(size=len(data), sha256=hashlib.sha256(data).hexdigest())

    recommit(store, entity, fit)


def _compressed_index() -> bytes:
    line = {"modificationTime": 0, "length": 1, "part": 0, "parts": 1, "shard": 0, "offset": 4, "sha256": bytes(32)}
    table = pa.Table.from_pylist([{"relPath": "a" * 50_000_000, **line}], INDEX_SCHEMA)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, INDEX_SCHEMA, options=pa.ipc.IpcWriteOptions(compression="zstd")) as file:
        file.write_table(table)
    return bytes(sink.getvalue().to_pybytes())


def _shard_of_many_rows() -> bytes:
    sink = pa.BufferOutputStream()
    names = pa.DictionaryArray.from_arrays(pa.array([0] * 5_000_000, pa.int32()), ["a" * 100])
    pq.write_table(pa.table({"relPath": names}), sink, compression="zstd")
    return bytes(sink.getvalue().to_pybytes())


def _shard_of_a_large_page() -> bytes:
    sink = pa.BufferOutputStream()
    row = {"modificationTime": NOW, "length": 60, "part": 0, "parts": 1, "content": b"a"}
    table = pa.Table.from_pylist([{"relPath": "a" * 150_000_000, **row}], SCHEMA)
    pq.write_table(table, sink, compression="zstd", use_dictionary=False, write_statistics=False)
    return bytes(sink.getvalue().to_pybytes())


@pytest.mark.parametrize(
    ("name", "forged", "told"),
    [
        (INDEX_FILE, _compressed_index, "_INDEX"),
        ("part-00000.parquet", _shard_of_many_rows, "part-00000"),
        ("part-00000.parquet", _shard_of_a_large_page, "its pages unpack to 150,0"),
    ],
)
def test_a_few_bytes_that_ask_for_much_memory_are_refused_before_they_get_it(
    disk: tuple[ArtifactStore, RunAddress], name: str, forged: Callable[[], bytes], told: str
) -> None:
    store, run = disk
    data = forged()
    assert len(data) < 2_000_000
    _forge(store, run.entity("archive"), name, data)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert told in str(differences(store))
    with pytest.raises(SinaraError):
        _read_all(store, run)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000


def test_a_plain_entity_may_hold_a_file_with_the_name_of_an_index(
    disk: tuple[ArtifactStore, RunAddress], tmp_path: Path
) -> None:
    store, _ = disk
    (tmp_path / "plain").mkdir()
    for name in (INDEX_FILE, "part-00000.parquet"):
        (tmp_path / "plain" / name).write_text("notes")
    run = History(store, NOW).run("data_prep", status=RunStatus.RUNNING, process=this_process())
    publish_folder(tmp_path / "plain", store.url_of(run.entity("notes")))
    assert differences(store) == []


def test_a_file_name_that_is_not_utf_8_is_refused_before_anything_is_copied(
    disk: tuple[ArtifactStore, RunAddress], tmp_path: Path
) -> None:
    store, _ = disk
    (tmp_path / "odd").mkdir()
    Path(os.fsdecode(bytes(tmp_path / "odd") + b"/\xff.txt")).write_text("")
    run = History(store, NOW).run("data_prep", status=RunStatus.RUNNING, process=this_process())
    with pytest.raises(LayoutError, match=r"its name is not UTF-8"):
        publish_folder(tmp_path / "odd", store.url_of(run.entity("odd")))
    assert store.entities(run) == []
