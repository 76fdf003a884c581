"""The newest packed model that may be used: one that no quality gate has refused."""

import logging

from sinara_lib.errors import ArtifactError, QualityGateError
from sinara_lib.gate import METRICS_PAGE, QUALITY_REPORT, Gate, read_page
from sinara_lib.layout import EntityAddress, RunAddress, run_id_order, split_entity_url
from sinara_lib.store import ArtifactStore
from sinara_lib.store.manifest import RunStatus

SERVICE = "bento_service"

log = logging.getLogger(__name__)


def newest_service(store: ArtifactStore) -> str:
    """Return the URL of the newest packed service whose last evaluation, if it had one, passed its gate.

    One that was never evaluated is taken, with a word about it. Raises ArtifactNotFoundError when there is none at
    all, QualityGateError when every one was refused.
    """
    refused: list[str] = []
    for url in store.newest_urls(SERVICE):
        service = split_entity_url(url)[1]
        judge = _last_judge(store, service)
        if judge is None:
            log.info("%s was not evaluated yet.", url)
        elif not _passed(store, judge):
            words = "%s is passed over: it failed the gate of %s. Give its URL to use it all the same."
            log.warning(words, url, judge.run_id)
            refused.append(url)
            continue
        return url
    if not refused:
        return store.newest_url(SERVICE)
    raise QualityGateError(
        f"Every {SERVICE} under {store.url} failed its quality gate, the newest is {refused[0]}. Train a better model, "
        "or give the URL of one to use it all the same."
    )


def _last_judge(store: ArtifactStore, service: EntityAddress) -> RunAddress | None:
    """Return the newest run that read the service and published a report on it."""
    url, made = store.url_of(service), run_id_order(service.run.run_id)
    place = (service.run.step.pipeline, service.run.step.zone)
    judges = []
    for step in store.steps():
        if (step.pipeline, step.zone) != place:
            continue
        for run in store.runs(step):
            if run_id_order(run.run_id) < made:
                break
            if store.is_committed(run.entity(QUALITY_REPORT)) and _has_read(store, run, url):
                judges.append(run)
                break
    return max(judges, key=lambda run: run_id_order(run.run_id), default=None)


def _has_read(store: ArtifactStore, run: RunAddress, url: str) -> bool:
    try:
        record = store.run_record(run)
    except ArtifactError as error:
        log.warning("passed over: %s", error)
        return False
    return record is not None and record.status is not RunStatus.REMOVING and url in record.inputs


def _passed(store: ArtifactStore, judge: RunAddress) -> bool:
    """Tell whether a report's gate was passed; one that cannot be read vouches for nothing."""
    try:
        return read_page(store.open(judge.entity(QUALITY_REPORT)).read(METRICS_PAGE), Gate).passed
    except (ArtifactError, ValueError) as error:
        log.warning("%s cannot be read: %s", store.url_of(judge.entity(QUALITY_REPORT)), error)
        return False
