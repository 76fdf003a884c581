"""A run or an entity described in lines of text."""

from sinara_lib.errors import ArtifactNotFoundError, LayoutError
from sinara_lib.layout import EntityAddress, RunAddress, is_run_id, split_entity_url, split_run_url
from sinara_lib.manifest import Manifest
from sinara_lib.store import ArtifactStore, store_at


def describe(store: ArtifactStore, target: str) -> list[str]:
    """Return lines about a run id of `store`, or about the run or entity at a URL.

    Raises ArtifactNotFoundError when there is no such thing, LayoutError when `target` is neither.
    """
    if is_run_id(target):
        runs = [run for step in store.steps() for run in store.runs(step) if run.run_id == target]
        if not runs:
            raise ArtifactNotFoundError(f"{store.url} has no run {target}; `sinara ls` lists the runs.")
        return [line for run in runs for line in _run_lines(store, run)]
    if "/" not in target:
        raise LayoutError(f"{target!r} is neither a run id (run-YY-MM-DD-HHMMSS-mmm) nor a URL; see `sinara ls`.")
    if is_run_id(target.rstrip("/").rsplit("/", 1)[-1]):
        root, run = split_run_url(target)
        return _run_lines(store_at(root), run)
    root, address = split_entity_url(target)
    return _entity_lines(store_at(root), address)


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
            f"  code      {record.producer.origin or 'no origin'} {code}, {record.producer.library}",
            *(f"  read      {url}" for url in record.inputs),
        ]
    for entity in entities:
        manifest = store.open(entity).manifest
        lines.append(f"  published {entity.name}: {len(manifest.files)} files, {_size(manifest)}")
    return lines


def _entity_lines(store: ArtifactStore, address: EntityAddress) -> list[str]:
    manifest = store.open(address).manifest
    return [
        store.url_of(address),
        f"  content   {manifest.content}",
        f"  size      {_size(manifest)} in {len(manifest.files)} files"
        + (f", {manifest.rows} rows" if manifest.rows else ""),
        f"  created   {manifest.created:%Y-%m-%d %H:%M:%S} UTC by {manifest.producer.library}",
        f"  commit    {manifest.producer.commit or 'none'}",
        *(f"  read      {url}" for url in manifest.inputs),
        *(f"  file      {entry.path}  {entry.size}  {entry.sha256}" for entry in manifest.files),
    ]


def _size(manifest: Manifest) -> str:
    return f"{manifest.bytes / 1e6:.1f} MB"
