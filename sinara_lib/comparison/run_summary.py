"""What is known of one run, read back: its record, and the reports that its notebooks left."""

import json
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from sinara_lib.catalog.catalog import read_entity_manifest
from sinara_lib.catalog.find import Target
from sinara_lib.errors import ArtifactCorruptError, ArtifactError, ArtifactNotFoundError, LayoutError
from sinara_lib.gate import QUALITY_REPORT
from sinara_lib.layout import EntityAddress, RunAddress, run_sort_key
from sinara_lib.metrics import flat_metrics
from sinara_lib.runs.environment import ENVIRONMENT_FILE, Environment, read_environment
from sinara_lib.store import ArtifactStore
from sinara_lib.store.entity import EntityReader
from sinara_lib.store.manifest import Costs, Manifest, Producer, RunRecord, RunStatus, Source

REPORT_PREFIX = "reports_"
FOREIGN = "SinaraML"

Metric = float | int | str

log = logging.getLogger(__name__)


class RunInfo(BaseModel):
    """The fields of runinfo.json that are read back, of ours and of SinaraML's."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    result: str | None = None
    reason: str | None = None
    user: str | None = None
    pipeline_params: dict[str, Any] = {}
    substeps_params: list[dict[str, Any]] = []
    inputs: dict[str, Any] | list[Any] = {}
    origin: str | None = None
    commit: str | None = None
    uncommitted: bool = False
    input_nb_name: str | None = None


@dataclass(frozen=True)
class NotebookReport:
    """The report of one notebook: its files, and what they say; `damage` lists what cannot be read, and why."""

    notebook: str
    url: str
    files: tuple[str, ...] = ()
    info: RunInfo = field(default_factory=RunInfo)
    metrics: Mapping[str, Metric] = field(default_factory=dict)
    environment: Environment | None = None
    damage: tuple[str, ...] = ()


@dataclass(frozen=True)
class RunSummary:
    """A run with its reports. Times are UTC; `params` go by `<notebook>.<name>`; of SinaraML's runs less is known.

    `outputs` hold the content hash of each entity but the reports, None where it cannot be known.
    """

    store: ArtifactStore
    address: RunAddress
    status: str
    reason: str | None
    started: datetime
    finished: datetime | None
    user: str | None
    producer: Producer
    params: Mapping[str, Any]
    inputs: tuple[str, ...]
    sources: tuple[Source, ...]
    outputs: Mapping[str, str | None]
    metrics: Mapping[str, Metric]
    environment: Environment | None
    reports: tuple[NotebookReport, ...]
    costs: Costs | None = None

    @property
    def cost_numbers(self) -> dict[str, float]:
        """What the run took, by names as metrics have them; empty where it was not recorded."""
        if self.costs is None:
            return {}
        mega = {"peak_memory_mb": self.costs.peak_memory, "read_mb": self.costs.bytes_read}
        mega["written_mb"] = self.costs.bytes_written
        seconds = {"seconds": self.costs.seconds, "cpu_seconds": self.costs.cpu_seconds}
        numbers = seconds | {name: count / 1e6 for name, count in mega.items()}
        return {f"cost.{name}": round(number, 1) for name, number in numbers.items()}

    @property
    def url(self) -> str:
        """The run's URL."""
        return self.store.url_of(self.address)

    @property
    def run_id(self) -> str:
        """The run's id."""
        return self.address.run_id

    @property
    def foreign(self) -> bool:
        """Whether SinaraML wrote it."""
        return self.producer.library == FOREIGN

    @property
    def damage(self) -> tuple[str, ...]:
        """What of its reports cannot be read, and why."""
        return tuple(words for report in self.reports for words in report.damage)


def read_summary(target: Target) -> RunSummary:
    """Read what is known of the run that `target` is. A damaged report is told in `damage`.

    Raises ArtifactNotFoundError when the run is not there, or is being removed, ArtifactCorruptError for its record.
    """
    store, run = target.store, target.address
    if not isinstance(run, RunAddress):
        raise LayoutError(f"{target.url} is an entity: name the run that published it.")
    record, entities = store.run_record(run), store.entities(run)
    if record is None and not entities:
        raise ArtifactNotFoundError(f"{target.url} does not exist: it was removed, or never was. See `sinara ls`.")
    if record is not None and record.status is RunStatus.REMOVING:
        raise ArtifactNotFoundError(f"{target.url} is being removed by `sinara gc`.")
    reports = tuple(_read_report(store, e) for e in entities if e.name.startswith(REPORT_PREFIX))
    infos = [report.info for report in reports]
    outputs = {e.name: _content(store, e) for e in entities if not e.name.startswith(REPORT_PREFIX)}
    environments = [report.environment for report in reports if report.environment]
    return RunSummary(
        store=store,
        address=run,
        status=record.status.value if record else _foreign_status(infos),
        reason=record.reason if record else None,
        started=record.started if record else run_sort_key(run.run_id)[0],
        finished=record.finished if record else None,
        user=next((info.user for info in infos if info.user), None),
        producer=record.producer if record else _foreign_producer(infos),
        params=dict(_params(record.params if record else None, infos)),
        inputs=record.inputs if record else _foreign_inputs(infos),
        sources=record.sources if record else (),
        outputs=outputs,
        metrics=dict(_metrics(record, reports)),
        environment=environments[0] if environments else None,
        reports=_in_order(reports, record),
        costs=record.costs if record else None,
    )


