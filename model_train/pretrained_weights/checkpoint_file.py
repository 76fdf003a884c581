"""Reads a checkpoint file as tensors and plain values; nothing that a file names is ever called."""

from __future__ import annotations

import pickle
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import ValidationError

from sinara_lib.errors import DataError
from sinara_lib.vision.model_pages import WEIGHTS_PAGE, WeightsRecord


class _Ignored:
    """Stands where a checkpoint of MMDetection 3.x keeps the history of its log."""

    def __setstate__(self, state: object) -> None:
        """Take what the file holds, and keep none of it."""


def _ignore(*_values: object) -> None:
    """Stand for `getattr`, by which that history names its methods: look nothing up."""


# What training leaves beside the weights: numpy's numbers (Megvii's best AP), and mmengine's log, replaced by nothing.
_HARMLESS = (
    *((np._core.multiarray.scalar, f"numpy.{core}.multiarray.scalar") for core in ("core", "_core")),
    *((np._core.multiarray._reconstruct, f"numpy.{core}.multiarray._reconstruct") for core in ("core", "_core")),
    *(np.dtype, np.ndarray, *{type(np.dtype(code)) for code in ("f2", "f4", "f8", "i4", "i8", "u1", "?")}),
    (_Ignored, "mmengine.logging.history_buffer.HistoryBuffer"),
    (_ignore, "builtins.getattr"),
)


def read_plain_checkpoint(path: Path) -> Mapping[str, Any]:
    """Return the dictionary in the file, tensors on the CPU.

    Raises DataError naming what the file would have to execute to be read, or why it is no checkpoint at all.
    """
    try:
        with torch.serialization.safe_globals(list(_HARMLESS)):
            document = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError, ValueError, KeyError, TypeError) as error:
        raise DataError(_refusal(path, error)) from error
    if not isinstance(document, Mapping):
        raise DataError(f"{path} holds a {type(document).__name__}, no `state_dict` of tensors.")
    return document


def _refusal(path: Path, error: Exception) -> str:
    named = _named_code(path) or re.findall(r"Unsupported global: GLOBAL (\S+)", str(error))
    if named:
        return (
            f"{path} cannot be read as a checkpoint of plain weights: it asks for {', '.join(named[:5])}, and nothing "
            "in a checkpoint is executed. Load it where you trust it, and save its `state_dict` and class names alone."
        )
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    return f"{path} cannot be read as a checkpoint of plain weights: {reason}"


def _named_code(path: Path) -> list[str]:
    """Return what the file asks for beyond plain values; nothing of one in PyTorch's old format."""
    try:
        with torch.serialization.safe_globals(list(_HARMLESS)):
            return sorted(torch.serialization.get_unsafe_globals_in_checkpoint(path))
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError, ValueError):
        return []


def find_weights(folder: str | Path) -> Path | None:
    """Return the checkpoint in the unpacked folder, or None when data_load was told to use none.

    Raises DataError when weights.json is missing or names a file that is not there.
    """
    record_path = Path(folder) / WEIGHTS_PAGE
    alone = [path for path in Path(folder).iterdir() if path.is_file()]
    if len(alone) == 1 and alone[0].suffix == ".pth":  # SinaraML's data_load publishes nothing beside it
        return alone[0]
    try:
        record = WeightsRecord.model_validate_json(record_path.read_bytes())
    except (OSError, ValidationError) as error:
        raise DataError(f"{record_path} does not say which weights to use ({error}). Run data_load again.") from error
    if record.file_name is None:
        return None
    path = record_path.parent / record.file_name
    if not path.is_file():
        there = ", ".join(sorted(one.name for one in record_path.parent.iterdir()))
        raise DataError(f"weights.json names {record.file_name}, but there are only: {there}. Run data_load again.")
    return path
