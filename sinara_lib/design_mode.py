"""What a notebook reads and publishes, written down for tools that draw a pipeline without running it."""

import json
import uuid
from collections.abc import Mapping
from pathlib import Path

from sinara_lib.errors import InterfaceError
from sinara_lib.notebook_run import NOTEBOOK_VARIABLE
from sinara_lib.store.manifest import SubstepRecord

FOLDER_VARIABLE = "VISUALIZER_SESSION_RUN_ID"


def write_design(environ: Mapping[str, str], *, step_name: str, record: SubstepRecord) -> Path:
    """Write inputs and outputs of the running notebook as a JSON file of its own; return its path.

    Raises InterfaceError when `environ` does not say into which folder.
    """
    if not (folder := environ.get(FOLDER_VARIABLE)):
        raise InterfaceError(f"DESIGN_MODE is set but {FOLDER_VARIABLE} is not: set it to a folder's path.")
    notebook = environ.get(NOTEBOOK_VARIABLE, "notebook.ipynb")
    Path(folder).mkdir(parents=True, exist_ok=True)
    page = {"step_name": step_name, "substep_name": notebook, "inputs": record.inputs, "outputs": record.outputs}
    path = Path(folder) / f"{step_name}.{notebook}.{uuid.uuid4()}.json"
    path.write_text(json.dumps(page, indent=1), encoding="utf-8")
    return path
