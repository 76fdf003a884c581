"""What model_train says about its model, and the detector built from it in PyTorch."""

from __future__ import annotations

import contextlib
import io
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import nn

from sinara_lib.errors import DataError
from sinara_lib.store import open_entity
from sinara_lib.vision.mmcv_ops import ensure_mmcv_ops
from sinara_lib.vision.model_pages import ModelCard


def load_detector(folder: str | Path, *, weights: str = "best.pth") -> nn.Module:
    """Build the detector of `config.py` with the weights of an inference-files folder, ready to predict.

    Raises DataError when a file is absent, does not load, or its layers do not fit the config.
    """
    folder = Path(folder)
    for path in (folder / "config.py", folder / weights):
        if not path.is_file():
            raise DataError(f"{path} is missing; obj_detect_inference_files needs it. Run model_train again.")
    detector = _build(folder / "config.py")
    _refuse_normalisation(detector, folder / "config.py")
    _load_weights(detector, folder / weights)
    return detector.eval()


def model_metadata(card: ModelCard, url: str) -> dict[str, str]:
    """Return what the file says of its origin; `url` is the entity of model_train that the weights came in.

    `training_commit` is left out where the training ran outside a repository.
    """
    commit = open_entity(url).manifest.producer.commit
    facts = {"run_id": card.run_id, "dataset_run": card.dataset_run, "model_name": card.model_name}
    return facts | ({"training_commit": commit} if commit else {})


def _build(path: Path) -> nn.Module:
    ensure_mmcv_ops()
    # mmdet warns of, and prints, each optional package that is not installed.
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        from mmdet.utils import register_all_modules
        from mmengine.config import Config
        from mmengine.registry import MODELS

        register_all_modules(init_default_scope=True)
        config = Config.fromfile(str(path), import_custom_modules=False)
        config.model.pop("init_cfg", None)
        detector: nn.Module = MODELS.build(config.model)
    return detector


def _load_weights(detector: nn.Module, path: Path) -> None:
    try:
        checkpoint: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        detector.load_state_dict(checkpoint["state_dict"], strict=True)
    except Exception as error:
        # torch raises many kinds here (pickle, zip, key, shape); for the user all say: these are not the weights.
        first_lines = " ".join(str(error).split())[:300]
        raise DataError(f"{path}: the weights do not fit config.py beside them: {first_lines}") from error


def _refuse_normalisation(detector: nn.Module, path: Path) -> None:
    if getattr(detector.data_preprocessor, "_enable_normalize", False):
        raise DataError(
            f"{path}: data_preprocessor normalises images, but the service feeds them as they are; "
            "remove mean and std from it and train again."
        )
