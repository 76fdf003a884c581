"""The run a notebook belongs to: the one its step started, or one of its own when it is opened by hand."""

import atexit
import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from sinara_lib.catalog.catalog import read_entity_manifest
from sinara_lib.errors import ArtifactNotFoundError, InterfaceError, LayoutError
from sinara_lib.layout import EntityAddress, RunAddress, StepAddress, new_run_id, split_entity_url, split_run_url
from sinara_lib.metrics import flat_metrics
from sinara_lib.params import PipelineParams
from sinara_lib.runs.checkout import read_producer
from sinara_lib.runs.instructions import CHOSEN_VARIABLE, READ_VARIABLE, told_run
from sinara_lib.runs.kept_folders import kept_folder, new_kept_folder
from sinara_lib.runs.tensorboard_logs import gather_logs, log_folder, publish_logs
from sinara_lib.settings import load_settings
from sinara_lib.store import ArtifactStore, store_at
from sinara_lib.store.liveness import this_process
from sinara_lib.store.manifest import RunRecord, RunStatus, Source
from sinara_lib.store.work_folders import sign
from sinara_lib.store.written_places import publish_written
from sinara_lib.urls import params_without_credentials

RUN_VARIABLE = "SINARA_RUN_URL"
"""URL of the run a step has started; absent when a notebook is opened by hand."""
TMP_VARIABLE = "SINARA_RUN_TMP"
"""Folder for the run's temporary files."""
NOTEBOOK_VARIABLE = "SINARA_NOTEBOOK"
"""File name of the notebook that is running."""

DESIGN_VARIABLE = "DESIGN_MODE"
"""Set while only the interfaces of notebooks are asked for: no data are needed then, and no run is left."""

StepKey = tuple[str, str, str, str]
"""Environment, pipeline, zone and step."""


