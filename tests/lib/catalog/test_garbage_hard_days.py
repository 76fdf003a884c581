"""gc on a full disk, from anywhere, several at once, and told what to keep in whatever form."""

import errno
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from garbage_cases import collect, leave_remains, run_ids_left
from lineage_cases import History
from sinara_lib.errors import ArtifactNotFoundError, LayoutError
from sinara_lib.layout import RunAddress
from sinara_lib.store import local_files, store_at
from sinara_lib.store.liveness import this_process
from sinara_lib.store.manifest import MARK_FILE, RUN_FILE, Process, RunStatus
from small_disk import fill, small_disk
from store_cases import differences


@pytest.fixture
def here(tmp_path: Path, now: datetime) -> History:
    """An empty history on disk."""
    return History(store_at(str(tmp_path / "store")), now)


@pytest.fixture
def on_small_disk(tmp_path: Path, now: datetime) -> Iterator[History]:
    """An empty history on a disk of a megabyte."""
    with small_disk(tmp_path / "disk", kib=1024):
        yield History(store_at(str(tmp_path / "disk" / "store")), now)


@pytest.fixture
def full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Fill the small disk: no byte can be written to a file from then on."""

    def fill_up() -> None:
        if (tmp_path / "disk").is_mount():
            fill(tmp_path / "disk")
            return

        def refuse(path: Path, data: bytes) -> None:
            path.write_bytes(b"")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

        monkeypatch.setattr("sinara_lib.store.files.write_through", refuse)

    return fill_up


def test_on_a_full_disk_runs_go_all_the_same(
    on_small_disk: History, dead: Process, full_disk: Callable[[], None]
) -> None:
    on_small_disk.run("data_load", "images")
    new = on_small_disk.run("data_load", "images")
    on_small_disk.run("data_prep", "train", status=RunStatus.RUNNING, process=dead)
    full_disk()
    assert len(collect(on_small_disk, keep_last=1).removed) == 2
    assert run_ids_left(on_small_disk) == {new.run_id}
    assert [p.name for p in Path(on_small_disk.store.root).rglob(".*")] == []


def test_a_run_marked_on_a_full_disk_is_not_read_and_its_removal_is_finished(
    on_small_disk: History, full_disk: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = on_small_disk.run("data_load", "images"), on_small_disk.run("data_load", "images")
    full_disk()
    with monkeypatch.context() as patch:
        patch.setattr("sinara_lib.catalog.garbage._used_meanwhile", _interrupt)
        with pytest.raises(KeyboardInterrupt):
            collect(on_small_disk, keep_last=1)
    assert sorted(p.name for p in (Path(on_small_disk.store.root) / old.path).iterdir()) == [MARK_FILE, "images"]
    assert differences(on_small_disk.store) == []
    with pytest.raises(ArtifactNotFoundError, match=rf"has lost its {RUN_FILE}"):
        on_small_disk.store.resolve(old.step, ["images"], run_id=old.run_id)
    assert [one.why for one in collect(on_small_disk).removed] == ["half removed by a gc that was stopped"]
    assert run_ids_left(on_small_disk) == {new.run_id}


def test_a_run_marked_on_a_full_disk_that_comes_into_use_is_given_back(
    on_small_disk: History, full_disk: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    old, _ = on_small_disk.run("data_load", "images"), on_small_disk.run("data_load", "images")
    before = on_small_disk.store.run_record(old)
    full_disk()
    monkeypatch.setattr("sinara_lib.catalog.garbage._used_meanwhile", lambda *_: {old.path})
    assert collect(on_small_disk, keep_last=1).kept == (on_small_disk.store.url_of(old),)
    assert on_small_disk.store.run_record(old) == before


def _interrupt(*_: Any) -> None:
    raise KeyboardInterrupt


def test_gc_works_from_within_a_run_that_goes(here: History, monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = here.run("data_load", "images"), here.run("data_load", "images")
    monkeypatch.chdir(Path(here.store.root) / old.path / "images")
    assert len(collect(here, keep_last=1).removed) == 1
    os.chdir("/")
    assert run_ids_left(here) == {new.run_id}


@pytest.mark.parametrize("full", [False, True])
def test_three_gcs_at_a_time_say_each_what_they_removed_themselves(
    on_small_disk: History, dead: Process, full_disk: Callable[[], None], *, full: bool
) -> None:
    here = on_small_disk
    for _ in range(6):
        here.run("data_load", "images", "labels")
    last = here.run("data_load", "images")
    leave_remains(here.store, here.run("data_prep", status=RunStatus.RUNNING, process=this_process()))
    here.run("data_prep", "train", status=RunStatus.RUNNING, process=dead)
    if full:
        full_disk()
    start = threading.Barrier(3)

    def gc(_: int) -> list[str]:
        start.wait()
        return [one.url for one in collect(here, keep_last=1).removed]

    with ThreadPoolExecutor(3) as pool:
        told = [url for urls in pool.map(gc, range(3)) for url in urls]
    assert len(told) == len(set(told)) == 7
    assert len(run_ids_left(here)) == 2
    assert last.run_id in run_ids_left(here)


def test_without_a_lock_who_comes_too_late_for_a_run_does_nothing_and_says_nothing_of_it(
    here: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, _ = here.run("data_load", "images"), here.run("data_load", "images")
    mark = collect.__globals__["collect_garbage"].__globals__["mark_run"]

    def too_late(store: Any, run: Any) -> bool:
        local_files.remove_tree(f"{store.root}/{old.path}")
        return bool(mark(store, run))

    monkeypatch.setattr("sinara_lib.catalog.garbage.mark_run", too_late)
    assert collect(here, keep_last=1).removed == ()


@pytest.mark.parametrize(
    "form",
    [
        "{id}",
        " {id} ",
        "{url}",
        "{url}/",
        "{url}/images",
        "{url}/images/",
        "{path}",
        "{path}/images/file.bin",
        "{url}/reports_x_ipynb/report.html",
    ],
)
def test_a_run_is_kept_by_every_form_that_a_command_prints(here: History, form: str) -> None:
    old, _ = here.run("data_load", "images"), here.run("data_load", "images")
    url = here.store.url_of(old)
    named = form.format(id=old.run_id, url=url, path=url.removeprefix("file://"))
    assert collect(here, keep_last=1, keep=[named]).removed == ()
    assert here.store.is_committed(old.entity("images"))


@pytest.mark.parametrize(
    "form", ["run-26-11-21-013711-999", "{url}9", "{id}x y", "data_load", "", "file:///nowhere/rest/test/load/{id}"]
)
def test_what_names_no_run_is_refused_before_anything_is_marked(here: History, form: str) -> None:
    old, _ = here.run("data_load", "images"), here.run("data_load", "images")
    before = here.store.run_record(old)
    with pytest.raises((ArtifactNotFoundError, LayoutError)):
        collect(here, keep_last=1, keep=[form.format(id=old.run_id, url=here.store.url_of(old))])
    assert here.store.run_record(old) == before


def test_a_url_keeps_its_run_alone_and_an_id_all_runs_that_bear_it(here: History) -> None:
    runs: list[RunAddress] = []
    for step in ("data_load", "data_prep"):
        runs.append(here.run(step, "images", run_id="run-26-11-21-013711-000"))
        here.run(step, "images")
    done = collect(here, keep_last=1, keep=[here.store.url_of(runs[0])], dry_run=True)
    assert [one.url for one in done.removed] == [here.store.url_of(runs[1])]
    assert collect(here, keep_last=1, keep=[runs[0].run_id], dry_run=True).removed == ()
