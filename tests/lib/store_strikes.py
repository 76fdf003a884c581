"""Failures on purpose: the n-th operation that changes a store fails, is done but not answered, or is the last one."""

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

import pytest
from fsspec.asyn import sync_wrapper
from fsspec.implementations.local import LocalFileSystem
from fsspec.implementations.memory import MemoryFileSystem

from sinara_lib.store.files import StoreFiles
from sinara_lib.store.plain_file import PlainFile

FAIL, LOSE_ANSWER, KILL = "fail", "lose the answer", "kill"
_CHANGES = {"os.mkdir", "os.rename", "os.remove", "os.rmdir"}
_S3_READS = {"list_objects_v2", "head_object", "get_object", "head_bucket", "get_bucket_location"}


class Strike:
    """Counts changes of a store and strikes at the one of number `at` (from 0)."""

    def __init__(self, at: int, how: str) -> None:
        self.count = 0
        self.struck = False
        self._at = at
        self._how = how

    def before(self, what: str) -> None:
        """Count a change that is about to be made."""
        self.count += 1
        if self.count - 1 == self._at and self._how != LOSE_ANSWER:
            self._strike(what)

    def after(self, what: str) -> None:
        """Strike once the change is made."""
        if self.count - 1 == self._at and self._how == LOSE_ANSWER and not self.struck:
            self._strike(what)

    def _strike(self, what: str) -> None:
        self.struck = True
        if self._how == KILL:
            os.kill(os.getpid(), signal.SIGKILL)
        raise OSError(5, f"struck at {what}")


_STRIKE: list[Strike] = []


def strike_at(at: int, how: str, fs: Any, patch: pytest.MonkeyPatch) -> Strike:
    """Let the change of number `at` on `fs` fail in the way `how`, until `patch` is undone and `end_strike` called."""
    strike = Strike(at, how)
    _STRIKE[:] = [strike]
    if isinstance(fs, LocalFileSystem):
        _watch_local_disk(patch)
    elif isinstance(fs, MemoryFileSystem):
        for name in ("write", "create", "remove_file", "remove_folder"):
            patch.setattr(StoreFiles, name, _watched(getattr(StoreFiles, name), name))
        patch.setattr(PlainFile, "write", _watched(PlainFile.write, "write"))
    else:
        watched = _watched_s3(type(fs)._call_s3)
        patch.setattr(type(fs), "_call_s3", watched)
        patch.setattr(type(fs), "call_s3", sync_wrapper(watched))  # what the driver's files call
    return strike


def end_strike() -> None:
    """Let everything succeed again."""
    _STRIKE.clear()


def _watch_local_disk(patch: pytest.MonkeyPatch) -> None:
    if not getattr(sys, "_store_strikes", False):
        sys.addaudithook(_audit)
        sys._store_strikes = True  # type: ignore[attr-defined]
    patch.setattr(os, "fsync", _watched(os.fsync, "fsync"))
    patch.setattr(PlainFile, "write", _watched(PlainFile.write, "write"))


def _audit(event: str, args: tuple[Any, ...]) -> None:
    """Tell the strike of every change that the interpreter announces."""
    writes = event == "open" and isinstance(args[2], int) and args[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
    if _STRIKE and (writes or event in _CHANGES) and "store" in str(args[0]):
        _STRIKE[0].before(f"{event} {args[0]}")


def _watched(change: Callable[..., Any], name: str) -> Callable[..., Any]:
    def watched(*args: Any, **kwargs: Any) -> Any:
        for strike in _STRIKE:
            strike.before(name)
        done = change(*args, **kwargs)
        for strike in _STRIKE:
            strike.after(name)
        return done

    return watched


def _watched_s3(call: Callable[..., Any]) -> Callable[..., Any]:
    async def watched(self: Any, method: str, *args: Any, **kwargs: Any) -> Any:
        changes = [strike for strike in _STRIKE if method not in _S3_READS]
        for strike in changes:
            strike.before(method)
        done = await call(self, method, *args, **kwargs)
        for strike in changes:
            strike.after(method)
        return done

    return watched
