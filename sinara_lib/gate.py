"""The gate of a quality report: model_eval writes it into metrics.json, whoever needs the verdict reads it here."""

from collections.abc import Mapping
from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

QUALITY_REPORT = "model_quality_report"
"""The entity that holds a report."""
METRICS_PAGE = "metrics.json"
"""The file in it that machines read."""

Rule = Literal["at least", "at most"]
Page = TypeVar("Page", bound=BaseModel)


class _FromPage(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class JudgedThreshold(_FromPage):
    """One threshold: what was asked, what was found (None: nothing to measure it on), and the outcome."""

    name: str = ""
    required: int | float | None = None
    found: int | float | None = None
    rule: Rule = "at least"
    trouble: str = ""
    """Why nothing was found, where that is so."""
    waived: str | None = None
    """Why the threshold is not asked; it is passed then."""
    passed: bool
    verdict: str | None = None
    """The outcome in words; older reports have none."""

    @property
    def words(self) -> str:
        """The outcome in words, told from the numbers where the report has no verdict."""
        if self.verdict is not None:
            return self.verdict
        told = f"{self.name} not measured" if self.found is None else f"{self.name} {self.found:.3f}"
        return told if self.required is None else f"{told}, threshold {self.required:.3f}"


class Gate(_FromPage):
    """All thresholds that a model was held against."""

    gate: tuple[JudgedThreshold, ...]

    @property
    def passed(self) -> bool:
        """True when every threshold was."""
        return all(threshold.passed for threshold in self.gate)


class ScoredModel(Gate):
    """What a later run compares its model with: the gate, the metrics, and on which ground truth they were measured."""

    run_id: str
    ground_truth: str
    metrics: Mapping[str, float | None]


def read_page(data: bytes, page: type[Page]) -> Page:
    """Read metrics.json of a quality report. Raises ValueError naming the fields that are absent or of another kind."""
    try:
        return page.model_validate_json(data)
    except ValidationError as error:
        absent, wrong = list[str](), list[str]()
        for one in error.errors():
            place = ".".join(map(str, one["loc"])) or "the whole"
            (absent if one["type"] == "missing" else wrong).append(place)
        if absent:
            raise ValueError(f"its {METRICS_PAGE} lacks {', '.join(absent)}; an older version wrote it.") from error
        raise ValueError(f"its {METRICS_PAGE} has another form: {', '.join(dict.fromkeys(wrong))}.") from error
