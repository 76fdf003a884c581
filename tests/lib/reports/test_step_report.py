"""A notebook's report entity: what it holds when the notebook ran, half ran, or could not be read."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from sinara_lib.layout import RunAddress
from sinara_lib.params import ParamsFile, SubstepParams, parse_params
from sinara_lib.reports.step_report import StepReport
from sinara_lib.runs.notebook import NotebookEnd, Outcome
from sinara_lib.store import ArtifactStore, open_entity
from sinara_lib.store.manifest import Producer, SubstepRecord

PAGES = ["business_report.html", "metrics.json", "report.html", "report.ipynb", "runinfo.json"]


@pytest.fixture
def report(store: ArtifactStore, run: RunAddress, tmp_path: Path) -> StepReport:
    """The report of `a.ipynb` in a run that goes on."""
    document = {"pipeline_params": {"pipeline_name": "rest"}, "substeps_params": [{"substep_name": "a.ipynb"}]}
    return StepReport(
        store,
        run,
        params=parse_params(ParamsFile, document),
        substep=SubstepParams(substep_name="a.ipynb", substep_params={"size": 1}),
        producer=Producer(library="test"),
        user="Ada Example",
        work=tmp_path,
    )


def _files(report: StepReport) -> list[str]:
    return [entry.path for entry in open_entity(report.url).manifest.files]


def test_the_entity_is_named_after_the_notebook(report: StepReport, store: ArtifactStore, run: RunAddress) -> None:
    assert report.url == f"{store.url_of(run)}/reports_a_ipynb"


def test_the_executed_copy_is_reported_with_what_the_notebook_told(
    report: StepReport, tmp_path: Path, write_notebook: Callable[..., Path]
) -> None:
    source = write_notebook(tmp_path / "a.ipynb", "source = 1")
    write_notebook(report.notebook, "executed = 1")
    told = SubstepRecord(inputs={"x": "url"}, metrics={"AP50": 0.5})
    (tmp_path / "record.json").write_text(told.model_dump_json())
    assert report.save(NotebookEnd(Outcome.DONE), source) == (NotebookEnd(Outcome.DONE), told)
    assert _files(report) == PAGES
    entity = open_entity(report.url)
    assert "executed = 1" in entity.read("report.ipynb").decode()
    assert json.loads(entity.read("metrics.json"))["AP50"] == 0.5
    info = json.loads(entity.read("runinfo.json"))
    assert (info["inputs"], info["status"]) == ({"x": "url"}, "COMPLETE")


def test_a_notebook_that_never_started_is_reported_as_it_stands(
    report: StepReport, tmp_path: Path, write_notebook: Callable[..., Path]
) -> None:
    source = write_notebook(tmp_path / "a.ipynb", "source = 1")
    end = NotebookEnd(Outcome.FAILED, "no such parameter")
    assert report.save(end, source) == (end, SubstepRecord())
    assert _files(report) == PAGES
    assert json.loads(open_entity(report.url).read("runinfo.json"))["reason"] == "no such parameter"


@pytest.mark.parametrize("text", [None, "{"])
def test_an_absent_or_broken_notebook_is_reported_without_pages(
    report: StepReport, tmp_path: Path, text: str | None
) -> None:
    if text is not None:
        (tmp_path / "a.ipynb").write_text(text)
    report.save(NotebookEnd(Outcome.FAILED, "broken"), tmp_path / "a.ipynb")
    assert _files(report) == ["metrics.json", "runinfo.json"]


def test_the_kernels_packages_are_published_with_the_report(
    report: StepReport, tmp_path: Path, write_notebook: Callable[..., Path]
) -> None:
    (tmp_path / "environment.json").write_text("{}")
    report.save(NotebookEnd(Outcome.DONE), write_notebook(tmp_path / "a.ipynb"))
    assert open_entity(report.url).read("environment.json") == b"{}"


def test_no_page_of_a_report_holds_a_password_or_a_signature(
    store: ArtifactStore, run: RunAddress, tmp_path: Path, write_notebook: Callable[..., Path]
) -> None:
    url = "https://ada:secret1@data.example/a.zip?signature=secret2"
    document = {"pipeline_params": {"pipeline_name": "rest"}, "substeps_params": [{"substep_name": "a.ipynb"}]}
    report = StepReport(
        store,
        run,
        params=parse_params(ParamsFile, document),
        substep=SubstepParams(substep_name="a.ipynb", substep_params={"sources": [{"url": url}]}),
        producer=Producer(library="test"),
        user="Ada Example",
        work=tmp_path,
    )
    write_notebook(report.notebook, ("injected-parameters", f"substep_params = {{'sources': [{{'url': '{url}'}}]}}"))
    report.save(NotebookEnd(Outcome.DONE), report.notebook)
    entity = open_entity(report.url)
    for file in entity.manifest.files:
        text = entity.read(file.path).decode()
        assert "secret" not in text
        assert file.path == "metrics.json" or "https://data.example/a.zip" in text or "business" in file.path
