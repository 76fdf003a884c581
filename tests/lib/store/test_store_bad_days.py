"""What a person is told when the place of the artifacts is full, closed, gone, or not what it seems."""

import hashlib
import json
import os
import shutil
import socket
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from sinara_lib.errors import ArtifactCorruptError, ArtifactNotFoundError, LayoutError, StoreUnavailableError
from sinara_lib.layout import RunAddress, StepAddress, new_run_id
from sinara_lib.store import ArtifactStore, fetch_folder, publish_folder, store_at
from sinara_lib.store.manifest import RunRecord, RunStatus
from small_disk import small_disk
from store_cases import Finish, differences, lay_file, publish_files, start_run
from tests.s3_server import S3Server


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A disk of 256 KiB: a real one where this user may mount, else writes beyond that fail as on a full disk."""
    with small_disk(tmp_path / "disk", kib=256) as mounted:
        if not mounted:
            monkeypatch.setattr("sinara_lib.store.plain_file.PlainFile.write", _refuse_much)
        yield tmp_path / "disk"


def _refuse_much(self: object, data: bytes) -> int:
    if len(data) > 100_000:
        raise StoreUnavailableError("No space left on device. Free space there, or put the environment elsewhere.")
    return int(self._raw.write(data))  # type: ignore[attr-defined]


def test_a_full_disk_is_told_and_what_was_committed_stays(
    disk: Path, step: StepAddress, record: RunRecord, now: datetime
) -> None:
    store = store_at(str(disk / "store"))
    run = store.start_run(step, record, now=now)
    publish_files(store, run, "small")
    with pytest.raises(StoreUnavailableError, match=r"No space left on device\. Free space there, or put the env"):
        publish_files(store, run, "large", data=bytes(1 << 20))
    assert store.entities(run) == [run.entity("small")]
    assert differences(store, run.entity("small")) == []
    assert [p.name for p in (disk / "store" / run.path).iterdir() if p.name.startswith(".")] == []
    publish_files(store, run, "after", data=bytes(1000))


def _refuse(number: int) -> Callable[..., None]:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    return refuse


@pytest.mark.parametrize(("number", "said"), [(30, "Read-only file system"), (13, "Permission denied")])
def test_a_root_that_may_not_be_written_is_told(
    tmp_path: Path,
    step: StepAddress,
    record: RunRecord,
    now: datetime,
    monkeypatch: pytest.MonkeyPatch,
    number: int,
    said: str,
) -> None:
    store = store_at(str(tmp_path / "store"))
    monkeypatch.setattr(Path, "mkdir", _refuse(number))
    with pytest.raises(StoreUnavailableError, match=rf"{said}\. Let this user write there, or put .*SINARA_<ENV>_ROOT"):
        store.start_run(step, record, now=now)


def test_a_root_that_is_a_file_is_told(tmp_path: Path, step: StepAddress, record: RunRecord, now: datetime) -> None:
    (tmp_path / "store").write_text("not a folder")
    store = store_at(str(tmp_path / "store"))
    for ask in (lambda: store.start_run(step, record, now=now), lambda: store.resolve(step, ["images"])):
        with pytest.raises(StoreUnavailableError, match=r"a file stands where a folder should be\. Move it away"):
            ask()
    assert (tmp_path / "store").read_text() == "not a folder"


def test_a_root_that_vanishes_while_an_entity_is_written_is_told_and_not_made_anew(
    tmp_path: Path, step: StepAddress, record: RunRecord, now: datetime
) -> None:
    store = store_at(str(tmp_path / "store"))
    run = store.start_run(step, record, now=now)
    writer = store.begin(run.entity("images"))
    shutil.move(tmp_path / "store", tmp_path / "taken")
    for name in ("a.bin", "deep/a.bin"):
        with pytest.raises(StoreUnavailableError, match=r"vanished while it was in use\. Bring"), writer.open(name):
            pass
    with pytest.raises((StoreUnavailableError, ArtifactNotFoundError)):
        writer.commit()
    with pytest.raises(StoreUnavailableError, match=r"vanished while it was in use"):
        store.replace_record(run, record)
    assert not (tmp_path / "store").exists()
    shutil.move(tmp_path / "taken", tmp_path / "store")
    assert store.entities(run) == []
    publish_files(store, run, "images")


def test_a_file_that_vanishes_after_its_entity_was_opened_is_named(store: ArtifactStore, run: RunAddress) -> None:
    publish_files(store, run, "images")
    reader = store.open(run.entity("images"))
    store.fs.rm(f"{store.root}/{run.path}/images/file.bin")
    with pytest.raises(ArtifactCorruptError, match=r"images/file\.bin is missing; its manifest promises it"):
        reader.read("file.bin")


@pytest.fixture
def s3_options(s3_server: S3Server) -> dict[str, object]:
    """Options that reach the server, without waiting long for one that is away."""
    return {**s3_server.storage_options, "config_kwargs": {"connect_timeout": 1, "retries": {"max_attempts": 0}}}


def test_an_s3_server_that_is_down_is_told(
    s3_options: dict[str, object], step: StepAddress, record: RunRecord, now: datetime
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{free.getsockname()[1]}"
        store = store_at("s3://test/down", storage=s3_options | {"endpoint_url": nobody})
        for ask in (lambda: store.start_run(step, record, now=now), lambda: store.resolve(step, ["images"])):
            with pytest.raises(StoreUnavailableError, match=r"Check that the server answers, its endpoint_url") as told:
                ask()
            assert nobody in str(told.value)


def test_a_bucket_that_is_missing_is_told_and_not_made(
    s3_options: dict[str, object], step: StepAddress, record: RunRecord, now: datetime
) -> None:
    store = store_at("s3://nobody-made-this/root", storage=s3_options)
    for ask in (lambda: store.start_run(step, record, now=now), lambda: store.resolve(step, ["images"])):
        with pytest.raises(
            StoreUnavailableError, match=r"s3://nobody-made-this\S*: the bucket does not exist\. Make it"
        ):
            ask()
    assert "nobody-made-this" not in store.fs.ls("")


@pytest.mark.parametrize("wrong", ["key", "secret"])
def test_wrong_credentials_are_told_and_not_shown(
    s3_options: dict[str, object], step: StepAddress, record: RunRecord, now: datetime, wrong: str
) -> None:
    store = store_at("s3://test/refused", storage=s3_options | {wrong: "mistyped-9f81"})
    for ask in (lambda: store.start_run(step, record, now=now), lambda: store.resolve(step, ["images"])):
        with pytest.raises(StoreUnavailableError, match=r"access is refused .*Check the credentials: \[env") as told:
            ask()
        assert "mistyped" not in str(told.value)
        assert str(s3_options["secret"]) not in str(told.value)


def test_a_damaged_record_makes_its_run_unresolvable_and_no_other(
    store: ArtifactStore,
    step: StepAddress,
    record: RunRecord,
    now: datetime,
    finish: Finish,
    caplog: pytest.LogCaptureFixture,
) -> None:
    good, damaged = (start_run(store, step, record, now) for _ in range(2))
    for run in (good, damaged):
        publish_files(store, run, "images")
        finish(run)
    lay_file(store, f"{damaged.path}/_RUN.json", b'{"run_id": "run-')
    assert store.resolve(step, ["images"]) == good
    assert f"{damaged.run_id}/_RUN.json: cannot be read" in caplog.text
    assert store.newest_url("images") == store.url_of(good.entity("images"))
    with pytest.raises(ArtifactNotFoundError, match=rf"{damaged.run_id}: its _RUN\.json cannot be read"):
        store.resolve(step, ["images"], run_id=damaged.run_id)


def test_a_run_of_ours_that_lost_its_record_does_not_pass_for_one_of_sinaraml(
    store: ArtifactStore, step: StepAddress, record: RunRecord, now: datetime
) -> None:
    run = start_run(store, step, record, now)
    publish_files(store, run, "images")
    store.fs.rm(f"{store.root}/{run.path}/_RUN.json")
    with pytest.raises(ArtifactNotFoundError, match=r"has lost its _RUN\.json"):
        store.resolve(step, ["images"])


def test_a_manifest_of_a_newer_version_says_what_to_update(store: ArtifactStore, run: RunAddress) -> None:
    publish_files(store, run, "images")
    path = f"{store.root}/{run.path}/images"
    newer = json.loads(store.fs.cat_file(f"{path}/_MANIFEST.json")) | {"format": 2, "colour": "blue"}
    data = json.dumps(newer).encode()
    store.fs.pipe_file(f"{path}/_MANIFEST.json", data)
    store.fs.pipe_file(f"{path}/_SUCCESS", hashlib.sha256(data).hexdigest().encode())
    with pytest.raises(ArtifactCorruptError, match=r"newer sinara_lib wrote it: update sinara_lib"):
        store.open(run.entity("images"))


@pytest.mark.parametrize("back", [timedelta(milliseconds=1), timedelta(hours=1), timedelta(days=400)])
def test_a_run_started_after_the_clock_went_back_is_still_the_newest(
    store: ArtifactStore, step: StepAddress, record: RunRecord, now: datetime, finish: Finish, back: timedelta
) -> None:
    before = start_run(store, step, record, now)
    after = store.start_run(step, record, now=now - back)
    assert after.run_id == new_run_id(now + timedelta(milliseconds=1))
    for run in (before, after):
        publish_files(store, run, "images")
        finish(run)
    assert store.resolve(step, ["images"]) == after


def test_a_clock_that_is_far_behind_is_told(
    store: ArtifactStore, step: StepAddress, record: RunRecord, now: datetime, caplog: pytest.LogCaptureFixture
) -> None:
    newest = start_run(store, step, record, now)
    store.start_run(step, record, now=now - timedelta(minutes=5))
    assert f"the clock is behind run {newest.run_id}" in caplog.text


@pytest.mark.parametrize(
    ("first", "second"),
    [("Photo.jpg", "photo.jpg"), ("A/x.jpg", "a/y.jpg"), ("caf\u00e9", "cafe\u0301"), ("a", "a/b"), ("a/b", "a")],
)
def test_names_that_other_systems_take_for_one_are_refused(
    store: ArtifactStore, run: RunAddress, first: str, second: str
) -> None:
    with store.begin(run.entity("images")) as writer:
        with writer.open(first) as sink:
            sink.write(b"1")
        with pytest.raises(LayoutError, match=r"a file cannot be named .* rename one of them"), writer.open(second):
            pass
    assert [entry.path for entry in store.open(run.entity("images")).manifest.files] == [first]


def test_a_folder_that_an_entity_cannot_hold_is_refused(store: ArtifactStore, run: RunAddress, tmp_path: Path) -> None:
    url, folder = store.url_of(run.entity("report")), tmp_path / "report"
    with pytest.raises(LayoutError, match=r"report cannot be published: it is no folder"):
        publish_folder(folder, url)
    (folder / "empty").mkdir(parents=True)
    with pytest.raises(LayoutError, match=r"empty cannot be published: it is empty, .*archive\.pack"):
        publish_folder(folder, url)
    (folder / "empty").rmdir()
    (folder / "link").symlink_to(tmp_path)
    with pytest.raises(LayoutError, match=r"link cannot be published: it is neither file nor folder"):
        publish_folder(folder, url)
    assert store.entities(run) == []


def test_a_manifest_that_names_a_file_outside_its_entity_is_refused(
    store: ArtifactStore, run: RunAddress, tmp_path: Path
) -> None:
    publish_files(store, run, "images")
    path = f"{store.root}/{run.path}/images"
    data = store.fs.cat_file(f"{path}/_MANIFEST.json").replace(b'"file.bin"', b'"../../../file.bin"')
    store.fs.pipe_file(f"{path}/_MANIFEST.json", data)
    store.fs.pipe_file(f"{path}/_SUCCESS", hashlib.sha256(data).hexdigest().encode())
    with pytest.raises(ArtifactCorruptError, match=r"climbs out of the entity"):
        fetch_folder(store.url_of(run.entity("images")), tmp_path / "out" / "deep" / "deeper")
    assert not (tmp_path / "out").exists()


def test_a_damaged_file_does_not_stay_where_it_was_fetched(
    store: ArtifactStore, run: RunAddress, tmp_path: Path
) -> None:
    publish_files(store, run, "images", data=b"1234")
    store.fs.pipe_file(f"{store.root}/{run.path}/images/file.bin", b"1235")
    with pytest.raises(ArtifactCorruptError):
        fetch_folder(store.url_of(run.entity("images")), tmp_path / "out")
    assert not (tmp_path / "out" / "file.bin").exists()


def test_files_beyond_five_gigabytes_fit_into_the_parts_of_an_upload(s3_options: dict[str, object]) -> None:
    store = store_at("s3://test/large", storage=s3_options)
    with store.fs.open("test/large/file", "wb") as file:
        assert file.blocksize * 10_000 > 100 * 2**30


@pytest.mark.parametrize("keeps_listings", [False, True])
def test_what_one_process_does_is_seen_at_once_by_another(
    s3_root: str, step: StepAddress, record: RunRecord, now: datetime, keeps_listings: bool
) -> None:
    here, there = store_at(s3_root), store_at(s3_root, storage=_other_connection(keeps_listings=keeps_listings))
    assert here.fs is not there.fs
    assert there.runs(step) == []
    run = here.start_run(step, record, now=now)
    publish_files(here, run, "images")
    assert there.runs(step) == [run]
    assert there.entities(run) == [run.entity("images")]
    here.replace_record(run, record.model_copy(update={"run_id": run.run_id, "status": RunStatus.SUCCESS}))
    assert there.resolve(step, ["images"]) == run


def _other_connection(*, keeps_listings: bool) -> dict[str, object]:
    """Options of a driver that shares nothing with the one in use, and may keep listings."""
    storage = json.loads(os.environ["SINARA_LOOPBACK_STORAGE"])
    return {**storage, "use_listings_cache": keeps_listings, "max_concurrency": 3}
