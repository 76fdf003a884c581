"""The pages of a notebook's report: facts and an executed notebook in, HTML and JSON out."""

import json
import re
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from nbconvert import HTMLExporter
from nbformat import NotebookNode
from pygments.formatters import HtmlFormatter

from sinara_lib import __version__
from sinara_lib.metrics import flat_metrics
from sinara_lib.reports.hidden_cells import without_hidden
from sinara_lib.reports.page_safety import content_policy, restrict_html
from sinara_lib.reports.pages import TEMPLATES, style
from sinara_lib.store.manifest import Producer, SubstepRecord

BUSINESS_TAG = "business_report"


@dataclass(frozen=True)
class RunFacts:
    """What a report says about a notebook's run. Times are UTC; `result` is SUCCESS, FAIL or STOPPED."""

    step_name: str
    notebook: str
    run_id: str
    run_url: str
    report_url: str
    started: datetime
    stopped: datetime
    result: str
    reason: str | None
    pipeline_params: Mapping[str, Any]
    step_params: Mapping[str, Any]
    substep_params: Mapping[str, Any]
    user: str
    producer: Producer
    record: SubstepRecord

    @property
    def seconds(self) -> float:
        """How long the notebook ran."""
        return (self.stopped - self.started).total_seconds()


def run_info(facts: RunFacts) -> str:
    """Return runinfo.json: SinaraML's fields, with a true status and UTC times."""
    page = {
        "start_time": facts.started.isoformat(),
        "stop_time": facts.stopped.isoformat(),
        "duration": round(facts.seconds, 3),
        "result": facts.result,
        "status": {"SUCCESS": "COMPLETE", "FAIL": "FAILED"}.get(facts.result, facts.result),
        "reason": facts.reason,
        "run_id": facts.run_id,
        "pipeline_params": facts.pipeline_params,
        "step_params": facts.step_params,
        "substeps_params": [{"substep_name": facts.notebook, "substep_params": facts.substep_params}],
        "inputs": facts.record.inputs,
        "outputs": facts.record.outputs,
        "tmp": facts.record.tmp,
        "user": facts.user,
        "origin": facts.producer.origin,
        "commit": facts.producer.commit,
        "uncommitted": facts.producer.uncommitted,
        "step_name": facts.step_name,
        "input_nb_name": facts.notebook,
        "output_nb_name": "report.ipynb",
        "sinara_version": __version__,
        "sinara_server_image": None,
        "outputs_url": facts.run_url,
        "notebook_report_url": facts.report_url,
    }
    return json.dumps(page, indent=1)


def metrics_json(facts: RunFacts) -> str:
    """Return metrics.json: the run id and every metric."""
    return json.dumps({"run_id": facts.run_id, **facts.record.metrics}, indent=1)


def report_html(notebook: NotebookNode, facts: RunFacts) -> str:
    """Return the whole executed notebook as one page, the failing cell named on top."""
    return _render(notebook, facts, notebook.cells, with_code=True)


def business_report_html(notebook: NotebookNode, facts: RunFacts) -> str:
    """Return the cells tagged `business_report` as one page without code; one that failed with what it had shown."""
    failed = next((i for i, cell in enumerate(notebook.cells) if _has_error(cell)), len(notebook.cells))
    cells = [_without_error(c) for c in notebook.cells[: failed + 1] if BUSINESS_TAG in c.metadata.get("tags", [])]
    return _render(notebook, facts, cells, with_code=False)


def _render(notebook: NotebookNode, facts: RunFacts, cells: list[NotebookNode], *, with_code: bool) -> str:
    shown = notebook.copy()
    title = _title(notebook, facts)
    cells = [cell for cell in cells if "papermill-error-cell-tag" not in cell.metadata.get("tags", [])]
    shown.cells = [without_hidden(_tidy(cell, title)) for cell in cells]
    exporter = HTMLExporter(template_name="sinara", extra_template_basedirs=[str(TEMPLATES)])
    exporter.register_filter("picture_size", _picture_size)
    exporter.register_filter("base64", lambda text: b64encode(text.encode()).decode("ascii"))
    restrict_html(exporter)
    light, dark = HtmlFormatter(style="friendly"), HtmlFormatter(style="github-dark")
    page = {
        "facts": facts,
        "title": title,
        "style": style(),
        "policy": content_policy(),
        "with_code": with_code,
        "metrics": flat_metrics(facts.record.metrics),
        "failed_cell": next((c for c in cells if _has_error(c)), None),
        "params": {k: json.dumps(v) if not isinstance(v, str) else v for k, v in facts.substep_params.items()},
        "code_css": light.get_style_defs(".highlight"),
        "dark_code_css": dark.get_style_defs(".highlight"),
    }
    html, _ = exporter.from_notebook_node(shown, resources={"page": page})
    return str(html)


def _picture_size(output: NotebookNode, kind: str) -> str:
    """Return the width and height that the notebook asked for, as attributes."""
    asked = output.get("metadata", {}).get(kind, {})
    return "".join(f' {side}="{asked[side]}"' for side in ("width", "height") if isinstance(asked.get(side), int))


def _title(notebook: NotebookNode, facts: RunFacts) -> str:
    for cell in notebook.cells:
        match = re.match(r"#\s+(.+)", cell.source) if cell.cell_type == "markdown" else None
        if match:
            return match[1]
    return facts.notebook


def _has_error(cell: NotebookNode) -> bool:
    return any(output.output_type == "error" for output in cell.get("outputs", []))


def _without_error(cell: NotebookNode) -> NotebookNode:
    """Return a copy without its traceback, and without what it printed beside that."""
    if not _has_error(cell):
        return cell
    return NotebookNode({**cell, "outputs": [o for o in cell.outputs if o.output_type not in {"error", "stream"}]})


def _tidy(cell: NotebookNode, title: str) -> NotebookNode:
    """Return a copy without the title, which the page has on top, and with streams as a terminal shows them."""
    if cell.cell_type != "code":
        return NotebookNode({**cell, "source": re.sub(rf"\A#\s+{re.escape(title)}\s*$", "", cell.source, flags=re.M)})
    outputs: list[NotebookNode] = []
    for output in cell.outputs:
        last = outputs[-1] if outputs else None
        if output.output_type == "stream" and last is not None and last.get("name") == output.name:
            last.text += output.text
        else:
            outputs.append(output.copy())
    for output in outputs:
        if output.output_type == "stream":
            lines = (line.rstrip("\r").rsplit("\r", 1)[-1].rstrip() for line in output.text.split("\n"))
            output.text = "\n".join(lines).strip("\n")
    return NotebookNode({**cell, "outputs": [o for o in outputs if o.get("text", True)]})
