"""Pages about a model that one step writes and another reads: weights.json of data_load, model.json of model_train."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator, model_validator
from pydantic_core import PydanticCustomError

from sinara_lib.errors import DataError

WEIGHTS_PAGE = "weights.json"
MODEL_PAGE = "model.json"
STRIDE = 32
"""Height and width of a network's input are multiples of its coarsest stride."""

_OURS = "model_page"


class WeightsRecord(BaseModel):
    """Which checkpoint training starts from; all null when it starts from scratch."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    url: str | None = None
    file_name: str | None
    sha256: str | None = None
    bytes: int = 0


class ModelCard(BaseModel):
    """What model_train says about its model: `model.json` beside the weights."""

    model_config = ConfigDict(frozen=True, extra="ignore", protected_namespaces=())

    model_name: str
    input_size: tuple[int, int]
    """Height and width in pixels."""
    classes: tuple[str, ...]
    category_ids: tuple[int, ...]
    """Those of the splits, in the order of the classes."""
    run_id: str
    dataset_run: str
    """The run of data_prep that made the splits."""
    best_is: str = ""
    """Which candidate the best weights are, such as `epoch_7`."""
    scores: Mapping[str, Mapping[str, Any]] = {}
    """Of the start, the best and the last weights."""

    @field_validator("input_size", mode="before")
    @classmethod
    def _fits_the_strides(cls, value: object) -> object:
        sides = value if isinstance(value, list | tuple) else ()
        if len(sides) == 2 and all(isinstance(side, int | float) for side in sides):
            if any(side < STRIDE or side % STRIDE for side in sides):
                raise PydanticCustomError(_OURS, f"input_size {list(sides)} must be two multiples of {STRIDE}")
        return value

    @model_validator(mode="after")
    def _every_class_has_its_id(self) -> ModelCard:
        if len(self.classes) != len(self.category_ids) or not self.classes:
            counts = f"{len(self.classes)} classes but {len(self.category_ids)} category ids"
            raise PydanticCustomError(_OURS, counts)
        return self

    @classmethod
    def load(cls, folder: str | Path) -> ModelCard:
        """Read `model.json` of an inference-files folder. Raises DataError when it is absent or incomplete."""
        path = Path(folder) / MODEL_PAGE
        try:
            return cls.model_validate_json(path.read_bytes())
        except OSError as error:
            raise DataError(f"{path}: cannot be read ({error.strerror}); run model_train again.") from error
        except ValidationError as error:
            told = "; ".join(_words(dict(one)) for one in error.errors())
            raise DataError(f"{path}: not a complete model card ({told}); run model_train again.") from error

    def write(self, folder: Path) -> None:
        """Write `model.json`."""
        text = json.dumps(self.model_dump(), indent=2) + "\n"
        (folder / MODEL_PAGE).write_text(text, encoding="utf-8")


def _words(problem: dict[str, Any]) -> str:
    place = ".".join(map(str, problem["loc"]))
    return str(problem["msg"]) if problem["type"] == _OURS or not place else f"{place}: {problem['msg']}"
