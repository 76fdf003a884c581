"""Re-reads what is in the store and lists every difference from what was committed."""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

from fsspec import AbstractFileSystem

from sinara_lib.archive.format import INDEX_FILE
from sinara_lib.catalog.find import Target, is_there
from sinara_lib.catalog.verify_archive import ArchiveIndex, RowDigests, shard_problems
from sinara_lib.errors import ArtifactCorruptError, ArtifactNotFoundError
from sinara_lib.layout import EntityAddress, RunAddress, entity_name
from sinara_lib.parallel import MOST_THREADS, Check, in_threads
from sinara_lib.progress import progress
from sinara_lib.store import ArtifactStore
from sinara_lib.store.files import StoreFiles
from sinara_lib.store.manifest import (
    MANIFEST_FILE,
    RUN_FILE,
    SUCCESS_FILE,
    FileEntry,
    Manifest,
    RunStatus,
    content_hash,
    read_manifest,
    read_run_record,
)

CHUNK = 1 << 20
_MARKS = {MANIFEST_FILE, SUCCESS_FILE}


@dataclass(frozen=True)
class StoreFinding:
    """One difference: the URL of the file or folder, and what is wrong with it."""

    url: str
    problem: str

    def __str__(self) -> str:
        return f"{self.url}: {self.problem}"


@dataclass(frozen=True)
class Verification:
    """What was looked at and what was found; `unverifiable` names what bears no checksums, as SinaraML's entities."""

    findings: tuple[StoreFinding, ...]
    entities: int
    files: int
    bytes: int
    unverifiable: tuple[str, ...] = ()

    def closing_line(self) -> str:
        """Return the counts in one line."""
        counts = f"{self.entities} entities, {self.files} files, {self.bytes / 1e6:.1f} MB read"
        unknown = f", {len(self.unverifiable)} without checksums (SinaraML)" if self.unverifiable else ""
        return f"{counts}{unknown}, {len(self.findings)} findings"


@dataclass
class _Plan:
    """What is known before the files are read."""

    findings: list[StoreFinding] = field(default_factory=list)
    unverifiable: list[str] = field(default_factory=list)
    files: list["_File"] = field(default_factory=list)
    entities: int = 0


@dataclass(frozen=True)
class _File:
    """A file to be read: its place and URL, what its manifest says of it, and the index of its archive."""

    fs: AbstractFileSystem
    path: str
    url: str
    entry: FileEntry
    index: ArchiveIndex | None = None


def all_runs(store: ArtifactStore) -> list[Target]:
    """Return every run of the store, step by step."""
    return [Target(store, run) for step in store.steps() for run in store.runs(step)]


def verify_targets(targets: Iterable[Target]) -> Verification:
    """Check entities and runs, several files at once, with a progress bar in bytes.

    Raises ArtifactNotFoundError for a target that is not there.
    """
    plan = _Plan()
    for target in targets:
        if isinstance(target.address, RunAddress):
            _plan_run(target.store, target.address, plan)
        else:
            _plan_named_entity(target.store, target.address, plan)
    lock = Lock()
    with progress(label="verify", total=sum(f.entry.size for f in plan.files), unit="B") as bar:

        def read(file: _File, check: Check) -> list[StoreFinding]:
            return list(_read(file, lambda count: _advance(bar, lock, count), check))

        for found in in_threads(read, plan.files, threads=MOST_THREADS):
            plan.findings += found
    return Verification(
        findings=tuple(sorted(plan.findings, key=lambda f: f.url)),
        entities=plan.entities,
        files=len(plan.files),
        bytes=sum(f.entry.size for f in plan.files),
        unverifiable=tuple(plan.unverifiable),
    )


