"""Running a finished run again, apart from the store: same commit, parameters and inputs; then what came out the same.

The new run lives in a folder of its own, under the same run id and with stores that hold only the inputs of the old
one, so that nothing newer is read, nothing downstream takes it for a new result, and names within outputs agree.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from sinara_lib.catalog.find import Target, known_stores
from sinara_lib.comparison.run_diff import RunDiff, RunSide, diff_runs, shown, shown_rows
from sinara_lib.comparison.run_summary import RunSummary, read_summary
from sinara_lib.comparison.value_equality import Verdict, compare_entities
from sinara_lib.errors import ArtifactError, ArtifactNotFoundError, LayoutError, StepFailedError
from sinara_lib.layout import EntityAddress, RunAddress, split_entity_url
from sinara_lib.params import ParamsFile, parse_params
from sinara_lib.pipeline import pipeline_steps
from sinara_lib.runs.worktrees import commit_worktree
from sinara_lib.settings import Settings
from sinara_lib.store import ArtifactStore
from sinara_lib.store.files import StoreFiles
from sinara_lib.store.manifest import RUN_FILE, RunRecord, RunStatus
from sinara_lib.store.work_folders import work_folder
from sinara_lib.tables import text_table

_RUN_STEP = """
import sys
from pathlib import Path
from sinara_lib.params import load_params
from sinara_lib.step import Step, exit_code_of
sys.exit(exit_code_of(lambda: Step(Path.cwd(), load_params(sys.argv[1]), run_id=sys.argv[2]).run()))
"""


@dataclass(frozen=True)
class OutputRow:
    """One output: how it came out, the content hash of the old and the new one, and which of its files differ."""

    name: str
    verdict: Verdict
    before: str | None
    after: str | None
    files: tuple[str, ...] = ()

    @property
    def cells(self) -> tuple[str, ...]:
        """The output as a row of a table."""
        hashes = " ".join(shown(value) for value in dict.fromkeys((self.before, self.after)))
        more = f", and {len(self.files) - 3} more" if len(self.files) > 3 else ""
        return self.name, self.verdict.value, hashes, f"{', '.join(self.files[:3])}{more}"


@dataclass(frozen=True)
class Reproduction:
    """A run beside its repetition."""

    diff: RunDiff
    outputs: tuple[OutputRow, ...]
    place: str

    @property
    def different(self) -> list[str]:
        """The outputs that came out different, or not at all."""
        return [row.name for row in self.outputs if row.verdict in {Verdict.DIFFERENT, Verdict.MISSING}]

    def lines(self) -> Iterator[str]:
        """Yield the table of outputs, the metrics, and what else was not as it had been."""
        yield f"run   {self.diff.a.url}"
        yield f"code  {self.diff.a.producer.commit}"
        yield from ("", "outputs", *text_table([row.cells for row in self.outputs], indent="  "))
        for section in ("metrics", "packages", "inputs"):
            if rows := self.diff.sections[section]:
                yield from ("", section, *shown_rows(rows))
        yield from (f"note: {note}" for note in self.diff.notes)


def reproduce(target: Target, settings: Settings, *, keep: Path | None = None) -> Reproduction:
    """Run a successful run again and compare what it publishes. `keep` is a new folder for the repetition's stores.

    Raises StepFailedError when the run cannot be repeated, because its code is not recorded or not to be had, or when
    the repetition fails; ArtifactNotFoundError when an input was removed.
    """
    run = read_summary(target)
    record = _check(run)
    params = parse_params(ParamsFile, record.params, where=f"the record of {run.url}")
    folder = _step_folder(run, settings)
    with _place(keep) as place:
        roots = {env: str(place / env) for env in settings.roots}
        apart = replace(settings, roots=roots, storage={env: {} for env in roots})
        _lay_inputs(run, settings, apart)
        with commit_worktree(folder, str(run.producer.commit)) as tree:
            _run_apart(tree, params, apart, run.address)
        again = read_summary(Target(apart.store(params.pipeline_params.env_name), run.address))
        stores = {apart.store(env).url: store.url for env, store in known_stores(settings).items()}
        return Reproduction(
            diff=diff_runs(RunSide(run, _raw(run), {}), RunSide(again, _raw(again), {})),
            outputs=tuple(_compare(run, again, name, stores) for name in dict.fromkeys((*run.outputs, *again.outputs))),
            place=str(place),
        )


def _run_apart(tree: Path, params: ParamsFile, apart: Settings, address: RunAddress) -> None:
    """Run a step of a worktree in a process of its own, with the library of that commit where it holds one."""
    library = next((p for p in tree.parents if (p / "sinara_lib" / "step.py").is_file()), None)
    path = os.pathsep.join(filter(None, [str(library or ""), os.environ.get("PYTHONPATH", "")]))
    with work_folder("sinara-params-") as folder:
        file = folder / "params.json"
        file.write_text(params.model_dump_json(), encoding="utf-8")
        done = subprocess.run(
            [sys.executable, "-c", _RUN_STEP, str(file), address.run_id],
            cwd=tree,
            env={**os.environ, **apart.variables(), "PYTHONPATH": path},
            check=False,
        )
    if done.returncode != 0:
        store = apart.store(params.pipeline_params.env_name)
        reason = None
        with suppress(ArtifactError):
            record = store.run_record(address)
            reason = record.reason if record else None
        raise StepFailedError(f"{address.run_id} could not be run again: {reason or 'see its words above'}")


def _check(run: RunSummary) -> RunRecord:
    """Return the run's record. Raises StepFailedError for a run that cannot be repeated."""
    record = run.store.run_record(run.address)
    code = run.producer
    if record is None:
        reason = "SinaraML made it, which does not record what is needed"
    elif record.status is not RunStatus.SUCCESS:
        by_hand = record.status is RunStatus.INTERACTIVE
        reason = "its notebook was run by hand" if by_hand else f"it is {record.status.value}: nothing to compare with"
    elif code.commit is None:
        reason = "it was made outside of any commit, so its code is not recorded"
    elif code.uncommitted:
        reason = (
            f"it was made with uncommitted changes, so commit {code.commit[:12]} is not its code: commit, run again"
        )
    else:
        return record
    raise StepFailedError(f"{run.run_id} cannot be reproduced: {reason}.")


