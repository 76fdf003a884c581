"""A pipeline of steps by folder or URL, for tests."""

from pathlib import Path

from sinara_lib.pipeline import PipelineStep, pipeline_steps
from sinara_lib.settings import load_settings

PUBLISH = """from sinara_lib.store import publish_folder
from sinara_lib.substep import ENTITY_NAME, NotebookSubstep
substep = NotebookSubstep(pipeline_params, step_params, substep_params)
substep.interface(outputs=[{ENTITY_NAME: "numbers"}])
publish_folder("params", substep.outputs().numbers)"""


def make_pipeline(folder: Path, *sources: str, more: str = "") -> list[PipelineStep]:
    """Write a sinara.toml that names these steps, and return them."""
    folder.mkdir(exist_ok=True)
    (folder / "sinara.toml").write_text(f"[pipeline]\nsteps = {list(sources)}\n{more}")
    return pipeline_steps(load_settings(folder))
