"""What the tests of downloads share: a body, and a patience that does not sleep."""

import hashlib
import random
from pathlib import Path
from typing import Any

from data_sources.fetch import FetchedSource, fetch_source
from sinara_lib.downloads.options import FetchOptions, RetryPolicy

BODY = random.Random(1).randbytes(700_000)
SHA256 = hashlib.sha256(BODY).hexdigest()


class Patience:
    """A retry policy that notes its pauses instead of sleeping."""

    def __init__(self, attempts: int = 3, timeout: float = 5.0) -> None:
        self.pauses: list[float] = []
        self.policy = RetryPolicy(attempts=attempts, first_wait=1.0, timeout=timeout, sleep=self.pauses.append)


class _PatientOptions(FetchOptions):
    """Options with a retry policy of the test's own."""

    policy: Any

    @property
    def retry(self) -> RetryPolicy:
        """When to try again."""
        return self.policy


def obtain(url: str, folder: Path, *, sha256: str | None = None, **options: Any) -> FetchedSource:
    """Fetch with a patience of three attempts, unless told otherwise."""
    policy = options.pop("retry", None) or Patience().policy
    return fetch_source(url, folder, sha256=sha256, options=_PatientOptions(policy=policy, **options))


def asked_ranges(asked: list[dict[str, str]]) -> list[tuple[int, int]]:
    """First and last byte of each range that was asked for, in order of the bytes."""
    found = [headers["Range"].removeprefix("bytes=").split("-") for headers in asked if "Range" in headers]
    return sorted((int(start), int(end)) for start, end in found)
