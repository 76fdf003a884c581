"""Records that stand beside the data: `_RUN.json` of a run and `_MANIFEST.json` of an entity. Pure data."""

import hashlib
from collections.abc import Iterable
from enum import Enum
from typing import Any, Final, Literal

from pydantic import AwareDatetime, Field, JsonValue

from sinara_lib.store.record import Record, parse_record
from sinara_lib.store.step_identity import Identity, Output

RUN_FILE = "_RUN.json"
MARK_FILE = "_REMOVING.json"
"""The record of a run that is being removed, renamed, where a full disk took no record that says so."""
MANIFEST_FILE = "_MANIFEST.json"
SUCCESS_FILE = "_SUCCESS"
MANIFEST_FORMAT: Final = 1


class RunStatus(str, Enum):
    """Where a run stands; only SUCCESS and INTERACTIVE runs can be read by other steps."""

    RUNNING = "RUNNING"
    SUCCESS = "SUCCESS"
    FAILED = "FAILED"
    INTERACTIVE = "INTERACTIVE"
    REMOVING = "REMOVING"
    """`sinara gc` is taking it away, or was killed while it did."""

    @property
    def resolvable(self) -> bool:
        """Whether another step may take this run's entities as its input."""
        return self in {RunStatus.SUCCESS, RunStatus.INTERACTIVE}


class Producer(Record):
    """The code that made something."""

    origin: str | None = None
    """URL of the git remote `origin`, without credentials."""
    commit: str | None = None
    uncommitted: bool = False
    """Whether the working tree differed from the commit."""
    code: str | None = None
    """One sha256 over every file of the step's folder that git would track, committed or not."""
    library: str
    """Name and version; of a checkout also what its code is."""


class Process(Record):
    """The process a run lives in, told apart from every other one.

    `machine` names host, boot and namespaces: a pid means something only there. Pids are used again: `ticks` is when it
    started, in clock ticks after the boot (Linux; None elsewhere and in older records), `born` the same in seconds
    since 1970, which moves with every step of the wall clock.
    """

    machine: str
    pid: int = Field(ge=1, lt=2**31)
    born: float
    ticks: int | None = Field(default=None, ge=0)


class Source(Record):
    """Raw data from outside the store: where it was, what it was (size in bytes), and when it was fetched (UTC)."""

    url: str
    """Without credentials."""
    sha256: str
    bytes: int
    etag: str | None = None
    last_modified: str | None = None
    fetched: AwareDatetime
    licences: tuple[str, ...] = ()


class Costs(Record):
    """What the work of a step's run took: seconds on the clock and of processors, and bytes; of all its processes."""

    seconds: float
    cpu_seconds: float
    peak_memory: int
    """Of all processes together, at the look when it was largest."""
    bytes_read: int
    bytes_written: int


class RunRecord(Record):
    """A run's `_RUN.json`. Times are UTC; `inputs` holds the URLs read so far, `sources` what is known of raw ones."""

    run_id: str
    status: RunStatus
    status_before: RunStatus | None = None
    """Of a run that is being removed: its status until then."""
    started: AwareDatetime
    finished: AwareDatetime | None = None
    reason: str | None = None
    producer: Producer
    process: Process | None = None
    inputs: tuple[str, ...] = ()
    sources: tuple[Source, ...] = ()
    params: dict[str, Any] = Field(default_factory=dict)
    metrics: dict[str, float | int | str] = Field(default_factory=dict)
    """Of a notebook opened by hand, which publishes no report; and of a step's run that has ended well."""
    pipeline_run: str | None = None
    """The run of the pipeline that this one belongs to: its URL, or what an orchestrator calls its own."""
    identity: Identity | None = None
    """What the result of a step's run that has ended well was made by; None where that is not known."""
    outputs: dict[str, Output] = Field(default_factory=dict)
    """Of a step's run that has ended well: what each entity holds that its notebooks declare."""
    always_changed: str | None = None
    """Why its notebook says that the result may be another one each time."""
    costs: Costs | None = None

    def with_inputs(self, urls: Iterable[str]) -> "RunRecord":
        """Return the record with `urls` added, each once, in the order they were first named."""
        return self.model_copy(update={"inputs": tuple(dict.fromkeys((*self.inputs, *urls)))})

    def with_source(self, source: Source) -> "RunRecord":
        """Return the record with a raw source added; it is an input as well."""
        return self.with_inputs([source.url]).model_copy(update={"sources": (*self.sources, source)})


class FileEntry(Record):
    """One file of an entity: path below it, size in bytes, sha256 (None for what SinaraML wrote)."""

    path: str
    size: int = Field(ge=0)
    sha256: str | None


class Manifest(Record):
    """An entity's `_MANIFEST.json`.

    `content` is one sha256 over names and file hashes: the same for the same data whatever the run.
    `rows` counts the rows of an archive's shards, `bytes` the sizes of all files.
    """

    format: Literal[1] = MANIFEST_FORMAT
    entity: str
    run_id: str
    created: AwareDatetime
    producer: Producer
    inputs: tuple[str, ...]
    sources: tuple[Source, ...] = ()
    files: tuple[FileEntry, ...]
    rows: int | None = None
    bytes: int
    content: str

    def file(self, path: str) -> FileEntry | None:
        """Return the entry of `path`, or None."""
        return next((entry for entry in self.files if entry.path == path), None)

    def _repr_markdown_(self) -> str:
        """Return what a notebook shows of it."""
        return f"`{self.entity}`: {len(self.files)} files, {self.bytes / 1e6:.1f} MB, content `{self.content[:12]}`"


class SubstepRecord(Record):
    """What a notebook declared, full entity name -> URL, and what it measured; told by the kernel to the step."""

    inputs: dict[str, str] = Field(default_factory=dict)
    outputs: dict[str, str] = Field(default_factory=dict)
    tmp: dict[str, str] = Field(default_factory=dict)
    metrics: dict[str, JsonValue] = Field(default_factory=dict)
    """As the notebook gave them, perhaps nested."""


def content_hash(files: Iterable[FileEntry]) -> str:
    """Return one sha256 over names and file hashes, independent of their order."""
    digest = hashlib.sha256()
    for entry in sorted(files, key=lambda e: e.path):
        digest.update(f"{entry.path}\0{entry.sha256}\n".encode())
    return digest.hexdigest()


def read_manifest(data: bytes, url: str) -> Manifest:
    """Parse a manifest. Raises ArtifactCorruptError when it is broken or of a newer format."""
    return parse_record(Manifest, data, url)


def read_run_record(data: bytes, url: str) -> RunRecord:
    """Parse a run record. Raises ArtifactCorruptError when it is broken or of a newer format."""
    return parse_record(RunRecord, data, url)
