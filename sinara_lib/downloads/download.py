"""Fills a partial file from its server: several connections, attempts with growing pauses, checks at the end."""

import errno
import logging
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from sinara_lib.downloads.digests import file_digests
from sinara_lib.downloads.options import RetryPolicy
from sinara_lib.downloads.partial import Partial, Segment, Version
from sinara_lib.downloads.transfer import Answer, BrokenTransferError, OtherVersionError, UnreachableError
from sinara_lib.errors import DownloadError
from sinara_lib.parallel import in_threads
from sinara_lib.progress import progress

LONGEST_ASKED = 600.0
"""How long a server can make us wait by Retry-After, in seconds."""
TELL_SECONDS = 30.0
"""How often a download without a bar says how far it is."""
LARGE = 1 << 20
"""A smaller file is not told of when it has arrived, in bytes: annotations may name thousands."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Arrival:
    """A complete file: its version, its sha256, and what its bytes agree with (None: nothing was promised)."""

    version: Version
    sha256: str
    size: int
    checked: str | None


class Remote(Protocol):
    """A file that can be asked for whole or in parts; both raise BrokenTransferError and DownloadError."""

    def ask(self, known: Version | None) -> AbstractContextManager[Answer]:
        """Ask for the file, unless it still is the known version."""

    def ask_part(self, segment: Segment, version: Version) -> AbstractContextManager[Answer]:
        """Ask for what a segment lacks."""


class Patience:
    """Counts attempts without progress; progress is measured against the most that was ever there."""

    def __init__(self, shown: str, retry: RetryPolicy, received: Callable[[], int]) -> None:
        self._shown, self._retry, self._received = shown, retry, received
        self._most = received()
        self._failures, self._wait = 0, retry.first_wait

    def bear(self, error: BrokenTransferError) -> None:
        """Wait for the next attempt. Raises UnreachableError when there have been enough."""
        received = self._received()
        if received > self._most:
            self._most, self._failures, self._wait = received, 0, self._retry.first_wait
        self._failures += 1
        if self._failures >= self._retry.attempts:
            raise UnreachableError(
                f"{self._shown}: gave up after {self._failures} attempts without progress, "
                f"with {received:,} bytes received: {error}. Check the address and the network, then run again."
            ) from error
        pause = max(min(self._wait, self._retry.longest_wait), min(error.wait, LONGEST_ASKED))
        log.warning("%s: %s; trying again in %.0f s", self._shown, error, pause)
        self._retry.sleep(pause)
        self._wait = min(self._wait * 2, self._retry.longest_wait)


@dataclass
class Download:
    """One file on its way into a partial file; `shown` is its URL as it may be told.

    With a `sha256` that is known beforehand (all of it) the server's own promises do not matter.
    """

    remote: Remote
    partial: Partial
    shown: str
    retry: RetryPolicy
    connections: int
    sha256: str | None = None
    _began: tuple[float, int] = (0.0, 0)
    """When this run began, and with how many bytes."""
    _told: float = 0.0

    def receive(self, known: Version | None) -> Arrival | None:
        """Receive the file, or nothing when it still is the `known` version.

        Raises UnreachableError when all attempts failed; DownloadError when the server refuses or the disk is full.
        """
        self._told = time.monotonic()
        self._began = self._told, self.partial.received
        patience = Patience(self.shown, self.retry, lambda: self.partial.received)
        with progress(label=self.shown.rpartition("/")[2], unit="B") as bar:
            asked = False
            while True:
                try:
                    if not asked and not self._ask(known, bar):
                        return None
                    asked = True
                    self._complete(bar)
                    arrival = self._check()
                except OtherVersionError as error:
                    asked, self.connections = False, 1
                    self.partial.forget()
                    patience.bear(error)
                except BrokenTransferError as error:
                    asked = bool(self.partial.received and self.partial.version and self.partial.version.validator)
                    patience.bear(error)
                else:
                    self._tell(arrival)
                    return arrival

    def _ask(self, known: Version | None, bar: Any) -> bool:
        """Learn the version, and take the body where one connection is enough; False when the file is the known one."""
        with self.remote.ask(known) as answer:
            if answer.version is None:
                return False
            if not (self.partial.version and self.partial.version.is_same(answer.version)):
                self._begin(answer.version)
            elif self.partial.received:
                log.info("%s: goes on after %s bytes", self.shown, f"{self.partial.received:,}")
            self._show(bar)
            if len(self.partial.segments) == 1 and not self.partial.received:
                self._fill(self.partial.segments[0], answer, bar)
        return True

    def _complete(self, bar: Any) -> None:
        """Fetch all segments that lack something."""
        missing = self.partial.missing
        if len(missing) == 1:
            self._fetch(missing[0], bar)
            return

        def work(segment: Segment, check: Callable[[], None]) -> None:
            patience = Patience(self.shown, self.retry, lambda: segment.got)
            while True:
                check()
                try:
                    self._fetch(segment, bar, check)
                except OtherVersionError:
                    raise
                except BrokenTransferError as error:
                    patience.bear(error)
                else:
                    return

        for _ in in_threads(work, missing, threads=self.connections):
            pass

    def _fetch(self, segment: Segment, bar: Any, check: Callable[[], None] = lambda: None) -> None:
        version = self.partial.version or Version()
        with self.remote.ask_part(segment, version) as answer:
            if not answer.is_part:
                if len(self.partial.segments) > 1:
                    raise OtherVersionError("the server sends the whole file instead of a part; starting again")
                self._begin(answer.version or version)
                segment = self.partial.segments[0]
                self._show(bar)
            self._fill(segment, answer, bar, check)

    def _begin(self, version: Version) -> None:
        self.partial.begin(version, connections=self.connections)
        free = shutil.disk_usage(self.partial.path.parent).free
        if (version.size or 0) > free:
            raise DownloadError(_no_room(self.shown, self.partial.path, needed=version.size or 0, free=free))

    def _fill(self, segment: Segment, answer: Answer, bar: Any, check: Callable[[], None] = lambda: None) -> None:
        def blocks() -> Iterator[bytes]:
            for block in answer.blocks:
                check()
                bar.update(len(block))
                if bar.disable and time.monotonic() - self._told > TELL_SECONDS:
                    self._tell_progress()
                yield block

        try:
            self.partial.write(segment, blocks())
        except OSError as error:
            if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
                raise
            free = shutil.disk_usage(self.partial.path.parent).free
            needed = ((self.partial.version or Version()).size or 0) - self.partial.received
            raise DownloadError(_no_room(self.shown, self.partial.path, needed=needed, free=free)) from error
        if segment.end is None:
            self.partial.close()
        elif segment.left:
            size = (self.partial.version or Version()).size or 0
            raise BrokenTransferError(f"the body is truncated: {self.partial.received:,} of {size:,} bytes arrived")

    def _show(self, bar: Any) -> None:
        bar.total, bar.n = (self.partial.version or Version()).size, self.partial.received
        bar.refresh()

    def _tell_progress(self) -> None:
        """Say how far it is, for those who see no bar."""
        self._told = time.monotonic()
        received, size = self.partial.received, (self.partial.version or Version()).size
        rate = max(received - self._began[1], 1) / (self._told - self._began[0])
        left = f" of {size / 1e6:,.0f} MB, {(size - received) / rate:,.0f} s left" if size else " MB"
        log.info("%s: %s%s, %.1f MB/s", self.shown, f"{received / 1e6:,.0f}", left, rate / 1e6)

    def _tell(self, arrival: Arrival) -> None:
        seconds, fresh = time.monotonic() - self._began[0], arrival.size - self._began[1]
        rate = f"{fresh / 1e6:,.1f} MB in {seconds:.1f} s, {fresh / 1e6 / max(seconds, 1e-3):,.1f} MB/s"
        level = logging.INFO if arrival.size >= LARGE else logging.DEBUG
        log.log(level, "%s: %s bytes (%s), sha256 %s", self.shown, f"{arrival.size:,}", rate, arrival.sha256)

    def _check(self) -> Arrival:
        """Compare with what the server promised. Raises OtherVersionError when the bytes are others."""
        version, path = self.partial.version or Version(), self.partial.path
        found = file_digests(path, {"sha256", *(digest.algorithm for digest in version.digests)})
        promised = () if found["sha256"] == self.sha256 else version.digests
        for digest in promised:
            if found[digest.algorithm] != digest.hex:
                raise OtherVersionError(
                    f"the bytes that arrived are not those of {digest.source}: {digest.algorithm} should be "
                    f"{digest.hex}, found {found[digest.algorithm]}; starting again"
                )
        checked = ", ".join(dict.fromkeys(digest.source for digest in promised)) or None
        return Arrival(version, found["sha256"], path.stat().st_size, checked)


def _no_room(shown: str, path: Path, *, needed: int, free: int) -> str:
    return (
        f"{shown}: no room on the disk: {needed:,} bytes are needed, {free:,} are free in {path.parent}. "
        f"Free some space, or set SINARA_CACHE to a folder on a larger disk."
    )
