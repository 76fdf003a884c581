"""A run or an entity described in lines of text."""

from collections.abc import Iterable, Iterator

from sinara_lib.catalog.catalog import CatalogRun
from sinara_lib.catalog.find import find_targets
from sinara_lib.errors import ArtifactCorruptError, ArtifactNotFoundError
from sinara_lib.layout import EntityAddress, RunAddress, run_sort_key
from sinara_lib.store import ArtifactStore
from sinara_lib.store.manifest import Manifest, RunStatus, Source


def describe(store: ArtifactStore, target: str) -> list[str]:
    """Return lines about a run id of `store`, or about the run or entity at a URL.

    Raises ArtifactNotFoundError when there is no such thing, LayoutError when `target` is neither.
    """
    lines = []
    for found in find_targets(store, target):
        if isinstance(found.address, RunAddress):
            lines += _run_lines(found.store, found.address)
        else:
            lines += _entity_lines(found.store, found.address)
    return lines


def run_rows(runs: Iterable[CatalogRun]) -> list[list[str]]:
    """Return step, run, status and published entities of each run, the oldest first; a damaged record is told."""
    rows = []
    for run in sorted(runs, key=lambda r: (run_sort_key(r.address.run_id), r.address.step.path)):
        names = [e.name for e in run.store.entities(run.address)]
        if run.record is not None:
            status = run.record.status.value
        elif run.damage:
            status = "(damaged record)"
        elif names:
            status = "(SinaraML)"
        else:
            continue  # an empty folder, which some object stores keep
        published = ", ".join(name for name in names if not name.startswith("reports_"))
        nothing = run.record.reason if run.record and run.record.status is RunStatus.SUCCESS else None
        rows.append([run.address.step.step, run.address.run_id, status, published or nothing or "-"])
    return rows


def _run_lines(store: ArtifactStore, run: RunAddress) -> list[str]:
    record, entities = store.run_record(run), store.entities(run)
    if record is None and not entities:
        raise ArtifactNotFoundError(f"{store.url_of(run)} does not exist; `sinara ls` lists the runs.")
    lines = [store.url_of(run)]
    if record is not None:
        finished = f"{record.finished:%H:%M:%S}" if record.finished else "not yet"
        code = (record.producer.commit or "no commit") + (" + uncommitted" if record.producer.uncommitted else "")
        lines += [
            f"  status    {record.status.value}" + (f": {record.reason}" if record.reason else ""),
            f"  time      {record.started:%Y-%m-%d %H:%M:%S} to {finished} UTC",
            *([f"  pipeline  {record.pipeline_run}"] if record.pipeline_run else []),
            f"  code      {record.producer.origin or 'no origin'} {code}, {record.producer.library}",
            *_input_lines(record.inputs, record.sources),
        ]
    for entity in entities:
        try:
            manifest = store.open(entity).manifest
        except ArtifactCorruptError as error:
            lines.append(f"  published {entity.name}: damaged: {error}")
        else:
            lines.append(f"  published {entity.name}: {len(manifest.files)} files, {_size(manifest)}")
    return lines


def _input_lines(inputs: Iterable[str], sources: Iterable[Source]) -> Iterator[str]:
    """Yield what was read, and below each raw source what is known of it."""
    known = list(sources)
    for url in inputs:
        yield f"  read      {url}"
        for source in (one for one in known if one.url == url):
            version = f", ETag {source.etag}" if source.etag else ""
            dated = f", of {source.last_modified}" if source.last_modified else ""
            yield f"            sha256 {source.sha256}, {source.bytes} bytes{version}{dated}"
            yield f"            fetched {source.fetched:%Y-%m-%d %H:%M:%S} UTC"


def _entity_lines(store: ArtifactStore, address: EntityAddress) -> list[str]:
    manifest = store.open(address).manifest
    return [
        store.url_of(address),
        f"  content   {manifest.content}",
        f"  size      {_size(manifest)} in {len(manifest.files)} files"
        + (f", {manifest.rows} rows" if manifest.rows else ""),
        f"  created   {manifest.created:%Y-%m-%d %H:%M:%S} UTC by {manifest.producer.library}",
        f"  commit    {manifest.producer.commit or 'none'}",
        *_input_lines(manifest.inputs, manifest.sources),
        *(f"  file      {entry.path}  {entry.size}  {entry.sha256}" for entry in manifest.files),
    ]


def _size(manifest: Manifest) -> str:
    return f"{manifest.bytes / 1e6:.1f} MB"
