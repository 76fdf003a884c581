"""archive_stream: every file once, in an order that can be had again, in bounded memory, and no thread left behind."""

import itertools
import threading
import time
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinara_lib.archive.stream import BATCH, THREADS, iterate
from sinara_lib.errors import ArtifactCorruptError, ArtifactError, ArtifactNotFoundError, ParamsError


class Shelf:
    """Files of given sizes, whose content is their number; counts the bytes that are out and not yet consumed."""

    def __init__(self, sizes: Sequence[int], *, breaks: dict[str, Exception] | None = None) -> None:
        self.sizes = {f"{number:05d}.jpg": size for number, size in enumerate(sizes)}
        self.breaks = breaks or {}
        self.batches: list[list[str]] = []
        self.out = self.most = 0
        self._lock = threading.Lock()

    def names(self) -> list[str]:
        return [*self.sizes]

    def length(self, name: str) -> int:
        return self.sizes[name]

    def read_many(self, names: Sequence[str]) -> list[bytes]:
        with self._lock:
            self.batches.append([*names])
            self.out += sum(map(self.length, names))
            self.most = max(self.most, self.out)
        time.sleep(0.001)
        for name in names:
            if name in self.breaks:
                raise self.breaks[name]
        return [name.encode() for name in names]

    def consume(self, files: Iterator[tuple[str, bytes]]) -> list[str]:
        """Take all files, checking that each comes with its own bytes."""
        taken = []
        for name, data in files:
            assert data == name.encode()
            taken.append(name)
            with self._lock:
                self.out -= self.sizes[name]
        return taken


def _readers() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("sinara-read")]


shares = st.integers(1, 9)
seeds = st.none() | st.integers(0, 1000)
sizes = st.lists(st.integers(0, 3 * BATCH), max_size=60)


