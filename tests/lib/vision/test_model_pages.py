"""Pages about a model are written as they always were, and read by the same definitions."""

import json
from pathlib import Path

import pytest

from sinara_lib.errors import DataError
from sinara_lib.vision.model_pages import ModelCard, WeightsRecord

CARD = {
    "model_name": "yolox_nano",
    "input_size": [416, 640],
    "classes": ["café", "bus"],
    "category_ids": [1, 2],
    "run_id": "run-t",
    "dataset_run": "run-d",
    "best_is": "epoch_7",
    "scores": {"start": {"AP": 0.0, "AP50": None}, "best": {"AP": 1}, "last": {}},
}


def test_a_model_card_comes_back_and_keeps_its_bytes(tmp_path: Path) -> None:
    text = json.dumps(CARD, indent=2) + "\n"
    (tmp_path / "model.json").write_text(text)
    card = ModelCard.load(tmp_path)
    assert (card.input_size, card.classes) == ((416, 640), ("café", "bus"))
    card.write(tmp_path)
    assert (tmp_path / "model.json").read_text() == text


def test_classes_and_category_ids_of_other_counts_are_refused(tmp_path: Path) -> None:
    (tmp_path / "model.json").write_text(json.dumps({**CARD, "category_ids": [1]}))
    with pytest.raises(DataError, match=r"model\.json: .*2 classes but 1 category ids"):
        ModelCard.load(tmp_path)


def test_a_record_of_no_weights_is_written_with_all_its_fields_in_order() -> None:
    text = '{"url": null, "file_name": null, "sha256": null, "bytes": 0}'
    assert json.dumps(WeightsRecord(file_name=None).model_dump()) == text
