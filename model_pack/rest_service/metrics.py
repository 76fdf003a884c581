"""What the service counts and times, for Prometheus; a fixed number of series, whatever strangers ask for."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

MEDIA_TYPE = CONTENT_TYPE_LATEST
STAGES = ("decode", "prepare", "network", "collect")
_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class ServiceMetrics:
    """The series of one worker; where BentoML runs several, what is shown is their sum."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "detector_requests", "Requests answered.", ["endpoint", "status"], registry=self._registry
        )
        self._seconds = Histogram(
            "detector_request_seconds",
            "Seconds from a request's first byte to its answer.",
            ["endpoint"],
            buckets=_BUCKETS,
            registry=self._registry,
        )
        stages = Histogram(
            "detector_stage_seconds",
            "Seconds of each stage of a prediction.",
            ["stage"],
            buckets=_BUCKETS,
            registry=self._registry,
        )
        self._stages = {stage: stages.labels(stage) for stage in STAGES}
        self._waiting = Gauge(
            "detector_images_inside",
            "Images that wait or are being answered.",
            multiprocess_mode="livesum",
            registry=self._registry,
        )
        self._about = Gauge(
            "detector_info",
            "1, with versions and the execution provider in use.",
            ["service_version", "model_name", "model_run", "dataset_run", "execution_provider"],
            multiprocess_mode="max",
            registry=self._registry,
        )

    def describe(self, version: dict[str, str], *, inside: Callable[[], int]) -> None:
        """Name the model that is served; `inside` gives the images in the queue."""
        self._about.labels(**{name: version[name] for name in self._about._labelnames}).set(1)
        self._inside = inside

    def answered(self, endpoint: str, status: int, seconds: float) -> None:
        """Count one answer."""
        self._requests.labels(endpoint, str(status)).inc()
        self._seconds.labels(endpoint).observe(seconds)
        self._waiting.set(self._inside())

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Time one stage of a prediction."""
        start = time.perf_counter()
        yield
        self._stages[stage].observe(time.perf_counter() - start)

    def render(self) -> bytes:
        """Return all series in Prometheus' text format."""
        if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
            return generate_latest(self._registry)
        _forget_dead_workers(Path(os.environ["PROMETHEUS_MULTIPROC_DIR"]))
        together = CollectorRegistry()
        MultiProcessCollector(together)
        return generate_latest(together)


def _forget_dead_workers(folder: Path) -> None:
    """Leave out what a worker had inside when it was killed; its counters stay in the sums."""
    for file in folder.glob("gauge_live*_*.db"):
        pid = file.stem.rpartition("_")[2]
        try:
            os.kill(int(pid), 0)
        except ProcessLookupError:
            with suppress(FileNotFoundError):  # another worker may be at it
                mark_process_dead(pid)
        except (PermissionError, ValueError):
            continue
