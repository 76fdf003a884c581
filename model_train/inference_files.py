"""The files that model_pack needs: weights, configuration, names, scores and one image."""

from __future__ import annotations

import shutil
from pathlib import Path

from detector_training.config import TrainingPlace, build_config
from detector_training.data import pick_example
from detector_training.training import TrainingResult
from sinara_lib.vision.coco_archive import Split
from sinara_lib.vision.model_pages import ModelCard

PLACE = TrainingPlace(train="train", evaluate="eval", work="work")


def write_inference_files(
    result: TrainingResult, folder: str | Path, *, train: Split, evaluate: Split, run_id: str, dataset_run: str
) -> Path:
    """Write best.pth, last.pth, config.py, model.json and eval_image.<ext> into `folder`; returns it.

    config.py names no folder of this machine. run_id: this run; dataset_run: the run of data_prep that made the splits.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(result.best_path, folder / "best.pth")
    shutil.copyfile(result.last_path, folder / "last.pth")
    config = build_config(
        result.params, result.recipe, classes=result.classes, train_images=len(train.dataset.images), place=PLACE
    )
    config.dump(folder / "config.py")
    image = pick_example(evaluate)
    (folder / f"eval_image{Path(image.file_name).suffix.lower()}").write_bytes(evaluate.read_image(image))
    describe_model(result, evaluate, run_id=run_id, dataset_run=dataset_run).write(folder)
    return folder


def describe_model(result: TrainingResult, evaluate: Split, *, run_id: str, dataset_run: str) -> ModelCard:
    """Return the content of model.json; category_ids are those of the splits, in the order of the classes."""
    return ModelCard(
        model_name=result.params.model_name,
        input_size=tuple(result.params.input_size),
        classes=tuple(result.classes),
        category_ids=tuple(evaluate.dataset.category_ids),
        run_id=run_id,
        dataset_run=dataset_run,
        best_is=result.best_is,
        scores={"start": result.start, "best": result.best, "last": result.last},
    )