def open_quality_report(summary: RunSummary) -> EntityReader | None:
    """Open what model_eval says of the model; None when the run has published no such entity."""
    if QUALITY_REPORT not in summary.outputs:
        return None
    return summary.store.open(summary.address.entity(QUALITY_REPORT))


def _read_report(store: ArtifactStore, address: EntityAddress) -> NotebookReport:
    notebook = address.name.removeprefix(REPORT_PREFIX).removesuffix("_ipynb") + ".ipynb"
    url = store.url_of(address)
    try:
        entity = store.open(address)
    except ArtifactError as error:
        return NotebookReport(notebook, url, damage=(str(error),))
    damage: list[str] = []
    files = tuple(entry.path for entry in entity.manifest.files)
    info = _read(entity, "runinfo.json", RunInfo.model_validate_json, damage) or RunInfo()
    found = _read(entity, "metrics.json", _parse_metrics, damage) or {}
    known = ENVIRONMENT_FILE in files
    environment = _read(entity, ENVIRONMENT_FILE, lambda data: read_environment(data, url), damage) if known else None
    return NotebookReport(info.input_nb_name or notebook, url, files, info, found, environment, tuple(damage))


def _read(entity: EntityReader, name: str, parse: Any, damage: list[str]) -> Any:
    try:
        return parse(entity.read(name))
    except ArtifactError as error:
        damage.append(str(error))
    except (ValidationError, ValueError) as error:
        damage.append(f"{entity.path}/{name} cannot be understood: {str(error).splitlines()[0]}.")
    return None


def _parse_metrics(data: bytes) -> dict[str, Metric]:
    page = json.loads(data)
    if not isinstance(page, dict):
        raise ArtifactCorruptError("metrics.json holds no object of metrics.")
    return {n: v for n, v in flat_metrics(page).items() if n != "run_id" and isinstance(v, int | float | str)}


def _content(store: ArtifactStore, address: EntityAddress) -> str | None:
    try:
        manifest: Manifest | None = read_entity_manifest(store, address)
    except ArtifactError as error:
        log.warning("content not known: %s", error)
        return None
    return manifest.content if manifest else None


def _params(recorded: Mapping[str, Any] | None, infos: list[RunInfo]) -> Iterator[tuple[str, Any]]:
    """Yield every parameter with its value; a notebook that was run by hand has no name in the record."""
    if recorded is not None and "substep_params" in recorded:
        yield from recorded["substep_params"].items()
        return
    told = recorded["substeps_params"] if recorded and "substeps_params" in recorded else None
    for substep in told if told is not None else [each for info in infos for each in info.substeps_params]:
        params = substep.get("substep_params") or {}
        yield from ((f"{substep.get('substep_name', '')}.{name}", value) for name, value in params.items())


def _metrics(record: RunRecord | None, reports: tuple[NotebookReport, ...]) -> Iterator[tuple[str, Metric]]:
    yield from record.metrics.items() if record else ()
    for report in reports:
        yield from report.metrics.items()


def _foreign_status(infos: list[RunInfo]) -> str:
    results = {info.result for info in infos if info.result}
    return "FAILED" if "FAIL" in results else "SUCCESS" if results == {"SUCCESS"} else "unknown"


def _foreign_producer(infos: list[RunInfo]) -> Producer:
    info = next((info for info in infos if info.commit), RunInfo())
    return Producer(origin=info.origin, commit=info.commit, library=FOREIGN)


def _foreign_inputs(infos: list[RunInfo]) -> tuple[str, ...]:
    named = [info.inputs.values() if isinstance(info.inputs, dict) else info.inputs for info in infos]
    return tuple(dict.fromkeys(url for urls in named for url in urls if isinstance(url, str)))


def _in_order(reports: tuple[NotebookReport, ...], record: RunRecord | None) -> tuple[NotebookReport, ...]:
    """Return the reports in the order the notebooks ran."""
    listed = [s.get("substep_name") for s in (record.params.get("substeps_params", []) if record else [])]
    return tuple(sorted(reports, key=lambda r: listed.index(r.notebook) if r.notebook in listed else len(listed)))
