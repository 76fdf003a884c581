"""detector_training: never hands back less than it started from, and says what went wrong."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from mmdet.registry import MODELS
from mmengine.config import Config

from detector_training.history import HistoryReader
from detector_training.training import TrainingResult, train_detector
from docstring_examples import run_examples
from drawn_splits import draw_split
from inference_files import write_inference_files
from sinara_lib.errors import DataError
from sinara_lib.vision.coco_archive import Split
from sinara_lib.vision.letterbox import decode_image
from train_params import TrainParams
from training_report.pictures import draw_examples
from training_report.tables import data_table, epochs_table, summary, weights_table

TINY = TrainParams(model_name="yolox_nano", input_size=[64, 64], epochs=2, batch_size=3)


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> tuple[TrainingResult, Split, Split]:
    """What the example of `train_detector` makes."""
    folder = tmp_path_factory.mktemp("training")
    splits = draw_split(folder / "t", "train", images=6, seed=1), draw_split(folder / "e", "eval", images=3, seed=2)
    made = run_examples(train_detector, params=TINY, train=splits[0], evaluate=splits[1], work=folder / "work")
    return made["result"], *splits


def _weights(path: Path) -> dict[str, torch.Tensor]:
    return torch.load(path, weights_only=True)["state_dict"]


def test_start_and_every_epoch_are_scored_and_every_batch_has_a_loss(
    result: tuple[TrainingResult, Split, Split],
) -> None:
    trained = result[0]

    assert [one.epoch for one in trained.epochs] == [1, 2]
    assert (len(trained.losses), trained.images_seen) == (4, 12)
    assert set(trained.start) == set(trained.best) == {"AP", "AP50", "AP75", "AP_small", "AP_medium", "AP_large"}
    assert trained.best["AP"] == max(one["AP"] for one in (trained.start, *(each.scores for each in trained.epochs)))
    assert trained.epochs[0].loss == pytest.approx(sum(trained.losses[:2]) / 2)


def test_an_epoch_that_is_not_better_leaves_the_start_published(result: tuple[TrainingResult, Split, Split]) -> None:
    trained = result[0]
    start, best, last = (
        _weights(path) for path in (trained.best_path.parent / "start.pth", trained.best_path, trained.last_path)
    )

    assert trained.best_is == "start"
    assert all(torch.equal(start[key], best[key]) for key in start)
    assert any(not torch.equal(start[key], last[key]) for key in start)


def test_published_files_rebuild_the_network_without_our_code(
    result: tuple[TrainingResult, Split, Split], tmp_path: Path
) -> None:
    trained, train, evaluate = result

    folder = write_inference_files(
        trained, tmp_path, train=train, evaluate=evaluate, run_id="run-a", dataset_run="run-b"
    )

    assert sorted(one.name for one in folder.iterdir()) == [
        "best.pth",
        "config.py",
        "eval_image.png",
        "last.pth",
        "model.json",
    ]
    network = MODELS.build(Config.fromfile(folder / "config.py").model)
    saved = torch.load(folder / "last.pth", weights_only=True)
    network.load_state_dict(saved["state_dict"], strict=True)
    assert saved["meta"]["dataset_meta"]["classes"] == ["person", "car"]
    assert str(trained.best_path.parent) not in (folder / "config.py").read_text()
    assert '"best_is": "start"' in (folder / "model.json").read_text()


def test_tables_and_pictures_show_the_training(result: tuple[TrainingResult, Split, Split], tmp_path: Path) -> None:
    trained, train, evaluate = result

    assert "| car | 6 | 3 |" in data_table(train, evaluate)
    table = epochs_table(HistoryReader(trained.best_path.parent).read())
    assert "**start**" in table
    assert len(table.splitlines()) == 5
    assert "trained from scratch" in weights_table(trained)
    assert "No epoch beat the starting point" in summary(trained)
    assert min(decode_image(draw_examples(train, tmp_path / "examples.png").read_bytes()).shape[:2]) > 300


@pytest.mark.parametrize(
    ("trained_layers", "learn", "witness"),
    [
        (None, "bbox_head.multi_level_conv_", "bbox_head.multi_level_conv_obj.0.weight"),
        ("head", "bbox_head.", "bbox_head.multi_level_reg_convs.0.0.pointwise_conv.conv.weight"),
        ("all", "", "backbone.stem.conv.conv.weight"),
    ],
    ids=["by_recipe_the_last", "head", "all"],
)
def test_fine_tuning_moves_the_chosen_layers_and_no_statistics_of_batch_normalisation(
    result: tuple[TrainingResult, Split, Split], tmp_path: Path, trained_layers: str | None, learn: str, witness: str
) -> None:
    trained, train, evaluate = result
    params = TINY.model_copy(update={"epochs": 1, "trained_layers": trained_layers})

    tuned = train_detector(params, train=train, evaluate=evaluate, weights=trained.last_path, work=tmp_path)

    before, after = _weights(trained.last_path), _weights(tuned.last_path)
    moved = {key for key in before if not torch.equal(before[key], after[key])}
    assert tuned.fit is not None
    assert tuned.fit.kept_classes == ("person", "car")
    assert witness in moved
    assert all(key.startswith(learn) and not key.endswith(("_mean", "_var", "_tracked")) for key in moved)


def test_one_seed_gives_one_training(result: tuple[TrainingResult, Split, Split], tmp_path: Path) -> None:
    trained, train, evaluate = result

    again = train_detector(TINY, train=train, evaluate=evaluate, weights=None, work=tmp_path)

    assert again.losses == trained.losses
    first, second = _weights(trained.last_path), _weights(again.last_path)
    assert all(torch.equal(first[key], second[key]) for key in first)


def test_nothing_of_the_framework_reaches_the_notebook(
    train: Split, evaluate: Split, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    train_detector(
        TINY.model_copy(update={"epochs": 1}), train=train, evaluate=evaluate, weights=None, work=tmp_path / "w"
    )

    captured = capfd.readouterr()
    assert captured.out == ""
    assert captured.err == ""
    assert "Epoch" in (tmp_path / "w" / "console.log").read_text()


def test_a_loss_that_is_no_number_stops_the_training_and_says_where(
    train: Split, evaluate: Split, tmp_path: Path
) -> None:
    params = TINY.model_copy(update={"learning_rate": 1e20, "epochs": 4})

    with pytest.raises(
        DataError, match=r"The loss became (nan|inf) at iteration \d+ \(epoch \d\).*Lower learning_rate"
    ):
        train_detector(params, train=train, evaluate=evaluate, weights=None, work=tmp_path / "work")


def test_too_little_memory_says_which_parameter_to_lower(
    train: Split, evaluate: Split, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mmdet.models import YOLOX

    def no_memory(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(YOLOX, "loss", no_memory)

    with pytest.raises(DataError, match="Lower batch_size first"):
        train_detector(TINY, train=train, evaluate=evaluate, weights=None, work=tmp_path / "work")


def test_an_image_without_objects_can_be_trained_on(train: Split, evaluate: Split, tmp_path: Path) -> None:
    from sinara_lib.vision.coco import save_coco

    some = tuple(one for one in train.dataset.annotations if one.image_id in (1, 2))
    emptied = replace(train, dataset=replace(train.dataset, annotations=some))
    save_coco(emptied.dataset, Path(train.place, "annotations.json"))

    trained = train_detector(
        TINY.model_copy(update={"epochs": 1}), train=emptied, evaluate=evaluate, weights=None, work=tmp_path / "work"
    )

    assert len(trained.losses) == 2
