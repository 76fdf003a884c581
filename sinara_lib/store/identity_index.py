"""Which good runs of a step were made by what: an empty file for each, found by one listing.

`<pipeline>/<zone>/@identities/<step>/<sha256 of all but the inputs>/<run id>.<sha256 of the inputs>`. It only says
where to look: what counts stands in the runs' records. A file without its run is nothing.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from sinara_lib.layout import StepAddress, is_run_id, run_id_order
from sinara_lib.store.artifact_store import ArtifactStore
from sinara_lib.store.files import StoreFiles
from sinara_lib.store.listings import lay_file, names_in
from sinara_lib.store.step_identity import Identity, inputs_digest

IDENTITIES = "@identities"
_DIGITS = 16
"""Of the inputs' sha256, in a name."""


@dataclass(frozen=True)
class KnownRun:
    """A run that was made by the same code, parameters and packages; `inputs` is the start of its inputs' sha256."""

    run_id: str
    inputs: str


class IdentityIndex:
    """The index of one step's runs."""

    def __init__(self, store: ArtifactStore, step: StepAddress) -> None:
        self._fs = store.fs
        self._folder = f"{store.root}/{step.pipeline}/{step.zone}/{IDENTITIES}/{step.step}"

    def add(self, run_id: str, identity: Identity) -> None:
        """Note a good run."""
        path = f"{self._folder}/{identity.made_by}/{run_id}.{short_inputs(identity)}"
        lay_file(self._fs, path, b"")

    def runs_made_by(self, made_by: str) -> list[KnownRun]:
        """Return the runs that all but the inputs agree with, newest first; one listing."""
        found = (name.rpartition(".") for name in names_in(self._fs, f"{self._folder}/{made_by}"))
        known = [KnownRun(run_id, inputs) for run_id, _, inputs in found if is_run_id(run_id)]
        return sorted(known, key=lambda run: run_id_order(run.run_id), reverse=True)

    def forget(self, run_ids: Iterable[str]) -> None:
        """Remove the files of runs that are gone."""
        gone, files = set(run_ids), StoreFiles(self._fs)
        for made_by in names_in(self._fs, self._folder):
            names = names_in(self._fs, f"{self._folder}/{made_by}")
            dead = [name for name in names if name.rpartition(".")[0] in gone]
            for name in dead:
                files.remove_file(f"{self._folder}/{made_by}/{name}")
            if len(dead) == len(names):
                files.remove_folder(f"{self._folder}/{made_by}")


def short_inputs(identity: Identity) -> str:
    """Return how a run's inputs are named in the index."""
    return inputs_digest(identity.inputs)[:_DIGITS]
