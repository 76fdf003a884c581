"""What a notebook reads and publishes, written down for tools that draw a pipeline without running it."""

import json
import os
import uuid
from pathlib import Path

from sinara_lib.notebook_run import NOTEBOOK_VARIABLE
from sinara_lib.store.manifest import SubstepRecord


def write_design(folder: Path, *, step_name: str, record: SubstepRecord) -> Path:
    """Write inputs and outputs of the running notebook as a JSON file of its own into `folder`; return its path."""
    notebook = os.environ.get(NOTEBOOK_VARIABLE, "notebook.ipynb")
    folder.mkdir(parents=True, exist_ok=True)
    page = {"step_name": step_name, "substep_name": notebook, "inputs": record.inputs, "outputs": record.outputs}
    path = folder / f"{step_name}.{notebook}.{uuid.uuid4()}.json"
    path.write_text(json.dumps(page, indent=1), encoding="utf-8")
    return path