def _plan_run(store: ArtifactStore, run: RunAddress, plan: _Plan) -> None:
    files = _sizes(store, run)
    url = store.url_of(run)
    if not files and not is_there(store, run):
        raise ArtifactNotFoundError(f"{url} does not exist; `sinara ls` lists the runs.")
    status = _check_record(store, run, files, plan)
    folders: dict[str, dict[str, int]] = {}
    for path, size in files.items():
        folder, _, name = path.partition("/")
        if name and not folder.startswith((".", "_")):
            folders.setdefault(folder, {})[name] = size
    for folder, inside in sorted(folders.items()):
        if _unfit(folder):
            plan.findings.append(StoreFinding(f"{url}/{folder}", "its name is not that of an entity; it was put there"))
        elif SUCCESS_FILE in inside:
            _plan_entity(store, run.entity(folder), inside, plan, foreign=RUN_FILE not in files)
        elif status is RunStatus.SUCCESS and MANIFEST_FILE in inside:
            plan.findings.append(StoreFinding(f"{url}/{folder}/{SUCCESS_FILE}", "is missing beside its manifest"))


def _unfit(folder: str) -> bool:
    return "." in folder or entity_name(folder) != folder


def _check_record(store: ArtifactStore, run: RunAddress, files: dict[str, int], plan: _Plan) -> RunStatus | None:
    """Return the run's status, None where it cannot be known; SinaraML's runs have no record."""
    if RUN_FILE not in files:
        return None
    url = f"{store.url_of(run)}/{RUN_FILE}"
    try:
        record = read_run_record(StoreFiles(store.fs).read(f"{store.root}/{run.path}/{RUN_FILE}"), url)
    except ArtifactCorruptError as error:
        plan.findings.append(StoreFinding(url, error.reason))
        return None
    if record.run_id != run.run_id:
        plan.findings.append(StoreFinding(url, f"is that of {record.run_id}: the run was moved or its record swapped"))
    return record.status


def _plan_named_entity(store: ArtifactStore, address: EntityAddress, plan: _Plan) -> None:
    files = _sizes(store, address)
    if SUCCESS_FILE not in files:
        found = f"holds {len(files)} files but no {SUCCESS_FILE}" if files else "does not exist"
        raise ArtifactNotFoundError(f"{store.url_of(address)} is not a committed entity: it {found}.")
    foreign = not StoreFiles(store.fs).exists(f"{store.root}/{address.run.path}/{RUN_FILE}")
    _plan_entity(store, address, files, plan, foreign=foreign)


def _plan_entity(
    store: ArtifactStore, address: EntityAddress, files: dict[str, int], plan: _Plan, *, foreign: bool
) -> None:
    """Check the marks, then line up the files that the manifest promises. `foreign`: SinaraML made the run."""
    url, path = store.url_of(address), f"{store.root}/{address.path}"
    plan.entities += 1
    store_files = StoreFiles(store.fs)
    try:
        mark = store_files.read(f"{path}/{SUCCESS_FILE}").decode("ascii", "replace").strip()
        data = store_files.read(f"{path}/{MANIFEST_FILE}") if MANIFEST_FILE in files else b""
    except ArtifactCorruptError as error:
        plan.findings.append(StoreFinding(url, str(error)))
        return
    if MANIFEST_FILE not in files:
        if mark or not foreign:
            plan.findings.append(StoreFinding(f"{url}/{MANIFEST_FILE}", f"is missing although {SUCCESS_FILE} is there"))
        else:
            plan.unverifiable.append(url)
        return
    plan.findings += _mark_findings(url, mark, hashlib.sha256(data).hexdigest())
    try:
        manifest = read_manifest(data, f"{url}/{MANIFEST_FILE}")
    except ArtifactCorruptError as error:
        plan.findings.append(StoreFinding(f"{url}/{MANIFEST_FILE}", error.reason))
        return
    plan.findings += _manifest_findings(url, manifest, address)
    there = {name: size for name, size in files.items() if name not in _MARKS}
    plan.findings += _size_findings(url, manifest, there)
    whole = [e for e in manifest.files if there.get(e.path) == e.size]
    # A folder that was published as it is may hold a file of that name; only an archive counts rows.
    is_indexed = manifest.rows is not None and INDEX_FILE in {entry.path for entry in whole}
    index = ArchiveIndex(store.fs, path, whole) if is_indexed else None
    plan.files += [_File(store.fs, f"{path}/{e.path}", f"{url}/{e.path}", e, index) for e in whole]


