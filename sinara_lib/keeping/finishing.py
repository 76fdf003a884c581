"""What a step's run that ends well notes of itself, so that later ones can tell whether they have to be made."""

import logging
from collections.abc import Iterable
from typing import Any

from sinara_lib.errors import SinaraError
from sinara_lib.keeping.contents import contents_read, split_inputs
from sinara_lib.keeping.outputs import read_outputs
from sinara_lib.layout import RunAddress, split_entity_url
from sinara_lib.metrics import flat_metrics
from sinara_lib.store import ArtifactStore
from sinara_lib.store.identity_index import IdentityIndex
from sinara_lib.store.manifest import RunRecord, SubstepRecord
from sinara_lib.store.step_identity import Identity

log = logging.getLogger(__name__)


def facts_of(
    store: ArtifactStore, run: RunAddress, record: RunRecord, substeps: Iterable[SubstepRecord], identity: Identity
) -> dict[str, Any]:
    """Return the fields to add to the record of a run that has ended well; `identity` is that of its start.

    Without an identity stay runs that say that they always change, and those that were told to read from elsewhere than
    their notebooks declare: nobody can know what another one would read.
    """
    try:
        return _facts(store, run, record, list(substeps), identity)
    except SinaraError as error:  # the work is done; it is only not known by what
        log.warning("%s will not be kept by later runs of the pipeline: %s", run.run_id, error)
        return {}


def _facts(
    store: ArtifactStore, run: RunAddress, record: RunRecord, substeps: list[SubstepRecord], identity: Identity
) -> dict[str, Any]:
    urls = [url for substep in substeps for url in substep.outputs.values()]
    outputs = read_outputs(store, run, dict.fromkeys(url.rsplit("/", 1)[-1] for url in urls))
    metrics = {name: value for substep in substeps for name, value in flat_metrics(substep.metrics).items()}
    found = {"outputs": outputs, "metrics": metrics}
    if record.always_changed or not outputs or not all(map(_reads_as_declared, substeps)):
        return found
    contents = contents_read(split_inputs(record.inputs, store=store, own=run.step), store=store)
    if contents is None:
        return found
    return {**found, "identity": identity.model_copy(update={"inputs": contents})}


def note_in_index(store: ArtifactStore, run: RunAddress, identity: Identity | None) -> None:
    """Make a run findable by what it was made by. A run that is not is made again; its own work is done."""
    if identity is None:
        return
    try:
        IdentityIndex(store, run.step).add(run.run_id, identity)
    except SinaraError as error:
        log.warning("%s will not be kept by later runs of the pipeline: %s", run.run_id, error)


def _reads_as_declared(substep: SubstepRecord) -> bool:
    for name, url in substep.inputs.items():
        if name.startswith("custom:"):
            continue
        entity = split_entity_url(url)[1]
        if not name.endswith(f".{entity.run.step.path.replace('/', '.')}.{entity.name}"):
            return False
    return True
