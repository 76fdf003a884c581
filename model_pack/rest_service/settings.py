"""What whoever runs the service may set: environment variables, read once."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from rest_service.image_size import MAX_PIXELS

MEBIBYTE = 1024 * 1024
Number = TypeVar("Number", int, float)


@dataclass(frozen=True)
class ServiceSettings:
    """Limits of the service and who may come in; every field has its environment variable."""

    workers: int = 1
    """SERVICE_WORKERS: processes; the cores are divided between them."""
    threads: int = 1
    """DETECTOR_THREADS: threads of one inference; default: the usable cores divided by the workers."""
    parallel: int = 6
    """DETECTOR_PARALLEL: images of one worker in work at a time; more keep the cores busier, and take more memory."""
    queue: int = 32
    """SERVICE_QUEUE: images of one worker that wait or are being answered at most; one more gets 429."""
    batch: int = 16
    """SERVICE_BATCH: images in one request to /predict_batch at most."""
    deadline_seconds: float = 8.0
    """SERVICE_DEADLINE_SECONDS: an accepted request that is not answered by then gets 504."""
    body_seconds: float = 30.0
    """SERVICE_BODY_SECONDS: a body that has not arrived by then gets 408."""
    max_body_bytes: int = 32 * MEBIBYTE
    """SERVICE_MAX_BODY_BYTES: a larger body gets 413."""
    held_bytes: int = 256 * MEBIBYTE
    """SERVICE_HELD_BYTES: bodies of one worker in memory at most, all together; beyond it requests get 429."""
    max_pixels: int = MAX_PIXELS
    """SERVICE_MAX_PIXELS: an image with more, by its header, is not decoded and gets 413."""
    rate: float = 0.0
    """SERVICE_RATE_LIMIT: requests a second that one client address may make; 0: no limit."""
    token: str = ""
    """SERVICE_TOKEN: the bearer token every request needs, but those to the page and the health probes; empty: none."""
    trusted_proxies: str = ""
    """SERVICE_TRUSTED_PROXIES: addresses or networks, separated by commas, whose X-Forwarded-For names the client; `*`
    for all; empty: none, the client is whoever connects."""
    cors_origins: tuple[str, ...] = ()
    """SERVICE_CORS_ORIGINS: origins, separated by commas, whose pages may call; `*` for all; empty: none."""

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> ServiceSettings:
        """Read the settings. Raises ValueError naming a variable that does not hold what it should."""
        workers = _number(environ, "SERVICE_WORKERS", cls.workers, kind=int, least=1)
        threads = max(1, usable_cores() // workers)
        return cls(
            workers=workers,
            # 0 stands for the default, as onnxruntime has it.
            threads=_number(environ, "DETECTOR_THREADS", 0, kind=int, least=0) or threads,
            parallel=_number(environ, "DETECTOR_PARALLEL", cls.parallel, kind=int, least=1),
            queue=_number(environ, "SERVICE_QUEUE", cls.queue, kind=int, least=1),
            batch=_number(environ, "SERVICE_BATCH", cls.batch, kind=int, least=1),
            deadline_seconds=_number(
                environ, "SERVICE_DEADLINE_SECONDS", cls.deadline_seconds, kind=float, least=0.001
            ),
            body_seconds=_number(environ, "SERVICE_BODY_SECONDS", cls.body_seconds, kind=float, least=0.001),
            max_body_bytes=_number(environ, "SERVICE_MAX_BODY_BYTES", cls.max_body_bytes, kind=int, least=1),
            held_bytes=_number(environ, "SERVICE_HELD_BYTES", cls.held_bytes, kind=int, least=1),
            max_pixels=_number(environ, "SERVICE_MAX_PIXELS", cls.max_pixels, kind=int, least=1),
            rate=_number(environ, "SERVICE_RATE_LIMIT", cls.rate, kind=float, least=0.0),
            token=_token(environ.get("SERVICE_TOKEN", "")),
            trusted_proxies=environ.get("SERVICE_TRUSTED_PROXIES", "").strip(),
            cors_origins=tuple(o.strip() for o in environ.get("SERVICE_CORS_ORIGINS", "").split(",") if o.strip()),
        )

    @property
    def longest_seconds(self) -> float:
        """Seconds after which every request has begun to be answered, whatever its client does."""
        return self.body_seconds + self.deadline_seconds + 5


# The service stands alone, with its own count of cores: the library's is in sinara_lib/parallel.py.
def usable_cores() -> int:
    """Return how many cores this process may use: by its affinity and, in a container, by its quota; at least 1."""
    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity else (os.cpu_count() or 1)
    quota = _cgroup_cores(Path("/sys/fs/cgroup"))
    return cores if quota is None else max(1, min(cores, int(quota)))


def _cgroup_cores(root: Path) -> float | None:
    # Version 2 keeps quota and period in one file, version 1 in two.
    try:
        if (root / "cpu.max").is_file():
            quota, period = (root / "cpu.max").read_text(encoding="ascii").split()
        else:
            quota = (root / "cpu/cpu.cfs_quota_us").read_text(encoding="ascii")
            period = (root / "cpu/cpu.cfs_period_us").read_text(encoding="ascii")
        return None if quota.strip() in ("max", "-1") else float(quota) / float(period)
    except (OSError, ValueError):
        return None


def _token(text: str) -> str:
    # A mounted secret mostly ends with a line break, which no client sends.
    token = text.strip()
    if token and not (token.isascii() and token.isprintable() and " " not in token):
        raise ValueError(
            "SERVICE_TOKEN holds blanks, control characters or letters beyond ASCII: no header carries them"
        )
    return token


def _number(
    environ: Mapping[str, str], name: str, default: Number, *, kind: Callable[[str], Number], least: Number
) -> Number:
    text = environ.get(name, "").strip()
    if not text:
        return default
    try:
        value = kind(text)
    except ValueError as error:
        raise ValueError(f"{name} must be a number of at least {least}, found {text!r}") from error
    if not least <= value < float("inf"):
        raise ValueError(f"{name} must be a number of at least {least}, found {text!r}")
    return value
