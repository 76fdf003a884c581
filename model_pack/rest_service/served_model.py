"""What the packed `model.json` says about the model: written by the pack step, read by the service."""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import BaseModel, ConfigDict

MODEL_PAGE = "model.json"


class ServedModel(BaseModel):
    """The model as it is served, and where it comes from."""

    model_config = ConfigDict(frozen=True, extra="ignore", protected_namespaces=())

    service_version: str
    model_name: str
    model_run: str
    dataset_run: str
    input_size: tuple[int, int]
    """Height and width in pixels."""
    classes: tuple[str, ...]
    category_ids: tuple[int, ...]
    min_score: float
    """Detections below it are left out unless the caller asks for them."""

    @classmethod
    def load(cls, folder: Path) -> ServedModel:
        """Read `model.json`; raises pydantic's ValidationError for one that the pack step did not write."""
        return cls.model_validate_json((folder / MODEL_PAGE).read_bytes())

    def write(self, folder: Path) -> None:
        """Write `model.json`."""
        text = json.dumps(self.model_dump(), indent=1, ensure_ascii=False)
        (folder / MODEL_PAGE).write_text(text, encoding="utf-8")
