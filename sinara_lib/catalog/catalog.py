"""All runs of all known environments with their records, read once: what lineage and retention look at."""

from collections.abc import Mapping
from dataclasses import dataclass

from sinara_lib.errors import ArtifactCorruptError, ArtifactNotFoundError, SinaraError
from sinara_lib.layout import EntityAddress, RunAddress
from sinara_lib.parallel import MOST_THREADS, in_threads
from sinara_lib.progress import progress
from sinara_lib.settings import Settings
from sinara_lib.store import ArtifactStore
from sinara_lib.store.files import StoreFiles
from sinara_lib.store.manifest import MANIFEST_FILE, SUCCESS_FILE, Manifest, RunRecord, read_manifest


@dataclass(frozen=True)
class CatalogRun:
    """A run as it was found; `record` is None for SinaraML's, and where `damage` says why it cannot be read."""

    env: str
    store: ArtifactStore
    address: RunAddress
    record: RunRecord | None
    damage: str | None = None

    @property
    def url(self) -> str:
        """The run's URL."""
        return self.store.url_of(self.address)

    def inputs(self) -> tuple[str, ...]:
        """Return the URLs that the run read: by its record, or else by the manifests of what it published.

        Raises ArtifactCorruptError when neither can be read.
        """
        if self.record is not None:
            return self.record.inputs
        manifests = [read_entity_manifest(self.store, entity) for entity in self.store.entities(self.address)]
        if self.damage and not any(manifests):
            raise ArtifactCorruptError(f"{self.url}: what it read is not known: {self.damage}")
        return tuple(dict.fromkeys(url for manifest in manifests if manifest for url in manifest.inputs))


@dataclass(frozen=True)
class Catalog:
    """The stores of all environments that can be reached, their runs, and why the others cannot be."""

    stores: Mapping[str, ArtifactStore]
    runs: tuple[CatalogRun, ...]
    unreachable: Mapping[str, str]


def read_catalog(settings: Settings, *, runs: bool = True, leave_out: str | None = None) -> Catalog:
    """Reach every environment but `leave_out` and, with `runs`, read all runs there.

    Costs one listing per step, one small read per run.
    """
    stores: dict[str, ArtifactStore] = {}
    unreachable: dict[str, str] = {}
    found: list[CatalogRun] = []
    for env in (each for each in settings.roots if each != leave_out):
        try:
            store = settings.store(env)
            if runs and store.url not in {known.url for known in stores.values()}:
                found += read_runs(env, store)
        except SinaraError as error:
            unreachable[env] = str(error)
        else:
            stores[env] = store
    return Catalog(stores, tuple(found), unreachable)


def read_runs(env: str, store: ArtifactStore) -> list[CatalogRun]:
    """Return every run of one store."""
    addresses = [run for step in store.steps() for run in store.runs(step)]
    found = in_threads(lambda run, _: read_run(env, store, run), addresses, threads=MOST_THREADS)
    return list(progress(found, label=f"read runs of {env}", total=len(addresses), unit="run"))


def read_entity_manifest(store: ArtifactStore, entity: EntityAddress) -> Manifest | None:
    """Return a committed entity's manifest; None for one of SinaraML.

    Raises ArtifactNotFoundError for one that is not committed, ArtifactCorruptError for a manifest that cannot be read.
    """
    files, path = StoreFiles(store.fs), f"{store.root}/{entity.path}"
    try:
        mark = files.read(f"{path}/{SUCCESS_FILE}")
    except FileNotFoundError as error:
        raise ArtifactNotFoundError(f"{store.url_of(entity)} is not a committed entity.") from error
    if not mark.strip():
        return None
    try:
        return read_manifest(files.read(f"{path}/{MANIFEST_FILE}"), f"{store.url_of(entity)}/{MANIFEST_FILE}")
    except FileNotFoundError as error:
        raise ArtifactCorruptError(f"{store.url_of(entity)} has lost its {MANIFEST_FILE}.") from error


def read_run(env: str, store: ArtifactStore, run: RunAddress) -> CatalogRun:
    """Return one run as it is now."""
    try:
        return CatalogRun(env, store, run, store.run_record(run) or store.hidden_record(run))
    except ArtifactCorruptError as error:
        return CatalogRun(env, store, run, None, str(error))
