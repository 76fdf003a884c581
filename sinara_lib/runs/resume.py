"""The run that another run goes on from: found, and refused where there is nothing to go on from."""

import logging
from dataclasses import dataclass

from sinara_lib.catalog.find import find_run
from sinara_lib.errors import ArtifactNotFoundError, LayoutError, StepFailedError
from sinara_lib.layout import RunAddress, split_entity_url
from sinara_lib.params import ParamsFile, parse_params
from sinara_lib.runs.checkpoints import is_checkpoint, newest_checkpoint
from sinara_lib.settings import Settings
from sinara_lib.store.liveness import is_alive
from sinara_lib.store.manifest import RunRecord, RunStatus

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Resumption:
    """What a resumed run takes over: parameters, the URLs of all inputs, and the newest checkpoint's URL."""

    run: RunAddress
    params: ParamsFile
    inputs: tuple[str, ...]
    checkpoint: str


def find_resumption(settings: Settings, text: str, *, env: str) -> Resumption:
    """Return what is needed to go on from the run that `text` names, by its id or URL, in the environment `env`.

    Raises ArtifactNotFoundError when the run or its checkpoint is not there, StepFailedError when it ended well, still
    runs, or is a notebook's that was run by hand.
    """
    target = find_run(settings, text, env=env)
    run, store = target.address, target.store
    if not isinstance(run, RunAddress) or store.url != settings.store(env).url:
        raise LayoutError(f"{target.url} is not a run of the environment {env}: resume it where it was started.")
    record = store.run_record(run)
    if record is None:
        raise ArtifactNotFoundError(f"{target.url} has no record, so nobody knows what it was run with.")
    if refusal := _refusal(record):
        raise StepFailedError(f"{run.run_id} cannot be resumed: {refusal}.")
    checkpoint = newest_checkpoint(store, run)
    if checkpoint is None:
        raise ArtifactNotFoundError(f"{target.url} left no checkpoint to go on from: start the step anew.")
    url = store.url_of(checkpoint)
    params = parse_params(ParamsFile, record.params, where=f"the record of {target.url}")
    return Resumption(run, params, (*(one for one in record.inputs if not _names_checkpoint(one)), url), url)


def _refusal(record: RunRecord) -> str | None:
    if record.status is RunStatus.SUCCESS:
        return "it ended well"
    if record.status is RunStatus.INTERACTIVE:
        return "its notebook was run by hand, and its parameters are not recorded whole"
    if record.status is RunStatus.REMOVING:
        return "`sinara gc` is removing it"
    alive = is_alive(record) if record.status is RunStatus.RUNNING else False
    if alive and record.process is not None:
        return f"it still runs, in process {record.process.pid}"
    if alive is None:
        log.warning("%s ran on another machine; make sure that it does not run any more", record.run_id)
    return None


def _names_checkpoint(url: str) -> bool:
    try:
        return is_checkpoint(split_entity_url(url)[1].name)
    except LayoutError:
        return False
