"""The `content` of what a step reads: of what a run has read, and of what would be read now."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from sinara_lib.catalog.catalog import read_entity_manifest
from sinara_lib.errors import ArtifactNotFoundError, LayoutError
from sinara_lib.layout import EntityAddress, RunAddress, StepAddress, split_entity_url, split_run_url
from sinara_lib.store import ArtifactStore, store_at
from sinara_lib.store.manifest import RunRecord


@dataclass(frozen=True)
class InputKey:
    """An entity of another step, whatever its run; `root` is empty for the store of the step that reads it."""

    root: str
    step: StepAddress
    entity: str

    @property
    def text(self) -> str:
        """How an identity names it."""
        return f"{self.root}/{self.step.path}/{self.entity}".lstrip("/")


@dataclass(frozen=True)
class Inputs:
    """What a run has read: entities of other steps by their keys, and URLs outside of all stores."""

    entities: Mapping[InputKey, EntityAddress]
    outside: tuple[str, ...]


def split_inputs(urls: Iterable[str], *, store: ArtifactStore, own: StepAddress) -> Inputs:
    """Sort what a run of the step `own` has read; entities of its own runs are memory, and no input."""
    entities: dict[InputKey, EntityAddress] = {}
    outside = []
    for url in urls:
        try:
            root, entity = split_entity_url(url)
        except LayoutError:
            outside.append(url)
            continue
        if root != store.url or entity.run.step != own:
            entities[InputKey("" if root == store.url else root, entity.run.step, entity.name)] = entity
    return Inputs(entities, tuple(outside))


def contents_read(inputs: Inputs, *, store: ArtifactStore) -> dict[str, str] | None:
    """Return the content of every entity that was read; None where one has no manifest to tell it."""
    found = {}
    for key, entity in inputs.entities.items():
        manifest = read_entity_manifest(store if not key.root else store_at(key.root), entity)
        if manifest is None:
            return None
        found[key.text] = manifest.content
    return found


@dataclass
class CurrentContents:
    """What would be read now: of each step the run that the pipeline's run made or chose, else the newest good one.

    `chosen` are URLs of runs by step name, `pending` the names of steps of which nobody knows yet what they will make.
    Records are read once.
    """

    store: ArtifactStore
    chosen: Mapping[str, str]
    pending: frozenset[str] = frozenset()
    records: dict[str, RunRecord | None] = field(default_factory=dict)

    def waits_for(self, inputs: Inputs) -> list[str]:
        """Return the steps of which it is not known yet what they make of these inputs."""
        return sorted({key.step.step for key in inputs.entities if not key.root and key.step.step in self.pending})

    def of(self, inputs: Inputs) -> dict[str, str | None]:
        """Return the content of each input as it would be read now; None for what is not there."""
        runs: dict[tuple[str, StepAddress], tuple[ArtifactStore, RunAddress] | None] = {}
        for key in inputs.entities:
            if (key.root, key.step) not in runs:
                names = [each.entity for each in inputs.entities if (each.root, each.step) == (key.root, key.step)]
                runs[key.root, key.step] = self._run(key.root, key.step, names)
        return {key.text: self._content(runs[key.root, key.step], key.entity) for key in inputs.entities}

    def _run(self, root: str, step: StepAddress, names: list[str]) -> tuple[ArtifactStore, RunAddress] | None:
        store = self.store if not root else store_at(root)
        url = self.chosen.get(step.step)
        if url is not None and split_run_url(url) == (store.url, RunAddress(step, url.rsplit("/", 1)[-1])):
            return store, split_run_url(url)[1]
        try:
            return store, store.resolve(step, names)
        except ArtifactNotFoundError:
            return None

    def _content(self, run: tuple[ArtifactStore, RunAddress] | None, entity: str) -> str | None:
        if run is None:
            return None
        store, address = run
        url = store.url_of(address)
        if url not in self.records:
            self.records[url] = store.run_record(address)
        record = self.records[url]
        if record is not None and entity in record.outputs:
            return record.outputs[entity].content
        try:
            manifest = read_entity_manifest(store, address.entity(entity))
        except ArtifactNotFoundError:
            return None
        return manifest.content if manifest else None
