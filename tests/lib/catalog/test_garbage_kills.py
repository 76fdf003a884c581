"""A gc that is killed, at whatever point: no reader sees half an entity, and the next one finishes."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from fsspec import AbstractFileSystem
from fsspec.implementations.local import LocalFileSystem

from garbage_cases import collect, finish_run, leave_remains, run_ids_left
from lineage_cases import History
from sinara_lib.catalog.catalog import read_runs
from sinara_lib.errors import ArtifactNotFoundError
from sinara_lib.layout import RunAddress
from sinara_lib.store import ArtifactStore
from sinara_lib.store.manifest import Process, RunStatus
from store_cases import differences, files_below


class Killed(BaseException):
    """The end of the process."""


@contextmanager
def _killed_at(fs: AbstractFileSystem, number: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Raise Killed instead of the `number`-th (from 0) removal of a file, folder or object, or record's rewriting."""
    count = [0]

    def or_die(function: Callable[..., Any]) -> Callable[..., Any]:
        def step(*args: Any, **kwargs: Any) -> Any:
            count[0] += 1
            if count[0] > number:
                raise Killed
            return function(*args, **kwargs)

        return step

    with monkeypatch.context() as patch:
        if isinstance(fs, LocalFileSystem):
            for name in ("unlink", "remove", "rmdir", "replace"):
                patch.setattr(os, name, or_die(getattr(os, name)))
        else:
            for name in {"s3": ("rm", "rm_file", "pipe_file"), "memory": ("rm_file", "rmdir", "pipe_file")}[
                fs.protocol if isinstance(fs.protocol, str) else fs.protocol[0]
            ]:
                patch.setattr(fs, name, or_die(getattr(fs, name)))
        yield count


def _whole(store: ArtifactStore) -> None:
    """Every entity that a reader can find is complete."""
    for found in read_runs("user", store):
        try:
            store.resolve(found.address.step, ["images"], run_id=found.address.run_id)
        except ArtifactNotFoundError:
            continue
        assert store.open(found.address.entity("images")).read("file.bin")
    assert differences(store) == []


def test_a_gc_that_is_killed_at_any_point_leaves_every_visible_entity_whole_and_the_next_one_finishes(
    history: History, dead: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, newest = history.run("data_load", "images", "labels"), history.run("data_load", "images")
    _finish_with_remains(history, newest)
    killed = history.run("data_prep", "images", status=RunStatus.RUNNING, process=dead)
    for number in range(200):
        with _killed_at(history.store.fs, number, monkeypatch) as count:
            try:
                collect(history, keep_last=1)
            except Killed:
                pass
        _whole(history.store)
        assert history.store.resolve(newest.step, ["images"]) == newest
        if count[0] <= number:
            break
    assert number > 5
    assert run_ids_left(history) == {newest.run_id}
    assert not any(run.run_id in path for path in files_below(history.store) for run in (old, killed))


def _finish_with_remains(history: History, run: RunAddress) -> None:
    record = history.store.run_record(run)
    assert record is not None
    history.store.replace_record(run, record.model_copy(update={"status": RunStatus.RUNNING}))
    leave_remains(history.store, run)
    finish_run(history.store, run)


def test_a_run_marked_by_a_killed_gc_is_given_back_when_it_is_in_use(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, _ = history.run("data_load", "images"), history.run("data_load", "images")
    before = history.store.run_record(old)
    with pytest.raises(Killed), _killed_at(history.store.fs, 1, monkeypatch):
        collect(history, keep_last=1)
    marked = history.store.run_record(old)
    assert marked is not None
    assert (marked.status, marked.status_before) == (RunStatus.REMOVING, RunStatus.SUCCESS)
    history.run("data_prep", "train", inputs=[history.url(old, "images")])
    assert collect(history).removed == ()
    assert history.store.run_record(old) == before
