"""How downloads are made: parameters of any step that downloads."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from sinara_lib.params import ParamsModel


@dataclass(frozen=True)
class RetryPolicy:
    """How many attempts in a row may bring no new byte, and how long to wait after one: seconds, doubled each time."""

    attempts: int = 5
    first_wait: float = 1.0
    longest_wait: float = 30.0
    timeout: float = 60.0
    sleep: Callable[[float], None] = time.sleep


class FetchOptions(ParamsModel):
    """Retries, connections for one file, and what to do when no server answers."""

    attempts: int = Field(default=5, ge=1, le=100)
    """Attempts in a row that bring no new byte before a download is given up."""
    timeout_seconds: float = Field(default=60.0, gt=0)
    """How long a silent connection is waited for."""
    connections: int = Field(default=4, ge=1, le=16)
    """Connections for one large file, where its server sends parts."""
    when_unreachable: Literal["fail", "use_cached"] = "fail"
    """When no server answers: `fail`, or `use_cached`: take the copy of an earlier run, which the report then says."""

    @property
    def retry(self) -> RetryPolicy:
        """When to try again, and how long to wait for an answer."""
        return RetryPolicy(attempts=self.attempts, timeout=self.timeout_seconds)
