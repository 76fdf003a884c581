"""Lineage read from stores: manifests of what is named, records of all runs to find who read it."""

import logging
from collections.abc import Iterator, Mapping, Sequence

from sinara_lib.catalog.catalog import Catalog, CatalogRun, read_entity_manifest
from sinara_lib.catalog.find import Target
from sinara_lib.catalog.lineage import Lineage, Node, trace
from sinara_lib.errors import ArtifactError, ArtifactNotFoundError, LayoutError, SinaraError
from sinara_lib.layout import EntityAddress, split_entity_url
from sinara_lib.store import ArtifactStore, store_at
from sinara_lib.store.manifest import Manifest

log = logging.getLogger(__name__)


def read_lineage(targets: Sequence[Target], catalog: Catalog, *, back: bool = True, forward: bool = True) -> Lineage:
    """Trace the targets, of a run all its entities, back to raw data and forward among the runs of the catalog.

    Raises ArtifactNotFoundError for a target that is not there or has published nothing.
    """
    by_url = {store.url: store for store in (*catalog.stores.values(), *(target.store for target in targets))}
    urls = list(dict.fromkeys(_listed(url, by_url) for target in targets for url in _entity_urls(target)))
    for env, reason in catalog.unreachable.items() if forward else ():
        log.warning("environment %s is left out, it cannot be reached: %s", env, reason)

    def manifest_of(url: str) -> Manifest | Node:
        return _manifest_or_node(url, by_url)

    return trace(urls, manifest_of, _Users(catalog.runs, by_url) if forward else None, back=back)


def _entity_urls(target: Target) -> list[str]:
    if isinstance(target.address, EntityAddress):
        if not target.store.is_committed(target.address):
            raise ArtifactNotFoundError(f"{target.url} is not a committed entity; `sinara ls` lists what there is.")
        return [target.url]
    entities = target.store.entities(target.address)
    if not entities:
        raise ArtifactNotFoundError(f"{target.url} has published nothing; `sinara ls` lists the runs.")
    return [target.store.url_of(entity) for entity in entities]


def _manifest_or_node(url: str, stores: Mapping[str, ArtifactStore]) -> Manifest | Node:
    try:
        root, address = split_entity_url(url)
    except LayoutError:
        return Node(url, "raw")
    try:
        manifest = read_entity_manifest(stores.get(root) or store_at(root), address)
    except ArtifactNotFoundError:
        return Node(url, "entity", "missing")
    except SinaraError:
        return Node(url, "entity", "unreadable")
    return _listed_inputs(manifest, stores) if manifest else Node(url, "entity", library="SinaraML")


def _listed_inputs(manifest: Manifest, stores: Mapping[str, ArtifactStore]) -> Manifest:
    return manifest.model_copy(update={"inputs": tuple(_listed(url, stores) for url in manifest.inputs)})


def _listed(url: str, stores: Mapping[str, ArtifactStore]) -> str:
    """Return an entity's URL as its run is listed: a run that was read over a link is the same run."""
    try:
        root, address = split_entity_url(url)
    except LayoutError:
        return url
    store = stores.get(root)
    return store.url_of(store.listed(address.run).entity(address.name)) if store else url


class _Users:
    """Finds who read an entity: runs by their records, then their entities by their manifests."""

    def __init__(self, runs: Sequence[CatalogRun], stores: Mapping[str, ArtifactStore]) -> None:
        self._stores = stores
        self._readers: dict[str, list[CatalogRun]] = {}
        self._made: dict[str, list[tuple[str, Manifest]]] = {}
        for run in runs:
            for url in _inputs(run):
                self._readers.setdefault(_listed(url, stores), []).append(run)

    def __call__(self, url: str) -> Iterator[str]:
        """Yield the URLs of the entities that were made from `url`."""
        for run in self._readers.get(url, []):
            if run.url not in self._made:
                self._made[run.url] = [(made, _listed_inputs(one, self._stores)) for made, one in _manifests(run)]
            yield from (made for made, manifest in self._made[run.url] if url in manifest.inputs)


def _inputs(run: CatalogRun) -> tuple[str, ...]:
    try:
        return run.inputs()
    except ArtifactError as error:
        log.warning("left out: %s", error)
        return ()


def _manifests(run: CatalogRun) -> Iterator[tuple[str, Manifest]]:
    for entity in run.store.entities(run.address):
        try:
            manifest = read_entity_manifest(run.store, entity)
        except ArtifactError as error:
            log.warning("left out: %s", error)
        else:
            if manifest is not None:
                yield run.store.url_of(entity), manifest