def _step_folder(run: RunSummary, settings: Settings) -> Path:
    name = run.address.step.step
    found = next((step for step in pipeline_steps(settings) if step.name == name), None)
    if found is None:
        raise StepFailedError(f"No step {name} in this pipeline: stand in the one that {run.run_id} was run in.")
    return found.folder()


@contextmanager
def _place(keep: Path | None) -> Iterator[Path]:
    if keep is not None:
        if keep.exists() and any(keep.iterdir()):
            raise LayoutError(f"{keep} is not empty: name a new folder to keep the repetition in.")
        keep.mkdir(parents=True, exist_ok=True)
        yield keep.resolve()
        return
    with work_folder("sinara-again-") as folder:
        yield folder.resolve()


def _lay_inputs(run: RunSummary, settings: Settings, apart: Settings) -> None:
    """Put what the run read into the new stores, by hard link where that goes, with the records of its runs."""
    envs = known_stores(settings)
    for url in run.inputs:
        try:
            root, address = split_entity_url(url)
        except LayoutError:
            continue  # raw data: fetched again from where it was
        if address.run == run.address:
            continue
        homes = [env for env, store in envs.items() if store.url == root]
        if not homes:
            raise ArtifactNotFoundError(f"{url}, which {run.run_id} read, lies in none of: {', '.join(envs)}.")
        for env in homes:
            _lay_entity(envs[env], address, Path(apart.roots[env]))


def _lay_entity(store: ArtifactStore, address: EntityAddress, root: Path) -> None:
    files = StoreFiles(store.fs)
    if not store.is_committed(address):
        raise ArtifactNotFoundError(f"{store.url_of(address)} was removed: without it the run cannot be reproduced.")
    for name in files.sizes(f"{store.root}/{address.path}"):
        _copy(files, f"{store.root}/{address.path}/{name}", root / address.path / name)
    if files.exists(record := f"{store.root}/{address.run.path}/{RUN_FILE}"):
        _copy(files, record, root / address.run.path / RUN_FILE)


def _copy(files: StoreFiles, source: str, target: Path) -> None:
    if target.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    if not files.local:
        with target.open("wb") as sink:
            for chunk in files.chunks(source, 1 << 20):
                sink.write(chunk)
        return
    try:
        os.link(source, target)
    except OSError:  # another disk, or one without links
        shutil.copy2(source, target)


def _raw(run: RunSummary) -> dict[str, str]:
    """Return what is known of raw data by URL; the other inputs are the very same."""
    return {source.url: source.sha256 for source in run.sources}


def _compare(run: RunSummary, again: RunSummary, name: str, roots: dict[str, str]) -> OutputRow:
    before, after = run.outputs.get(name), again.outputs.get(name)
    if before is None or after is None:
        return OutputRow(name, Verdict.MISSING, before, after)
    old, new = (side.store.open(side.address.entity(name)) for side in (run, again))
    verdict, files = compare_entities(old, new, roots=roots)
    return OutputRow(name, verdict, before, after, tuple(files))
