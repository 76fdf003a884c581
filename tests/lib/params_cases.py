"""Two files of parameters, one of a notebook and one of two, and what they give their notebooks."""

from typing import Any

from sinara_lib.params import ParamsFile, parse_params

ONE = {
    "pipeline_params": {"env_name": "user", "pipeline_name": "rest", "zone_name": "test"},
    "step_params": {},
    "substeps_params": [{"substep_name": "train.ipynb", "substep_params": {"epochs": 3, "url": None}}],
}
TWO = {
    **ONE,
    "substeps_params": [
        {"substep_name": "a.ipynb", "substep_params": {"epochs": 1, "size": 256}},
        {"substep_name": "b.ipynb", "substep_params": {"size": 512, "gate": 0.5}},
    ],
}


def file_of(document: dict[str, Any]) -> ParamsFile:
    """The document as parameters."""
    return parse_params(ParamsFile, document)


def values_of(params: ParamsFile) -> dict[str, dict[str, Any]]:
    """What each notebook is given."""
    return {s.substep_name: s.substep_params for s in params.substeps_params}