def _mark_findings(url: str, mark: str, found: str) -> Iterator[StoreFinding]:
    if len(mark) != 64 or not set(mark) <= set("0123456789abcdef"):
        yield StoreFinding(f"{url}/{SUCCESS_FILE}", f"is damaged: expected a sha256, found {mark[:70]!r}")
    elif mark != found:
        yield StoreFinding(
            f"{url}/{MANIFEST_FILE}",
            f"is not the one that was committed: {SUCCESS_FILE} promises sha256 {mark}, found {found}; "
            "it was edited or swapped",
        )


def _manifest_findings(url: str, manifest: Manifest, address: EntityAddress) -> Iterator[StoreFinding]:
    if (manifest.run_id, manifest.entity) != (address.run.run_id, address.name):
        yield StoreFinding(
            url, f"is {manifest.run_id}/{manifest.entity} by its manifest: it was moved or copied from there"
        )
    if manifest.content != content_hash(manifest.files) or manifest.bytes != sum(e.size for e in manifest.files):
        yield StoreFinding(
            f"{url}/{MANIFEST_FILE}", "contradicts itself: content or bytes do not fit its list of files"
        )


def _size_findings(url: str, manifest: Manifest, there: dict[str, int]) -> Iterator[StoreFinding]:
    for entry in manifest.files:
        size = there.get(entry.path)
        if size is None:
            yield StoreFinding(f"{url}/{entry.path}", f"is missing; the manifest promises {entry.size} bytes")
        elif size != entry.size:
            word = "truncated" if size < entry.size else "longer than it was"
            yield StoreFinding(f"{url}/{entry.path}", f"is {word}: expected {entry.size} bytes, found {size}")
    for name in sorted(there.keys() - {entry.path for entry in manifest.files}):
        yield StoreFinding(f"{url}/{name}", "is extra: the manifest does not name it")


def _read(file: _File, advance: Callable[[int], None], check: Check) -> Iterator[StoreFinding]:
    """Read one file once and compare its sha256; of an archive's shard, its rows with the index as well."""
    is_shard = file.index is not None and file.entry.path.endswith(".parquet")
    rows = file.index.rows(file.entry.path) if file.index and is_shard else None
    digest, digests = hashlib.sha256(), RowDigests(rows or ())
    try:
        with StoreFiles(file.fs).open(file.path) as stream:
            while chunk := stream.read(CHUNK):
                check()
                digest.update(chunk)
                digests.update(chunk)
                advance(len(chunk))
            if digest.hexdigest() != file.entry.sha256:
                problem = f"was changed: expected sha256 {file.entry.sha256}, found {digest.hexdigest()}"
                yield StoreFinding(file.url, problem)
            if rows is not None:
                yield from (StoreFinding(file.url, problem) for problem in shard_problems(stream, rows, digests))
    except (OSError, ArtifactCorruptError) as error:
        yield StoreFinding(file.url, f"cannot be read: {error}")
    if file.index and file.entry.path == INDEX_FILE:
        yield from (StoreFinding(file.url, problem) for problem in file.index.problems())


def _advance(bar: Any, lock: Lock, count: int) -> None:
    with lock:
        bar.update(count)


def _sizes(store: ArtifactStore, address: RunAddress | EntityAddress) -> dict[str, int]:
    """Return path below the address -> size in bytes of every file there; one listing."""
    base = f"{store.root}/{address.path}"
    store.fs.invalidate_cache()
    return StoreFiles(store.fs).sizes(base)
