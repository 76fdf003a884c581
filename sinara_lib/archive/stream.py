"""Streaming the files of an archive: in shard order or shuffled, read ahead by threads, divided among workers."""

import random
from collections import deque
from collections.abc import Collection, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol

from sinara_lib.errors import ArtifactError, ArtifactNotFoundError, ParamsError, SinaraError

PREFETCH = 32 << 20
"""Bytes that are read ahead of the consumer."""
BATCH = 4 << 20
"""Bytes that are asked for at once; an object store sends the neighbours among them in one answer."""
THREADS = 4

Files = Generator[tuple[str, bytes], None, None]


class Readable(Protocol):
    """Files by name: those of an archive, or of a folder. `read_many` is called from several threads at once."""

    def names(self) -> list[str]:
        """Return the names of all files in shard order."""

    def length(self, name: str) -> int:
        """Return the size of one file in bytes."""

    def read(self, name: str) -> bytes:
        """Return the bytes of one file."""

    def read_many(self, names: Sequence[str]) -> list[bytes]:
        """Return the bytes of each file."""

    def batches(self, names: Collection[str]) -> list[list[str]]:
        """Group those of `names` that are there, in shard order, into lists to give to `read_many`."""


def iterate(
    reader: Readable,
    names: Iterable[str] | None = None,
    *,
    shuffle_seed: int | None = None,
    shuffle_window: int | None = None,
    part: tuple[int, int] = (0, 1),
    prefetch: int = PREFETCH,
) -> Files:
    """Return an iterator over name and bytes of each file, or of `names` in the order given.

    shuffle_seed: the same seed gives the same order, whatever the backend.
    shuffle_window: bytes. None mixes all files, which costs one request per file on an object store. Else neighbours
    of 4 MiB are drawn together, and mixed with others within windows of about this size: almost as fast as shard order.
    part: (k, n), the k-th (from 0) of n shares, which are disjoint and together complete for equal other arguments.
    prefetch: bytes that threads read ahead; 0 reads only when asked. In memory are at most these and one batch more:
    4 MiB, a window or a single larger file. The threads end with the iterator, also when it is left early.
    Raises ArtifactNotFoundError for names that are not there, ParamsError for an impossible part or window.
    """
    chosen = reader.names() if names is None else _known(names, reader)
    batches = plan(reader, chosen, shuffle_seed=shuffle_seed, shuffle_window=shuffle_window, part=part)
    return _read_ahead(reader, batches, prefetch) if prefetch > 0 else _read_when_asked(reader, batches)


def plan(
    reader: Readable,
    names: Sequence[str],
    *,
    shuffle_seed: int | None,
    shuffle_window: int | None,
    part: tuple[int, int],
) -> list[list[str]]:
    """Return the files of one share in batches that are read together; arguments as in `iterate`."""
    share, shares = part
    if not 0 <= share < shares:
        raise ParamsError(f"part is (k, n) with 0 <= k < n, found {part}.")
    if shuffle_window is not None and (shuffle_seed is None or shuffle_window <= 0):
        raise ParamsError(f"shuffle_window is a number of bytes and needs a shuffle_seed, found {shuffle_window}.")
    blocks = [[name] for name in names] if shuffle_window is None else list(_filled(names, BATCH, reader))
    if shuffle_seed is not None:
        random.Random(shuffle_seed).shuffle(blocks)  # noqa: S311 - an order, not a secret
    mine = [name for block in blocks[_cut(blocks, share, shares) : _cut(blocks, share + 1, shares)] for name in block]
    batches = list(_filled(mine, shuffle_window or BATCH, reader))
    if shuffle_window is not None:
        mixer = random.Random(f"{shuffle_seed} {share}")  # noqa: S311
        for batch in batches:
            mixer.shuffle(batch)
    return batches


def batches_of(reader: Readable, names: Collection[str]) -> list[list[str]]:
    """Group those of `names` that are there, in shard order, into lists of at most BATCH bytes; see `read_many`."""
    wanted = set(names)
    return list(_filled((name for name in reader.names() if name in wanted), BATCH, reader))


def _known(names: Iterable[str], reader: Readable) -> list[str]:
    chosen, there = list(names), {*reader.names()}
    if lost := [name for name in chosen if name not in there]:
        raise ArtifactNotFoundError(f"The archive has no file {lost[0]!r} ({len(lost)} of {len(chosen)} are missing).")
    return chosen


def _cut(blocks: Sequence[object], share: int, shares: int) -> int:
    return len(blocks) * share // shares


def _filled(names: Iterable[str], size: int, reader: Readable) -> Iterator[list[str]]:
    """Group names, in order, into lists of at most `size` bytes; a larger file stands alone."""
    batch: list[str] = []
    held = 0
    for name in names:
        length = reader.length(name)
        if batch and held + length > size:
            yield batch
            batch, held = [], 0
        batch.append(name)
        held += length
    if batch:
        yield batch


def _read_when_asked(reader: Readable, batches: Iterable[list[str]]) -> Files:
    for batch in batches:
        yield from zip(batch, _read(reader, batch), strict=True)


def _read_ahead(reader: Readable, batches: Iterable[list[str]], prefetch: int) -> Files:
    pool = ThreadPoolExecutor(THREADS, thread_name_prefix="sinara-read")
    ahead = _Ahead(pool, reader, batches, prefetch)
    try:
        while ahead.fill():
            names, future = ahead.take()
            ahead.fill()
            yield from zip(names, future.result(), strict=True)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


class _Ahead:
    """Batches on their way: at most `limit` bytes of them, or a single larger one."""

    def __init__(self, pool: ThreadPoolExecutor, reader: Readable, batches: Iterable[list[str]], limit: int) -> None:
        self._pool = pool
        self._reader = reader
        self._todo = deque(batches)
        self._limit = limit
        self._waiting: deque[tuple[list[str], int, Future[list[bytes]]]] = deque()
        self._held = 0

    def fill(self) -> bool:
        """Ask for as many batches as may be waited for, and tell whether there is one to take."""
        while self._todo:
            size = sum(map(self._reader.length, self._todo[0]))
            if self._waiting and self._held + size > self._limit:
                break
            batch = self._todo.popleft()
            self._waiting.append((batch, size, self._pool.submit(_read, self._reader, batch)))
            self._held += size
        return bool(self._waiting)

    def take(self) -> tuple[list[str], Future[list[bytes]]]:
        """Hand out the batch that was asked for first."""
        names, size, future = self._waiting.popleft()
        self._held -= size
        return names, future


def _read(reader: Readable, names: list[str]) -> list[bytes]:
    try:
        return reader.read_many(names)
    except SinaraError:
        raise
    except Exception as error:
        # Whatever the filesystem raises, the reader needs to know at which file.
        others = f" or one of the {len(names) - 1} after it" if len(names) > 1 else ""
        raise ArtifactError(f"{names[0]!r}{others} cannot be read: {error}") from error