@pytest.mark.parametrize("prefetch", [0, 1, BATCH, 100 * BATCH])
def test_without_a_seed_files_come_in_shard_order(prefetch: int) -> None:
    shelf = Shelf([BATCH // 7] * 40)
    assert shelf.consume(iterate(shelf, prefetch=prefetch)) == shelf.names()


def test_named_files_come_in_the_order_they_are_named_also_twice() -> None:
    shelf = Shelf([10] * 9)
    wanted = ["00007.jpg", "00002.jpg", "00007.jpg"]
    assert shelf.consume(iterate(shelf, wanted)) == wanted


@pytest.mark.parametrize("window", [None, 3 * BATCH])
def test_a_seed_gives_its_order_again_and_another_seed_another(window: int | None) -> None:
    shelf = Shelf([BATCH // 5] * 200)
    first, again, other = (shelf.consume(iterate(shelf, shuffle_seed=s, shuffle_window=window)) for s in (1, 1, 2))
    assert first == again
    assert sorted(first) == sorted(other) == shelf.names()
    assert first != other
    assert first != shelf.names()


def test_the_order_of_a_seed_is_the_same_in_every_release() -> None:
    shelf = Shelf([1] * 10)
    order = [int(name[:5]) for name, _ in iterate(shelf, shuffle_seed=7)]
    assert order == [8, 3, 1, 4, 7, 0, 9, 6, 2, 5]


@given(sizes=sizes, of=shares, seed=seeds, window=st.none() | st.integers(1, 9 * BATCH))
def test_shares_are_disjoint_and_together_complete(
    sizes: list[int], of: int, seed: int | None, window: int | None
) -> None:
    shelf = Shelf(sizes)
    window = window if seed is not None else None
    parts = [
        shelf.consume(iterate(shelf, shuffle_seed=seed, shuffle_window=window, part=(k, of), prefetch=0))
        for k in range(of)
    ]
    assert sorted(name for part in parts for name in part) == shelf.names()
    if window is None:
        assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_a_window_mixes_files_of_distant_places_yet_asks_for_neighbours_together() -> None:
    shelf = Shelf([BATCH // 4] * 4000)
    order = [int(n[:5]) for n in shelf.consume(iterate(shelf, shuffle_seed=3, shuffle_window=8 * BATCH))]
    for batch in shelf.batches:
        numbers = [int(name[:5]) for name in batch]
        blocks = {number // 4 for number in numbers}
        assert len(blocks) == 8
        assert sorted(numbers) == sorted(4 * block + place for block in blocks for place in range(4))
    jumps = [abs(a - b) for a, b in itertools.pairwise(order)]
    assert sum(jump > 100 for jump in jumps) > 0.8 * len(jumps)


@given(sizes=sizes, seed=seeds, prefetch=st.integers(1, 9 * BATCH))
def test_no_more_is_in_memory_than_what_is_read_ahead_and_one_batch(
    sizes: list[int], seed: int | None, prefetch: int
) -> None:
    shelf = Shelf(sizes)
    shelf.consume(iterate(shelf, shuffle_seed=seed, prefetch=prefetch))
    largest = max([BATCH, *sizes])
    assert shelf.most <= max(prefetch, largest) + largest


def test_reading_goes_on_while_the_consumer_works() -> None:
    shelf = Shelf([BATCH] * 20)
    files = iterate(shelf, prefetch=3 * BATCH)
    next(files)
    deadline = time.monotonic() + 10
    while len(shelf.batches) < 4 and time.monotonic() < deadline:
        time.sleep(0.001)
    assert len(shelf.batches) == 4
    files.close()


def test_leaving_early_ends_the_threads_and_what_was_still_to_be_read() -> None:
    shelf = Shelf([BATCH] * 50)
    for name, _ in iterate(shelf, prefetch=30 * BATCH):
        assert name == "00000.jpg"
        assert 0 < len(_readers()) <= THREADS
        break
    assert _readers() == []
    assert len(shelf.batches) < 50


def test_an_error_of_the_consumer_ends_the_threads() -> None:
    def consume() -> None:
        for _ in iterate(Shelf([BATCH] * 50)):
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        consume()
    assert _readers() == []


@pytest.mark.parametrize("prefetch", [0, 8 * BATCH])
def test_what_a_filesystem_raises_comes_with_the_files_name(prefetch: int) -> None:
    shelf = Shelf([BATCH] * 9, breaks={"00005.jpg": ConnectionResetError("peer went away")})
    files = iterate(shelf, prefetch=prefetch)
    assert [name for name, _ in itertools.islice(files, 5)] == shelf.names()[:5]
    with pytest.raises(ArtifactError, match=r"'00005\.jpg' cannot be read: peer went away"):
        next(files)
    assert _readers() == []


def test_what_the_archive_says_itself_is_not_said_twice() -> None:
    told = ArtifactCorruptError("part-00000.parquet: 00001.jpg: expected sha256 a, found b")
    shelf = Shelf([1] * 3, breaks={"00001.jpg": told})
    with pytest.raises(ArtifactCorruptError) as caught:
        list(iterate(shelf))
    assert caught.value is told


def test_a_name_that_is_not_there_is_told_before_anything_is_read() -> None:
    shelf = Shelf([1] * 3)
    with pytest.raises(ArtifactNotFoundError, match=r"no file 'x\.jpg' \(1 of 2 are missing\)"):
        iterate(shelf, ["00000.jpg", "x.jpg"])
    assert shelf.batches == []


@pytest.mark.parametrize("part", [(1, 1), (-1, 2), (0, 0)])
def test_an_impossible_part_is_refused(part: tuple[int, int]) -> None:
    with pytest.raises(ParamsError, match=r"part is \(k, n\) with 0 <= k < n"):
        iterate(Shelf([1]), part=part)


@pytest.mark.parametrize("arguments", [{"shuffle_window": 5}, {"shuffle_window": 0, "shuffle_seed": 1}])
def test_a_window_without_a_seed_or_a_size_is_refused(arguments: dict[str, int]) -> None:
    with pytest.raises(ParamsError, match="shuffle_window is a number of bytes and needs a shuffle_seed"):
        iterate(Shelf([1]), **arguments)
