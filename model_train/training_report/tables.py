"""Tables of a training in markdown, for the notebook and the manager's page."""

from __future__ import annotations

from collections.abc import Sequence

from detector_training.history import History
from detector_training.training import TrainingResult
from sinara_lib.tables import bold, markdown_table
from sinara_lib.vision.coco_archive import Split


def data_table(train: Split, evaluate: Split) -> str:
    """Return images and objects of each class in both splits."""
    counts = [split.objects_per_class() for split in (train, evaluate)]
    rows: list[Sequence[object]] = [[name, *(count[name] for count in counts)] for name in train.classes]
    images = [bold("images"), len(train.dataset.images), len(evaluate.dataset.images)]
    return markdown_table(["objects of class", "train", "eval"], [*rows, images])


def weights_table(result: TrainingResult) -> str:
    """Return what was kept of the pretrained weights, what is new, what was left out."""
    fit = result.fit
    if fit is None:
        return f"No pretrained weights: {result.params.model_name} is trained from scratch."
    assumed = " (COCO's 80 names assumed: the file names none)" if fit.classes_assumed else ""
    rows: list[Sequence[object]] = [
        ["checkpoint", fit.source + assumed],
        ["layers named as in", fit.origin],
        ["layers loaded", fit.loaded_layers],
        ["classes kept, by name", _names(fit.kept_classes)],
        ["classes that start fresh", _names(fit.new_classes)],
        ["classes of the checkpoint not wanted", len(fit.dropped_classes)],
        ["layers of the checkpoint without a place", _names(fit.unused_layers[:6])],
    ]
    return markdown_table(["pretrained weights", ""], rows)


def epochs_table(history: History) -> str:
    """Return one row for the start and for each scoring; the best one is marked."""
    losses = history.epoch_losses()
    rates = {one.epoch: one.learning_rate for one in history.batches}
    rows: list[list[object]] = []
    for one in history.scorings:
        trained = [f"{losses[one.epoch]:.2f}", f"{rates[one.epoch]:.1e}"] if one.epoch in losses else ["", ""]
        row = [one.weights.replace("_", " "), *trained, *_scores(one.scores), f"{one.seconds:.0f}"]
        rows.append([bold(cell) if one is history.published else cell for cell in row])
    return markdown_table(["weights", "loss", "learning rate", "AP", "AP50", "AP75", "seconds"], rows)


def summary(result: TrainingResult) -> str:
    """Say in two sentences what came out."""
    best, start = result.best, result.start
    verdict = (
        "No epoch beat the starting point, so the starting point is published as it is."
        if result.best_is == "start"
        else f"Published is {result.best_is.replace('_', ' ')}: AP50 {best['AP50']:.3f}, AP {best['AP']:.3f}; "
        f"before training AP50 was {start['AP50']:.3f}."
    )
    return (
        f"{result.params.model_name} at {result.params.input_size[0]} x {result.params.input_size[1]} pixels, recipe "
        f"{result.recipe.name}, {len(result.epochs)} epochs ({result.images_seen} images seen) on {result.device} in "
        f"{result.seconds:.0f} s. {verdict}"
    )


def _scores(scores: dict[str, float]) -> list[str]:
    return [f"{scores[name]:.3f}" for name in ("AP", "AP50", "AP75")]


def _names(names: Sequence[str]) -> str:
    return ", ".join(names) or "none"
