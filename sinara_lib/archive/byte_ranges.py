"""Ranges of bytes of a store's files: from open files on disk, or by requests to an object store."""

import os
from collections import OrderedDict
from collections.abc import Callable, Sequence
from threading import Lock
from typing import Any, NamedTuple

from fsspec import AbstractFileSystem

from sinara_lib.errors import ArtifactCorruptError
from sinara_lib.store.failures import plain_errors

MOST_DESCRIPTORS = 64
LOCAL_BYTES = 1 << 20
"""From disk at most this is read at once: it stays in the processor's cache while it is checked and written."""
REMOTE_BYTES = 8 << 20
"""What is asked of an object store at once, in one request or in several."""


class Range(NamedTuple):
    """Some bytes of one file."""

    path: str
    start: int
    length: int


class _Descriptor:
    """An open file that is closed when nobody reads it any more."""

    def __init__(self, path: str) -> None:
        self.number = os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))

    def __del__(self) -> None:
        number = self.__dict__.pop("number", None)
        if number is not None:
            os.close(number)


def _opened(path: str) -> _Descriptor:
    try:
        return _Descriptor(path)
    except FileNotFoundError as error:
        raise _gone(path) from error


def _gone(path: str) -> ArtifactCorruptError:
    return ArtifactCorruptError(f"{path} is gone: it was removed after the archive was opened.")


class LocalBytes:
    """Reads ranges of files on disk; the last few files stay open, shared by all threads of one process."""

    most = LOCAL_BYTES

    def __init__(self) -> None:
        self._forget()

    def read(self, ranges: Sequence[Range]) -> list[bytes]:
        """Return the bytes of each range, fewer at a file's end.

        Raises ArtifactCorruptError for a file that is gone.
        """
        return [os.pread(self._descriptor(path).number, length, start) for path, start, length in ranges]

    def one_by_one(self) -> Callable[[Range], memoryview]:
        """Return a call that reads one range of at most `most` bytes, always into the same memory."""
        buffer = memoryview(bytearray(self.most))

        def read(one: Range) -> memoryview:
            count = os.preadv(self._descriptor(one.path).number, [buffer[: one.length]], one.start)
            return buffer[:count]

        return read

    def close(self) -> None:
        """Let go of the open files."""
        with self._lock:
            self._open.clear()

    def _descriptor(self, path: str) -> _Descriptor:
        if self._process != os.getpid():
            self._forget()
        with self._lock:
            if path not in self._open:
                self._open[path] = _opened(path)
                if len(self._open) > MOST_DESCRIPTORS:
                    self._open.popitem(last=False)
            self._open.move_to_end(path)
            return self._open[path]

    def _forget(self) -> None:
        # A forked process cannot trust the lock: a thread that it does not have may hold it.
        self._open: OrderedDict[str, _Descriptor] = OrderedDict()
        self._lock = Lock()
        self._process = os.getpid()

    def __reduce__(self) -> tuple[Any, ...]:
        return LocalBytes, ()


class RemoteBytes:
    """Reads ranges of files in an object store."""

    most = REMOTE_BYTES

    def __init__(self, fs: AbstractFileSystem) -> None:
        self._fs = fs
        self._process = os.getpid()

    def read(self, ranges: Sequence[Range]) -> list[bytes]:
        """Return the bytes of each range, fewer at a file's end; several are asked for at the same time.

        Raises ArtifactCorruptError for a file that is gone, StoreUnavailableError when the store does not answer.
        """
        fs, asked = self._filesystem(), [one for one in ranges if one.length]
        paths, starts = [one.path for one in asked], [one.start for one in asked]
        ends = [one.start + one.length for one in asked]
        answers = zip(paths, fs.cat_ranges(paths, starts, ends, on_error="return"), strict=True)
        return [_answer(fs, *next(answers)) if one.length else b"" for one in ranges]

    def one_by_one(self) -> Callable[[Range], memoryview]:
        """Return a call that reads one range."""
        return lambda one: memoryview(self.read([one])[0])

    def close(self) -> None:
        """Do nothing: nothing stays open between reads."""

    def _filesystem(self) -> AbstractFileSystem:
        """Return the filesystem; a forked process needs its own, as threads and sockets stay with the parent."""
        if self._process != os.getpid():
            self._fs = type(self._fs)(*self._fs.storage_args, **self._fs.storage_options)
            self._process = os.getpid()
        return self._fs


def _answer(fs: AbstractFileSystem, path: str, answer: bytes | Exception) -> bytes:
    """Return the bytes that came, or raise what came in their place."""
    if not isinstance(answer, Exception):
        return answer
    try:
        with plain_errors(fs, path):
            raise answer
    except FileNotFoundError as error:
        raise _gone(path) from error
