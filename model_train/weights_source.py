"""The pretrained weights as data_load published them."""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from sinara_lib.errors import DataError


class _WeightsRecord(BaseModel):
    model_config = ConfigDict(extra="ignore")

    file_name: str | None


def find_weights(folder: str | Path) -> Path | None:
    """Return the checkpoint in the unpacked folder, or None when data_load was told to use none.

    Raises DataError when weights.json is missing or names a file that is not there.
    """
    record_path = Path(folder) / "weights.json"
    try:
        record = _WeightsRecord.model_validate(json.loads(record_path.read_text(encoding="utf-8")))
    except (OSError, ValidationError, ValueError) as error:
        raise DataError(f"{record_path} does not say which weights to use ({error}). Run data_load again.") from error
    if record.file_name is None:
        return None
    path = record_path.parent / record.file_name
    if not path.is_file():
        there = ", ".join(sorted(one.name for one in record_path.parent.iterdir()))
        raise DataError(f"weights.json names {record.file_name}, but there are only: {there}. Run data_load again.")
    return path
