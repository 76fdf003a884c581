"""Which run a URL means, however its folder is reached: over links, or over another root of the same place."""

from collections.abc import Iterable

from sinara_lib.catalog.catalog import CatalogRun
from sinara_lib.errors import LayoutError, SinaraError
from sinara_lib.layout import split_entity_url, split_run_url
from sinara_lib.store import ArtifactStore, store_at


def url_places(url: str) -> frozenset[str]:
    """Return the place (a path of a run below a root) that an entity's URL names; empty for raw data."""
    try:
        return frozenset({split_entity_url(url)[1].run.path})
    except LayoutError:
        return frozenset()


class RunPlaces:
    """Finds the places of runs by the URLs of their entities; a run is asked for once."""

    def __init__(self, runs: Iterable[CatalogRun], stores: Iterable[ArtifactStore]) -> None:
        self._stores = {store.url: store for store in stores}
        self._known: dict[object, set[str]] = {}
        for run in runs:
            self._known.setdefault(run.store.identity(run.address), set()).add(run.address.path)
        self._found: dict[str, frozenset[str]] = {}

    def __call__(self, url: str) -> frozenset[str]:
        """Return the place that a URL names and, when it leads there over links, the one where the run is listed."""
        run_url = url.rstrip("/").rpartition("/")[0]
        if run_url not in self._found:
            self._found[run_url] = url_places(url) | self._listed(run_url)
        return self._found[run_url]

    def _listed(self, run_url: str) -> frozenset[str]:
        try:
            root, run = split_run_url(run_url)
            store = self._stores.get(root) or store_at(root)
        except SinaraError:
            return frozenset()
        return frozenset(self._known.get(store.identity(run), ()))