class NotebookRun:
    """Joins the step's run, or starts an INTERACTIVE one; chooses the runs its inputs come from, and records them."""

    def __init__(self, pipeline: PipelineParams, step: str, *, substep_params: Mapping[str, Any]) -> None:
        self._env = pipeline.env_name
        self._settings = load_settings()
        self._store = self._settings.store(pipeline.env_name)
        self.by_hand = RUN_VARIABLE not in os.environ
        if self.by_hand:
            address = StepAddress(pipeline.pipeline_name, pipeline.zone_name, step)
            if DESIGN_VARIABLE in os.environ:
                self._address = RunAddress(address, new_run_id(datetime.now(timezone.utc)))
            else:
                self._address = self._start(address, substep_params)
            self._tmp = sign(Path(tempfile.mkdtemp(prefix="sinara-")))
            atexit.register(shutil.rmtree, self._tmp, ignore_errors=True)
            atexit.register(publish_logs, self._tmp, self._store, self._address)
        else:
            self._address = split_run_url(os.environ[RUN_VARIABLE])[1]
            self._tmp = Path(os.environ[TMP_VARIABLE])

    @property
    def run_id(self) -> str:
        """The run's id."""
        return self._address.run_id

    @property
    def url(self) -> str:
        """The run's URL."""
        return self._store.url_of(self._address)

    def own_tmp(self, name: str) -> str:
        """Make an empty folder for this notebook alone and return its path."""
        return _new_folder(self._tmp / Path(os.environ.get(NOTEBOOK_VARIABLE, "notebook")).stem / name)

    def new_shared_tmp(self, name: str) -> str:
        """Make an empty folder that later notebooks of the run can read and return its path."""
        if self.by_hand and DESIGN_VARIABLE not in os.environ:
            return str(new_kept_folder(f"{self._env}/{self._address.step.path}", self.run_id, name))
        return _new_folder(self._tmp / "shared" / name)

    def shared_tmp(self, name: str) -> str:
        """Return the folder an earlier notebook of the run made; by hand, of the last run that was opened by hand.

        Raises InterfaceError when there is none.
        """
        if DESIGN_VARIABLE in os.environ:
            return str(self._tmp / "shared" / name)
        if self.by_hand:
            return str(kept_folder(f"{self._env}/{self._address.step.path}", name))
        folder = self._tmp / "shared" / name
        if not folder.is_dir():
            raise InterfaceError(f"tmp_input {name!r} was not made: an earlier notebook must list it in tmp_outputs.")
        return str(folder)

    def own_logs(self, log_name: str) -> Path:
        """Return the folder for the event files of one of this run's logs; they are published when the run ends."""
        return log_folder(self._tmp, log_name, self.run_id)

    def publish_own_logs(self) -> None:
        """Publish the event files written so far, once; a step does it at the run's end."""
        if self.by_hand:
            publish_logs(self._tmp, self._store, self._address)

    def gather_earlier_logs(self, env: str | None) -> None:
        """Lay the logs of this step's earlier runs, in its own or another environment, beside this run's."""
        store = self._settings.store(env or self._env)
        earlier = [(store, run) for run in store.runs(self._address.step) if run != self._address]
        with suppress(ArtifactNotFoundError):  # the first run has none to look at
            gather_logs(earlier, self._tmp / "tensorboard")

    def resolve(self, key: StepKey, names: Sequence[str], *, pin: str | None) -> dict[str, str]:
        """Return the URLs of entities of one upstream step, all of one run.

        That run is the one told from outside, the pinned one, the one that the pipeline's run made or chose, the one
        an earlier notebook of this run read, or the newest that has them all: the first of these that there is.
        Entities of this very step come from this very run, unless the notebook is opened by hand.
        """
        env, pipeline, zone, step = key
        store, address = self._settings.store(env), StepAddress(pipeline, zone, step)
        if (address, env) == (self._address.step, self._env) and pin is None and not self.by_hand:
            run = self._own(names)
        elif told := told_run(READ_VARIABLE, step):
            store, run = self._told(told, names, key=key, pin=pin)
        elif pin is None and (chosen := self._chosen(key)):
            run = store.resolve(address, names, run_id=chosen.run_id)
        else:
            before = _run_among(self._record().inputs, store.url, address, but=self._address)
            run = store.resolve(address, names, run_id=pin or before)
        return {name: store.url_of(run.entity(name)) for name in names}

    def planned(self, key: StepKey, names: Sequence[str]) -> dict[str, str]:
        """Return where entities of an upstream step would lie, for design mode, which asks nothing of any store."""
        env, pipeline, zone, step = key
        root = self._settings.roots.get(env, f"{env}:/")
        return {name: f"{root}/{pipeline}/{zone}/{step}/last/{name}" for name in names}

    def publish_written(self, urls: Iterable[str]) -> list[str]:
        """Publish what a notebook opened by hand has written into the places `urls` by itself; return their URLs."""
        return publish_written(self._store, urls, beside=Path.cwd()) if self.by_hand else []

    def used_by(self, url: str, key: StepKey) -> str:
        """Return the id of the run of step `key` that was read by the run of the entity at `url`.

        Raises ArtifactNotFoundError when that run read none, or nothing is recorded of it.
        """
        env, pipeline, zone, step = key
        root, user = split_entity_url(url)
        record = store_at(root).run_record(user.run)
        inputs = record.inputs if record else ()
        run_id = _run_among(inputs, self._settings.store(env).url, StepAddress(pipeline, zone, step), but=user.run)
        if run_id is None:
            raise ArtifactNotFoundError(
                f"{url} was not made from a run of {'.'.join(key)}, as far as its record says: pin RUN_ID instead of "
                "USED_BY, or run its step again."
            )
        return self._alike(key, RunAddress(StepAddress(pipeline, zone, step), run_id), inputs) or run_id

    def remember(self, urls: Iterable[str]) -> None:
        """Record what the run reads; the manifests of what it publishes name it as their inputs."""
        self._store.replace_record(self._address, self._record().with_inputs(urls))

    def remember_source(self, source: Source) -> None:
        """Record what is known of raw data; the manifests of what the run publishes from here on name it."""
        self._store.replace_record(self._address, self._record().with_source(source))

    def remember_metrics(self, metrics: Mapping[str, Any]) -> None:
        """Record what a notebook opened by hand has measured; under a step its report tells that."""
        if self.by_hand:
            self._store.replace_record(
                self._address, self._record().model_copy(update={"metrics": flat_metrics(metrics)})
            )

    def remember_always_changed(self, reason: str) -> None:
        """Record why the result may be another one each time."""
        self._store.replace_record(self._address, self._record().model_copy(update={"always_changed": reason}))

    def confirm(self, key: StepKey, urls: Mapping[str, str]) -> None:
        """Check, after `remember`, that the chosen run still stands.

        `sinara gc` marks a run before it looks who uses it; a run recorded and then confirmed is never removed.
        Raises ArtifactNotFoundError when it was marked in between.
        """
        one = next(iter(urls.values()))
        if not one.startswith(f"{self.url}/"):
            root, entity = split_entity_url(one)
            own = self._settings.store(key[0])
            store = own if root == own.url else store_at(root)
            store.resolve(entity.run.step, list(urls), run_id=entity.run.run_id)

    def _told(
        self, told: tuple[str, RunAddress], names: Sequence[str], *, key: StepKey, pin: str | None
    ) -> tuple[ArtifactStore, RunAddress]:
        """Return the run that was told, wherever it lies. Raises InterfaceError where the notebook pins another."""
        root, run = told
        if pin is not None and pin != run.run_id:
            raise InterfaceError(
                f"The notebook reads {pin} of {'.'.join(key)}, by RUN_ID or USED_BY, and was told from outside to read "
                f"{run.run_id}, which holds something else: tell that run, or none."
            )
        store = store_at(root)
        return store, store.resolve(run.step, names, run_id=run.run_id)

    def _chosen(self, key: StepKey) -> RunAddress | None:
        """Return the run of step `key` that the pipeline's run has made or chosen; None where it has none."""
        env, pipeline, zone, step = key
        found = told_run(CHOSEN_VARIABLE, step)
        here = (self._settings.store(env).url, StepAddress(pipeline, zone, step))
        return found[1] if found and (found[0], found[1].step) == here else None

    def _alike(self, key: StepKey, used: RunAddress, inputs: Iterable[str]) -> str | None:
        """Return the id of the run that was told or chosen, where it holds what was read of the run `used`.

        A step that was not run because its inputs are the same may have been made from an earlier run of them.
        """
        told = told_run(READ_VARIABLE, key[-1])
        other = told[1] if told else self._chosen(key)
        if other is None or other == used:
            return None
        mine, its = self._settings.store(key[0]), store_at(told[0]) if told else self._settings.store(key[0])
        names = [url.rsplit("/", 1)[-1] for url in inputs if url.startswith(f"{mine.url_of(used)}/")]
        read = [_content(mine, used.entity(name)) for name in names]
        same = all(read) and read == [_content(its, other.entity(name)) for name in names]
        return other.run_id if same else None

    def _own(self, names: Sequence[str]) -> RunAddress:
        missing = [name for name in names if not self._store.is_committed(self._address.entity(name))]
        if missing:
            raise ArtifactNotFoundError(
                f"{self.url} has no {', '.join(missing)}: an earlier notebook of this step publishes it; "
                "list it before this one in substeps_params."
            )
        return self._address

    def _record(self) -> RunRecord:
        record = self._store.run_record(self._address)
        if record is None:
            raise ArtifactNotFoundError(f"{self.url} has lost its record; start the step again.")
        return record

    def _start(self, step: StepAddress, substep_params: Mapping[str, Any]) -> RunAddress:
        now = datetime.now(timezone.utc)
        record = RunRecord(
            run_id="",
            status=RunStatus.INTERACTIVE,
            started=now,
            producer=read_producer(Path.cwd()),
            process=this_process(),
            params=params_without_credentials({"substep_params": dict(substep_params)}),
        )
        return self._store.start_run(step, record, now=now)


def _run_among(urls: Iterable[str], root: str, step: StepAddress, *, but: RunAddress) -> str | None:
    """Return the run of `step` in the store at `root` that the first fitting URL lies in; `but` is not meant."""
    for url in urls:
        try:
            found_root, entity = split_entity_url(url)
        except LayoutError:
            continue
        if (found_root, entity.run.step) == (root, step) and entity.run != but:
            return entity.run.run_id
    return None


def _content(store: ArtifactStore, entity: EntityAddress) -> str | None:
    """Return the content hash of a committed entity; None for what is gone, so that it equals nothing that is there."""
    try:
        manifest = read_entity_manifest(store, entity)
    except ArtifactNotFoundError:
        return None
    return manifest.content if manifest else None


def _new_folder(path: Path) -> str:
    path.mkdir(parents=True)
    return str(path)
