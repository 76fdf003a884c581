"""The substep object of a notebook of data_prep, and inputs it may declare."""

from typing import Any

from sinara_lib.substep import (
    ENTITY_NAME,
    STEP_NAME,
    NotebookSubstep,
)

PARAMS = {"env_name": "user", "pipeline_name": "rest", "zone_name": "test"}
IMAGES = {STEP_NAME: "data_load", ENTITY_NAME: "images"}
LABELS = {STEP_NAME: "data_load", ENTITY_NAME: "labels"}


def make_substep(**step_params: Any) -> NotebookSubstep:
    """What a notebook's first cells make."""
    return NotebookSubstep(PARAMS, step_params, {"size": 256})


def run_id_of(url: str) -> str:
    """The id of the run that an entity's URL leads to."""
    return url.rsplit("/", 2)[1]
