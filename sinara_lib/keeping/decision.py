"""Whether a step has to run, or an earlier run has made what it would make; and why, in words."""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sinara_lib.errors import ArtifactCorruptError
from sinara_lib.keeping.contents import CurrentContents, Inputs, split_inputs
from sinara_lib.keeping.differences import differences, input_differences
from sinara_lib.keeping.outputs import why_fallen
from sinara_lib.keeping.sources import changed_sources
from sinara_lib.layout import RunAddress, StepAddress
from sinara_lib.params import ParamsFile
from sinara_lib.store import ArtifactStore
from sinara_lib.store.identity_index import IdentityIndex
from sinara_lib.store.manifest import RunRecord, RunStatus
from sinara_lib.store.step_identity import Identity, inputs_digest

LOOKED_AT = 5
"""Newest runs that are read to say what has changed since."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Asked:
    """A step that could run: where its runs lie, its folder and parameters, and what it is now, but for its inputs."""

    store: ArtifactStore
    step: StepAddress
    folder: Path
    params: ParamsFile
    identity: Identity
    committed_only: bool = False
    """Only runs made from committed code count, as in prod."""


@dataclass(frozen=True)
class Verdict:
    """`kept` is the run that need not be made again, with its record; else `reasons` say why the step runs.

    `waits_for` names the steps whose results decide, where those are not made yet.
    """

    kept: RunAddress | None = None
    record: RunRecord | None = None
    reasons: tuple[str, ...] = ()
    waits_for: tuple[str, ...] = ()

    def line(self, step: str) -> str:
        """Return the verdict in one line."""
        if self.kept:
            return f"{step} is kept from {self.kept.run_id}: nothing changed"
        if self.waits_for:
            return f"{step} runs unless what {', '.join(self.waits_for)} makes is the same as before"
        return f"{step} runs: {'; '.join(self.reasons)}"


def decide(asked: Asked, current: CurrentContents) -> Verdict:
    """Tell whether the step has to run, when it would read what is `current`; nothing is run or written.

    Where nothing has changed this costs two listings, and one small read besides those of `current`.
    """
    search = _Search(asked, current)
    for run in search.candidates():
        if (verdict := search.judge(run)) is not None:
            return verdict
    return Verdict(reasons=tuple(search.reasons)) if search.reasons else search.since_newest()


@dataclass
class _Search:
    """Looks through the earlier runs that were made by the same code, parameters and packages."""

    asked: Asked
    current: CurrentContents
    reasons: list[str] = field(default_factory=list)
    """Why the newest of them does not count."""
    now: Mapping[str, str | None] | None = None
    """What would be read now, once a run has told which entities are read."""

    def candidates(self) -> Iterator[RunAddress]:
        """Yield the runs to look at: the newest, which tells what is read, then those that read what is current."""
        known = IdentityIndex(self.asked.store, self.asked.step).runs_made_by(self.asked.identity.made_by)
        for run in known:
            if self.now is None or run.inputs == self._inputs_now(len(run.inputs)):
                yield RunAddress(self.asked.step, run.run_id)

    def judge(self, run: RunAddress) -> Verdict | None:
        """Return the verdict that a run gives; None where the next one is to be looked at."""
        record = self._record(run)
        if record is None or record.identity is None:
            return None
        if self.asked.committed_only and (record.producer.commit is None or record.producer.uncommitted):
            self.reasons = self.reasons or [f"{run.run_id} was made from code that is not committed"]
            return None
        inputs = split_inputs(record.inputs, store=self.asked.store, own=self.asked.step)
        if waits := self.current.waits_for(inputs):
            return Verdict(waits_for=tuple(waits))
        if not (against := self._against(run, record, record.identity, inputs)):
            return Verdict(run, record)
        self.reasons = self.reasons or against
        return None

    def since_newest(self) -> Verdict:
        """Return what has changed since the newest good run of the step, which is read for that alone."""
        for run in self.asked.store.runs(self.asked.step)[:LOOKED_AT]:
            record = self._record(run)
            if record is None or (record.identity is None and not record.outputs and record.reason):
                continue  # one that found its sources unchanged, and made nothing
            if record.always_changed:
                return Verdict(reasons=(f"its notebook says that it always changes ({record.always_changed})",))
            if record.identity is None:
                return Verdict(reasons=(f"of {run.run_id} it is not recorded what it was made by",))
            if found := differences(record.identity, self.asked.identity):
                return Verdict(reasons=tuple(found))
            # Its place in the index was lost.
            return self.judge(run) or Verdict(reasons=tuple(self.reasons))
        return Verdict(reasons=("it has no good run",))

    def _record(self, run: RunAddress) -> RunRecord | None:
        """Return the record of a run that may count; None for one that is gone, not good, damaged or newer."""
        try:
            record = self.asked.store.run_record(run)
        except ArtifactCorruptError as error:
            log.warning("does not count: %s", error)
            return None
        return record if record is not None and record.status is RunStatus.SUCCESS else None

    def _against(self, run: RunAddress, record: RunRecord, identity: Identity, inputs: Inputs) -> list[str]:
        """Return what speaks against a run: what it read has changed, or what it published does not stand."""
        self.now = self.current.of(inputs)
        if changed := input_differences(identity.inputs, self.now):
            return changed
        given = {substep.substep_name: substep.substep_params for substep in self.asked.params.substeps_params}
        params, folder = {**identity.params, **given}, self.asked.folder
        if changed := changed_sources(record.sources, inputs.outside, folder=folder, params=params):
            return changed
        if fallen := why_fallen(self.asked.store, run, record.outputs):
            log.warning("%s does not count: %s", self.asked.store.url_of(run), fallen)
            return [f"of {run.run_id}, {fallen}"]
        return []

    def _inputs_now(self, digits: int) -> str | None:
        """Return how the index names the inputs that are current; None where one is not there."""
        if self.now is None or None in self.now.values():
            return None
        return inputs_digest({key: str(content) for key, content in self.now.items()})[:digits]
